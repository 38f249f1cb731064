// Measurements next to the frames: histogram, waveform, and the score over time.

const CV_DASHES = ["", "7 3", "2 3", "9 3 2 3"];
const CV_WIDE = 256, CV_HIGH = 144, CV_LEVELS = 128;

// Histogram and waveform of one frame, from a small copy of it.
function cvScope(name) {
  const histogram = el("canvas", { class: "cv-scope", width: 256, height: CV_LEVELS, role: "img", "aria-label": `Histogram of ${name}` });
  const waveform = el("canvas", { class: "cv-scope", width: CV_WIDE, height: CV_LEVELS, role: "img", "aria-label": `Waveform of ${name}` });
  const small = new OffscreenCanvas(CV_WIDE, CV_HIGH).getContext("2d", { willReadFrequently: true });
  const node = el("figure", { class: "cv-scopes-of" }, el("figcaption", { text: name }),
    el("div", { class: "cv-scope-pair" }, histogram, waveform));
  return {
    node,
    draw(canvas) {
      small.drawImage(canvas, 0, 0, CV_WIDE, CV_HIGH);
      const { data } = small.getImageData(0, 0, CV_WIDE, CV_HIGH);
      const counts = [0, 1, 2, 3].map(() => new Uint32Array(256));
      const hits = new Uint16Array(CV_WIDE * CV_LEVELS);
      let sum = 0;
      for (let at = 0, column = 0; at < data.length; at += 4, column = (column + 1) % CV_WIDE) {
        const luma = (0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2] + 0.5) | 0;
        for (let one = 0; one < 3; one++) counts[one][data[at + one]]++;
        counts[3][luma]++;
        hits[column * CV_LEVELS + (luma >> 1)]++;
        sum += luma;
      }
      cvHistogram(histogram.getContext("2d"), counts);
      cvWaveform(waveform.getContext("2d"), hits);
      const mean = Math.round(sum / (CV_WIDE * CV_HIGH));
      histogram.setAttribute("aria-label", `Histogram of ${name}: red, green, blue and luma; mean luma ${mean} of 255`);
      waveform.setAttribute("aria-label", `Waveform of ${name}: luma from left to right; mean ${mean} of 255`);
    },
  };
}

function cvHistogram(to, counts) {
  // Square root, so that one uniform area does not hide everything else.
  const most = Math.max(...counts.flatMap((one) => [...one]), 1);
  const high = (count) => Math.sqrt(count / most) * (CV_LEVELS - 4);
  to.fillStyle = "#16181b";
  to.fillRect(0, 0, 256, CV_LEVELS);
  to.fillStyle = "#7d848c";
  for (let at = 0; at < 256; at++) to.fillRect(at, CV_LEVELS - high(counts[3][at]), 1, CV_LEVELS);
  ["#ff6b6b", "#6bd968", "#74a9ff"].forEach((color, one) => {
    to.strokeStyle = color;
    to.beginPath();
    for (let at = 0; at < 256; at++) to.lineTo(at + 0.5, CV_LEVELS - high(counts[one][at]));
    to.stroke();
  });
}

function cvWaveform(to, hits) {
  const image = to.createImageData(CV_WIDE, CV_LEVELS);
  for (let column = 0; column < CV_WIDE; column++) {
    for (let level = 0; level < CV_LEVELS; level++) {
      const at = 4 * ((CV_LEVELS - 1 - level) * CV_WIDE + column);
      const lit = Math.min(1, hits[column * CV_LEVELS + level] / 8);
      const grid = level % 32 === 0 ? 34 : 0;
      image.data[at] = 22 + grid + 120 * lit;
      image.data[at + 1] = 24 + grid + 225 * lit;
      image.data[at + 2] = 27 + grid + 140 * lit;
      image.data[at + 3] = 255;
    }
  }
  to.putImageData(image, 0, 0);
}

// The score frame by frame. `jump(at)` is called for a click, a drag or a key.
function cvScorePlot(jump) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const high = el("span", { class: "cv-score-high" }), low = el("span", { class: "cv-score-low" });
  const plot = el("div", { class: "cv-plot", role: "slider", tabindex: "0", "aria-label": "Score over time", "aria-valuemin": "0" }, high, low);
  plot.prepend(svg);
  const legend = el("div", { class: "cv-legend" });
  const worst = el("ol", { class: "cv-worst", "aria-label": "Worst frames first" });
  const node = el("div", { class: "cv-score-row" }, el("div", { class: "cv-score-main" }, plot, legend),
    el("div", { class: "cv-worst-box" }, el("h4", { text: "Worst frames" }), worst));
  let count = 1, steps = 1, now = 0, bad = [], loop = null, unit = "";
  const make = (tag, attributes) => {
    const one = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
    return one;
  };
  const cursor = make("line", { class: "cv-cursor", y1: 0, y2: 100 }), band = make("rect", { class: "cv-band", y: 0, height: 100 });
  const to = (event) => {
    const around = plot.getBoundingClientRect();
    jump(Math.round(((event.clientX - around.left) / around.width) * count - 0.5));
  };
  plot.addEventListener("pointerdown", (event) => { plot.setPointerCapture(event.pointerId); to(event); });
  plot.addEventListener("pointermove", (event) => { if (event.buttons) to(event); });
  plot.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: now - steps, ArrowDown: now - steps, ArrowRight: now + steps, ArrowUp: now + steps, Home: 0, End: count - 1 }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    jump(Math.round(by));
  });
  return {
    node,
    fill(answer, names, frames) {
      count = frames;
      unit = answer.score;
      const lines = answer.curves.map((curve, at) => {
        const bytes = answer.buffers[at]; // an ArrayBuffer or a view of one, depending on the front end
        const data = new DataView(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength);
        const values = Array.from({ length: data.byteLength / 4 }, (_, one) => data.getFloat32(4 * one, true));
        return { ...curve, values };
      });
      node.hidden = !lines.length;
      if (!lines.length) return;
      steps = Math.max(1, lines[0].step);
      const all = lines.flatMap((line) => line.values);
      let [least, most] = [Math.min(...all), Math.max(...all)];
      if (most - least < 1e-6) [least, most] = [least - 0.5, most + 0.5];
      const y = (value) => 94 - (88 * (value - least)) / (most - least);
      cvText(high, most.toPrecision(4).replace(/\.?0+$/, ""));
      cvText(low, least.toPrecision(4).replace(/\.?0+$/, ""));
      svg.setAttribute("viewBox", `0 0 ${count} 100`);
      svg.replaceChildren(band, ...lines.map((line) => make("polyline", {
        points: line.values.map((value, at) => `${line.first + at * line.step + 0.5},${y(value)}`).join(" "),
        style: `stroke:var(--cv-${line.place + 1})`, "stroke-dasharray": CV_DASHES[line.place], "vector-effect": "non-scaling-stroke",
      })), cursor);
      legend.replaceChildren(...lines.map((line) => {
        const sample = make("svg", { width: 26, height: 8, "aria-hidden": "true" });
        sample.append(make("line", { x1: 0, x2: 26, y1: 4, y2: 4, style: `stroke:var(--cv-${line.place + 1})`, "stroke-dasharray": CV_DASHES[line.place] }));
        return el("span", {}, sample, document.createTextNode(names[line.place]));
      }));
      bad = lines.flatMap((line) => line.worst.map((one) => ({ ...one, place: line.place })))
        .sort((a, b) => (unit === "delta_e" ? b.value - a.value : a.value - b.value)).slice(0, 8);
      worst.replaceChildren(...bad.map((one) => el("li", {}, el("button", {
        type: "button", class: "cv-worst-one", onclick: () => jump(one.at),
        "aria-label": `Frame ${one.at}: ${unit} ${one.value.toPrecision(4)}, ${names[one.place]}`, title: names[one.place],
      }, el("i", { style: `background:var(--cv-${one.place + 1})` }), el("b", { text: String(one.at) }),
      el("span", { text: one.value.toPrecision(4) })))));
      this.show(now);
    },
    show(at) {
      now = at;
      plot.setAttribute("aria-valuemax", count - 1);
      plot.setAttribute("aria-valuenow", at);
      plot.setAttribute("aria-valuetext", `frame ${at}`);
      cursor.setAttribute("x1", at + 0.5);
      cursor.setAttribute("x2", at + 0.5);
      worst.querySelectorAll("button").forEach((button, one) => button.setAttribute("aria-current", String(bad[one]?.at === at)));
    },
    loop(range) {
      loop = range;
      band.setAttribute("x", loop ? loop[0] : 0);
      band.setAttribute("width", loop ? loop[1] - loop[0] + 1 : 0);
    },
    // Go to the next worst frame, in the order of the list.
    next(by) {
      if (!bad.length) return;
      const at = bad.findIndex((one) => one.at === now);
      jump(bad[(at < 0 ? (by > 0 ? 0 : bad.length - 1) : at + by + bad.length) % bad.length].at);
    },
  };
}
