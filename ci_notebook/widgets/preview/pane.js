// The preview pane: one frame of the clip before and after, at any time, updated while the user moves a slider.
// One request runs at a time, with the newest state of the controls: so no edit is lost, and no request queues up.
// An answer with a `stage` is a first step that says what it shows; a new request may follow it, and ends the rest.

const PREVIEW_TIMEOUT_MS = 20000; // a kernel that is busy with a cell answers late

function makePreview(model, view) {
  if (!model.get("features").includes("preview")) return null;
  const id = view.id();
  const pane = wipePane({ names: ["Before", "After"], label: "Preview" });
  pane.root.style.setProperty("--wp-most", "52vh");
  const stage = el("div", { class: "ci-preview-stage", role: "status" });
  pane.root.append(stage);
  const error = el("div", { class: "ci-error", role: "alert" });
  const note = el("p", { class: "ci-help", role: "status" });
  const scrub = el("input", {
    type: "range", class: "ci-slider", id: `${id}-t`, min: 0, max: 0, step: 1, value: 0,
    oninput: () => { atS = Number(scrub.value) / rate; showTime(); request(); },
  });
  const time = el("output", { class: "ci-preview-time", for: `${id}-t` });
  const zoom = (to, text, label) => el("button", { type: "button", class: "ci-quiet", text, "aria-label": label, onclick: () => pane.setZoom(to) });
  const node = el(
    "section", { class: "ci-preview", "aria-label": "Preview" },
    el("div", { class: "ci-preview-head" }, el("h4", { text: "Preview" }), zoom("fit", "Fit", "Fit the preview"), zoom("1:1", "1:1", "Preview pixel by pixel")),
    pane.root,
    el("div", { class: "ci-preview-line" }, el("label", { for: `${id}-t`, text: "Time" }), scrub, time),
    note, error,
  );

  let controls = { values: {}, nodes: [] }, lastState = "", rate = 25, atS = null, drawnAtS = null, sourceKey = null, size = null;
  let number = 0, steps = 0, running = 0, isDue = false, isVisible = false, timer = 0;

  const showTime = () => {
    const frame = Number(scrub.value);
    setText(time, `${(frame / rate).toFixed(2)} s`);
    scrub.setAttribute("aria-valuetext", `${(frame / rate).toFixed(2)} s, frame ${frame + 1} of ${Number(scrub.max) + 1}`);
  };
  const request = () => {
    isDue = true;
    if (running || !isVisible) return;
    isDue = false;
    running = ++number;
    const at = pane.view(), isWhole = at.zoom <= 1.001;
    const width = Math.round((pane.root.clientWidth || 320) * Math.min(2, window.devicePixelRatio || 1));
    model.send({ do: "preview", view: id, number, ...controls, at_s: atS, width, box: isWhole ? null : at.box, has: sourceKey });
    pane.busy(true);
    if (atS === null || drawnAtS === null || Math.abs(atS - drawnAtS) > 1e-3) setText(stage, "Decoding…");
    timer = setTimeout(() => { running = 0; if (isDue) request(); }, PREVIEW_TIMEOUT_MS);
  };
  const receive = async (message, buffers) => {
    if (message.do !== "preview" || message.view !== id || message.number !== number) return; // the newest, however late
    clearTimeout(timer);
    const step = ++steps;
    setText(error, message.error ?? "");
    setText(stage, message.stage ?? "");
    if (buffers?.length) await draw(message, buffers);
    if (number !== message.number || step !== steps) return; // it was late, and a newer request or step runs
    running = 0;
    pane.busy(isDue || Boolean(message.stage));
    if (isDue) request();
  };
  const draw = async (message, buffers) => {
    const { before, after } = Object.fromEntries(message.shows.map((name, at) => [name, new Blob([buffers[at]], { type: "image/jpeg" })]));
    ({ rate } = message);
    drawnAtS = message.stage ? null : message.at_s;
    sourceKey = message.key;
    scrub.max = Math.max(0, Math.round(message.seconds * rate) - 1);
    if (atS === null) {
      atS = message.at_s;
      scrub.value = Math.round(atS * rate);
      showTime();
    }
    if (`${size}` !== `${message.size}`) pane.setSize(...(size = message.size));
    const box = message.box.join() === "0,0,1,1" ? null : message.box;
    await Promise.all([before && pane.show(0, before, box), pane.show(1, after ?? null, box)]);
    if (message.stage && !after) return;
    marks.show(message.places, message.number);
    const unshown = message.unshown.length ? `A single frame cannot show ${message.unshown.join(" and ")}.` : "";
    setText(note, [message.note, unshown].filter(Boolean).join(" "));
    if (message.stage) node.dataset.step = message.number;
    else node.dataset.shown = message.number;
  };
  const marks = makeWatermarks(pane, view, () => controls.values, () => size, () => number, (text) => setText(note, text));

  // Nothing is requested while the pane is outside of the window.
  const watch = new IntersectionObserver(([entry]) => {
    isVisible = entry.isIntersecting;
    if (isVisible && isDue) request();
  });
  watch.observe(node);
  const off = pane.on("view", () => { marks.place(); if (size) request(); });
  model.on("msg:custom", receive);
  return {
    node,
    show({ values, active }) {
      const state = JSON.stringify([values, active]);
      controls = { values, nodes: active };
      if (state === lastState) return;
      lastState = state;
      request();
    },
    close() {
      clearTimeout(timer);
      off();
      watch.disconnect();
      pane.close();
      model.off("msg:custom", receive);
    },
  };
}

// Watermarks as boxes on the frame, moved by mouse or arrow keys. The directions that Pos allows change Dx and Dy.
// A preview that was requested before a move does not move its box back.
function makeWatermarks(pane, view, values, size, requested, say) {
  const boxes = [];
  const layer = el("div", { class: "ci-marks" });
  pane.root.append(layer);

  const movable = (mark) => {
    const pos = values()[`Watermark.${mark}.Pos`] ?? "TopLeft";
    return { pos, x: /Left|Right/.test(pos), y: /Top|Bottom/.test(pos) };
  };
  // Offsets are measured inwards from the edges that Pos names, in px or in percent of the frame.
  const offset = (mark, which, to, own) => {
    const across = which === "Dx";
    const side = size()[across ? 0 : 1], { pos } = movable(mark);
    const px = pos.includes(across ? "Right" : "Bottom") ? side - own - to : to;
    const isShare = values()[`Watermark.${mark}.LocMode`] === "Relativity";
    return String(isShare ? Math.round((1000 * px) / side) / 10 : Math.round(px));
  };
  const move = (box, left, top, isDone) => {
    const { place, mark } = box, free = movable(mark), [wide, high] = size();
    const within = (to, own, side) => Math.min(Math.max(0, side - own), Math.max(0, to));
    if (!free.x && !free.y) say(`At Pos ${free.pos} the watermark cannot be moved. Choose another Pos.`);
    if (free.x) place[0] = within(left, place[2], wide);
    if (free.y) place[1] = within(top, place[3], high);
    box.since = requested();
    lay(box);
    if (free.x) view.edit(`Watermark.${mark}.Dx`, offset(mark, "Dx", place[0], place[2]), isDone);
    if (free.y) view.edit(`Watermark.${mark}.Dy`, offset(mark, "Dy", place[1], place[3]), isDone);
  };
  const lay = ({ node, place, mark }) => {
    const { zoom, x, y } = pane.view(), [wide, high] = size(), [left, top, own, tall] = place;
    node.style.left = `${100 * (0.5 + (left / wide - x) * zoom)}%`;
    node.style.top = `${100 * (0.5 + (top / high - y) * zoom)}%`;
    node.style.width = `${(100 * own * zoom) / wide}%`;
    node.style.height = `${(100 * tall * zoom) / high}%`;
    const texts = values(), unit = texts[`Watermark.${mark}.LocMode`] === "Relativity" ? " %" : " px";
    const at = ["Dx", "Dy"].map((one) => `${one} ${texts[`Watermark.${mark}.${one}`] ?? 0}${unit}`).join(", ");
    node.setAttribute("aria-label", `Watermark ${mark} at ${movable(mark).pos}, ${at}. Arrow keys move it.`);
  };
  const make = (mark) => {
    const box = { mark, place: [0, 0, 1, 1], from: null, since: 0 };
    const px = () => size()[0] / (pane.root.clientWidth * pane.view().zoom);
    const drag = (event, isDone) => {
      if (!box.from) return;
      event.stopPropagation();
      const [x, y, left, top] = box.from;
      move(box, left + (event.clientX - x) * px(), top + (event.clientY - y) * px(), isDone);
      if (isDone) box.from = null;
    };
    box.node = el("button", {
      type: "button", class: "ci-mark",
      onpointerdown: (event) => {
        event.stopPropagation(); // otherwise the divider would be dragged
        box.node.setPointerCapture(event.pointerId);
        box.node.focus({ preventScroll: true });
        box.from = [event.clientX, event.clientY, box.place[0], box.place[1]];
      },
      onpointermove: (event) => drag(event, false),
      onpointerup: (event) => drag(event, true),
      onpointercancel: () => { box.from = null; },
      ondblclick: (event) => event.stopPropagation(),
      onfocus: () => pane.only(1), // show only the frame that has the watermark
      onblur: () => pane.only(null),
      onkeydown: (event) => {
        const step = event.shiftKey ? 10 : 1;
        const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
        if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        move(box, box.place[0] + by[0], box.place[1] + by[1], true);
      },
    });
    layer.append(box.node);
    return box;
  };
  return {
    place: () => boxes.filter(({ node }) => !node.hidden).forEach(lay),
    show(places, answered) {
      while (boxes.length < places.length) boxes.push(make(boxes.length + 1));
      boxes.forEach((box, at) => {
        if (!places[at]) box.node.blur(); // hiding a focused element fires no blur event
        box.node.hidden = !places[at];
        if (!places[at] || box.from || answered <= box.since) return; // not while the user drags it, nor back
        box.place = [...places[at]];
        lay(box);
      });
    },
  };
}
