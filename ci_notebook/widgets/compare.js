// The view: what is asked of Python, what is shown, and what hands and keys do.

const CV_MODES = [["wipe", "Wipe"], ["side", "Side by side"], ["flicker", "Flicker"], ["difference", "Difference"]];
const CV_KEYS = [
  [", .  ← →", "a picture back, on"], ["Shift ← →", "ten pictures"], ["Home End", "first, last"], ["Space", "play the loop, stop"],
  ["i o", "loop from here, to here"], ["n b", "next, previous of the worst"], ["m", "next mode"], ["f", "swap in flicker"],
  ["l h", "loupe, scopes"], ["+ − 0 1", "zoom, fit, 1:1"], ["k", "keep this picture"],
];
let cvViews = 0;

function cvRender({ model, el: root }) {
  const name = `cv-${++cvViews}-${Math.random().toString(36).slice(2, 8)}`;
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const asker = cvAsker(model, name), shelf = cvShelf(48e6);
  let line = model.get("line"), at = model.get("at"), mode = model.get("mode"), gain = model.get("gain");
  let apart = {}, saving = 0, detailing = 0, direction = 1, scores = "", isGone = false;
  const names = () => line.shown.map((place) => model.get("sides")[place].name);
  const rates = () => new Set(line.sides.map((side) => side.rate)).size > 1;

  // Asking and showing -------------------------------------------------------------------------------------------
  const wide = () => {
    const pixels = Math.max(...[...stage.node.children].map((pane) => pane.clientWidth), 320) * (window.devicePixelRatio || 1);
    return Math.min(line.size[0], Math.ceil(pixels / 160) * 160);
  };
  const mark = () => `${line.shown}|${stage.keys()}|${mode === "difference" ? gain : ""}`;
  const shelved = (key, when, width) => `${mark()}|${key}|${when}|${width}`;
  const fetch = async (what, keys, ats, width, more = {}) => {
    const asked = mark();
    const answer = await asker.ask(what, { keys, ats, width, gain, shown: line.shown, ...more });
    return (answer.pictures ?? []).map((told, one) => ({ ...told, asked, blob: new Blob([answer.buffers[one]]) }));
  };
  const look = cvNewest(async (_, isOld) => {
    const [when, keys, width, asked] = [at, stage.keys(), wide(), mark()];
    const missing = keys.filter((key) => !shelf.has(shelved(key, when, width)));
    if (missing.length) {
      stage.busy(true);
      for (const one of await fetch("look", missing, [when], width)) {
        shelf.put(shelved(one.key, when, width), Object.assign(one.blob, { told: one }));
      }
    }
    const blobs = keys.map((key) => shelf.get(shelved(key, when, width)));
    if (isGone || asked !== mark() || blobs.some((blob) => !blob)) return stage.busy(false);
    // All are decoded before the first is drawn: no pane is ever a picture ahead.
    const bitmaps = await Promise.all(blobs.map((blob) => createImageBitmap(blob)));
    if (asked !== mark() || loop.isOn()) return bitmaps.forEach((bitmap) => bitmap.close());
    await stage.draw(bitmaps);
    bitmaps.forEach((bitmap) => bitmap.close());
    apart = Object.fromEntries(blobs.map((blob, one) => [keys[one], blob.told]));
    root.dataset.at = when; // what is drawn now
    caption();
    stage.busy(isOld());
    if (isOld()) return;
    drawScopes();
    loupe.stale();
    sharpen();
    ahead([keys, width]);
  });
  const ahead = cvNewest(async ([keys, width]) => {
    const next = [at + direction, at + 2 * direction].filter((one) => one >= 0 && one < line.count
      && keys.some((key) => !shelf.has(shelved(key, one, width))));
    if (!next.length || loop.isOn()) return;
    const asked = mark();
    for (const one of await fetch("ahead", keys, next, width)) {
      if (asked === mark()) shelf.put(shelved(one.key, one.at, width), Object.assign(one.blob, { told: one }));
    }
  });
  // Zoomed in beyond what travelled: that stretch once more, at full resolution.
  const sharpen = () => {
    clearTimeout(detailing);
    const { zoom, box } = stage.view();
    if (zoom * wide() <= wide() * 1.05 || wide() >= line.size[0] || loop.isOn()) return;
    detailing = setTimeout(async () => {
      const [when, asked, keys] = [at, mark(), stage.keys()];
      const grown = [0, 1].map((d) => Math.max(0, box[d] - 0.05 * box[2 + d]));
      const around = [...grown, ...[0, 1].map((d) => Math.min(1, box[d] + 1.05 * box[2 + d]) - grown[d])];
      const found = await fetch("detail", keys, [when], Math.min(2400, Math.ceil(around[2] * line.size[0])), { box: around });
      const bitmaps = await Promise.all(found.map((one) => createImageBitmap(one.blob)));
      if (when === at && asked === mark() && !loop.isOn() && bitmaps.length === keys.length) await stage.draw(bitmaps, around);
      bitmaps.forEach((bitmap) => bitmap.close());
    }, 120);
  };

  // Parts --------------------------------------------------------------------------------------------------------
  const stage = cvStage({ seen: () => { zoomed(); sharpen(); }, pointed: (point) => loupe.point(point.x, point.y) });
  const loupe = cvLoupe({ fetch: async (box) => {
    const when = at;
    const found = await fetch("loupe", line.shown.map((_, one) => `${one}`), [when], 0, { box });
    return when === at && found.length === line.shown.length ? found.map((one) => one.blob) : null;
  } });
  const status = cvNode("span", { class: "cv-status", role: "status" });
  const error = cvNode("div", { class: "cv-error", role: "alert" });
  const loop = cvLoop({
    fetch: (keys, ats, width) => fetch("ahead", keys, ats, width),
    now: () => ({ keys: stage.keys(), at, count: line.count, rate: line.rate, size: line.size, wide: wide(), mark: mark() }),
    show: (when, bitmaps) => { stage.draw(bitmaps); root.dataset.at = when; at = when; position(); },
    tell: (text) => cvSay(status, text),
    ended: () => { play.set(false); cvSay(play.node, "▶"); save(); look(); },
  });
  const modes = cvSegments(`${name}-mode`, "How to compare", CV_MODES, (to) => setMode(to));
  const picks = cvNode("div", { class: "cv-picks" });
  const zoomText = cvNode("span", { class: "cv-zoom-text" });
  const slider = cvNode("input", { type: "range", class: "cv-slider", min: "0", step: "1", "aria-label": "Picture", oninput: () => go(Number(slider.value)) });
  const number = cvNode("input", { type: "number", class: "cv-number", min: "0", "aria-label": "Number of the picture", onchange: () => typed() });
  const readout = cvNode("span", { class: "cv-readout" });
  const play = cvToggle("▶", "Play the loop", (is) => { cvSay(play.node, is ? "■" : "▶"); return is ? loop.play() : loop.stop(); });
  const trace = cvTrace((to) => go(to));
  const scope = cvToggle("Scopes", "Histogram and waveform", (is) => { scopes.hidden = !is; drawScopes(); });
  const magnify = cvToggle("Loupe", "Single pixels with their values", (is) => loupe.open(is));
  const scopes = cvNode("section", { class: "cv-scopes", hidden: true, "aria-label": "Scopes" });
  const flickerRate = cvSelect("Swaps a second", [["1", "1 a second"], ["2", "2 a second"], ["3", "3 a second"]], () => { if (stage.isFlickering()) stage.start(Number(flickerRate.value)); });
  const flickerOn = cvToggle("Flicker", "Swap by itself", (is) => (is ? stage.start(Number(flickerRate.value)) : stage.stop()));
  const flickers = cvNode("span", { class: "cv-group cv-own-line" }, flickerOn.node, flickerRate, cvButton("Swap", "Swap now", () => { flickerOn.set(false); stage.stop(); stage.swap(); }));
  const gainSelect = cvSelect("Amplification", [1, 2, 4, 8, 16, 32, 64].map((one) => [String(one), `× ${one}`]), (to) => { gain = Number(to); model.set("gain", gain); model.save_changes(); legend(); look(); });
  const legendText = cvNode("span", { class: "cv-soft" });
  const differences = cvNode("span", { class: "cv-group cv-own-line" }, gainSelect, cvNode("span", { class: "cv-ramp", "aria-hidden": "true" }), legendText);
  const scoreSelect = cvNode("select", { class: "cv-select", "aria-label": "Score", onchange: () => follow() });
  const rangeText = cvNode("span", { class: "cv-soft" });
  const note = cvNode("p", { class: "cv-soft cv-note" });

  // What they do -------------------------------------------------------------------------------------------------
  const save = () => {
    clearTimeout(saving);
    saving = setTimeout(() => { if (model.get("at") !== at) { model.set("at", at); model.save_changes(); } }, 250);
  };
  const position = () => {
    slider.value = at;
    slider.setAttribute("aria-valuetext", `picture ${at} of ${line.count}`);
    if (document.activeElement !== number) number.value = at;
    cvSay(readout, `of ${line.count} · ${(line.begin_s + at / line.rate).toFixed(2)} s`);
    trace.show(at);
  };
  const go = (to) => {
    const there = Math.min(line.count - 1, Math.max(0, Math.round(to)));
    loop.stop();
    direction = there >= at ? 1 : -1;
    at = there;
    number.value = at;
    position();
    save();
    look();
  };
  const typed = () => {
    const to = Number(number.value);
    const isGood = Number.isInteger(to) && to >= 0 && to < line.count && number.value !== "";
    number.toggleAttribute("aria-invalid", false);
    if (!isGood) number.setAttribute("aria-invalid", "true");
    cvSay(error, isGood ? "" : `Pictures go from 0 to ${line.count - 1}; there is no ${number.value || "empty number"}.`);
    if (isGood) go(to);
  };
  const caption = () => {
    const own = names().map((one, place) => {
      const told = apart[`${place}`];
      return rates() && told ? `${one} · ${told.number}` : one;
    });
    if (mode !== "difference") return stage.name(own);
    const first = names()[0];
    stage.name(names().slice(1).map((one, place) => {
      const told = apart[`${place + 1}-0`];
      return `${one} − ${first}${told?.mean === undefined ? "" : ` · mean ${told.mean.toFixed(2)}, most ${told.most}`}`;
    }));
  };
  const legend = () => {
    gainSelect.value = String(gain);
    cvSay(legendText, `black: equal · full brightness: ${Math.ceil(255 / gain)} of 255 apart or more (amplified × ${gain})`);
  };
  const zoomed = () => cvSay(zoomText, `${stage.view().percent} %`);
  const drawScopes = () => {
    if (scopes.hidden || loop.isOn()) return;
    const canvases = stage.canvases();
    const shown = mode === "difference" ? names().slice(1).map((one) => `the difference, ${one}`) : names();
    if (scopes.dataset.of !== shown.join("\n")) {
      scopes.dataset.of = shown.join("\n");
      scopes.parts = shown.map(cvScope);
      scopes.replaceChildren(...scopes.parts.map((part) => part.node));
    }
    scopes.parts.forEach((part, one) => part.draw(canvases[one]));
  };
  const follow = async () => {
    scores = scoreSelect.value;
    if (!scores) return trace.fill({ traces: [], buffers: [] }, [], line.count);
    const answer = await asker.ask("trace", { on: scores });
    if (!isGone && answer.on === scores) trace.fill(answer, names(), line.count);
  };
  const setMode = (to, isTold = false) => {
    loop.stop();
    mode = to;
    modes.show(mode);
    stage.build(mode, mode === "difference" ? names().map(String) : names(), line.size);
    flickers.hidden = mode !== "flicker";
    differences.hidden = mode !== "difference";
    apart = {};
    caption();
    zoomed();
    if (mode === "flicker") {
      flickerOn.set(!calm.matches);
      if (!calm.matches) stage.start(Number(flickerRate.value));
      cvSay(status, calm.matches ? "This machine asks for little motion: swap by the button or f." : "");
    }
    if (!isTold && model.get("mode") !== mode) { model.set("mode", mode); model.save_changes(); }
    look();
  };
  const choose = (place, to) => {
    const shown = [...line.shown];
    const other = shown.indexOf(to);
    if (to === -1) shown.splice(place, 1);
    else if (place === shown.length) shown.push(to);
    else if (other >= 0) [shown[place], shown[other]] = [shown[other], shown[place]];
    else shown[place] = to;
    stage.busy(true);
    loop.stop();
    cvSay(error, "");
    clearTimeout(saving);
    model.set("at", at); // the place travels along: Python may not know it yet
    model.set("shown", shown);
    model.save_changes();
  };
  const makePicks = () => {
    const sides = model.get("sides");
    const choices = sides.map((side, one) => [String(one), side.name]);
    const free = sides.findIndex((_, one) => !line.shown.includes(one));
    picks.replaceChildren(...line.shown.map((place, one) => {
      const select = cvSelect(`Video ${one + 1}`, choices, (to) => choose(one, Number(to)));
      select.value = String(place);
      const drop = line.shown.length > 2 ? cvButton("×", `Leave out ${sides[place].name}`, () => choose(one, -1), { class: "cv-button cv-drop" }) : null;
      return cvNode("span", { class: "cv-pick" }, cvNode("i", { style: `background:${CV_COLORS[one]}`, "aria-hidden": "true" }), select, drop);
    }), free >= 0 && line.shown.length < 4 ? cvButton("+", "Add a video", () => choose(line.shown.length, free)) : "");
  };
  const rangeShown = () => {
    const range = loop.range();
    trace.loop(range);
    cvSay(rangeText, range ? `loop ${range[0]}–${range[1]}` : "loop: 2 s from here");
  };
  const point = (which) => { loop.mark(which, at); rangeShown(); if (loop.isOn()) { loop.stop(); } };
  const keep = async () => {
    cvSay(status, "Keeping");
    const answer = await asker.ask("keep", { at });
    cvSay(status, answer.kept ? `Picture ${at} is kept below` : "");
  };
  const reset = () => {
    line = model.get("line");
    shelf.clear();
    at = Math.min(line.count - 1, model.get("at"));
    loop.mark("none");
    slider.max = number.max = line.count - 1;
    root.querySelector(".cv").setAttribute("aria-label", `Compare ${names().join(", ")}`);
    const sides = line.sides.map((side, one) => `${names()[one]}: ${side.size.join(" × ")} px, ${side.rate} a second${side.tone ? `, ${side.tone}` : ""}`);
    cvSay(facts, sides.join(" · "));
    cvSay(note, model.get("note"));
    scoreSelect.replaceChildren(...line.scores.map((one) => cvNode("option", { value: one, text: one })));
    if (line.scores.includes(scores)) scoreSelect.value = scores;
    scoreBox.hidden = !line.scores.length;
    loupe.build(names(), line.sides, line.size);
    makePicks();
    rangeShown();
    setMode(mode, true);
    position();
    follow();
  };
  const onKey = (event) => {
    event.stopPropagation(); // JupyterLab would take arrows and letters for its own
    const target = event.target;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || target.matches("select, input[type=number]")) return;
    const isField = target.matches("input, summary");
    const isButton = target.matches("button");
    const step = { ",": -1, ".": 1, "<": -10, ">": 10 }[event.key]
      ?? (isField ? undefined : { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key]);
    const big = event.shiftKey && event.key.startsWith("Arrow") ? 10 : 1;
    const does = {
      i: () => point("in"), o: () => point("out"), n: () => trace.next(1), b: () => trace.next(-1), f: () => stage.swap(), k: keep,
      m: () => setMode(CV_MODES[(CV_MODES.findIndex(([one]) => one === mode) + 1) % CV_MODES.length][0]),
      l: () => magnify.node.click(), h: () => scope.node.click(),
      Home: isField ? undefined : () => go(0), End: isField ? undefined : () => go(line.count - 1),
      " ": isField || isButton ? undefined : () => play.node.click(),
    }[event.key];
    if (step) go(at + step * big);
    else if (does) does();
    else return;
    event.preventDefault();
  };

  // The page of it -----------------------------------------------------------------------------------------------
  const facts = cvNode("p", { class: "cv-soft cv-facts" });
  const scoreBox = cvNode("section", { class: "cv-scores", "aria-label": "Scores" }, cvNode("div", { class: "cv-scores-head" }, cvNode("h4", { text: "Score" }), scoreSelect), trace.node);
  const jump = (text, label, by) => cvButton(text, label, () => go(by === "first" ? 0 : by === "last" ? line.count - 1 : at + by));
  root.append(cvNode("div", { class: "cv", role: "group", "data-lm-suppress-shortcuts": "true", onkeydown: onKey },
    cvNode("div", { class: "cv-top" }, cvNode("h3", { text: "Compare" }), cvNode("span", { class: "cv-soft", text: model.get("title") }), picks),
    cvNode("div", { class: "cv-bar" }, modes.node, flickers, differences, cvNode("span", { class: "cv-space" }),
      cvNode("span", { class: "cv-group", role: "group", "aria-label": "Zoom" },
        cvButton("Fit", "Fit the whole picture", () => stage.zoom("fit")), cvButton("1:1", "A pixel on a pixel of the screen", () => stage.zoom("1:1")),
        cvButton("−", "Zoom out", () => stage.zoomBy(0.8)), cvButton("+", "Zoom in", () => stage.zoomBy(1.25)), zoomText),
      cvNode("span", { class: "cv-group" }, magnify.node, scope.node)),
    stage.node,
    cvNode("div", { class: "cv-transport" },
      cvNode("span", { class: "cv-group" }, jump("«", "First picture", "first"), jump("−10", "Ten pictures back", -10), jump("−1", "A picture back", -1),
        play.node, jump("+1", "A picture on", 1), jump("+10", "Ten pictures on", 10), jump("»", "Last picture", "last")),
      slider, cvNode("span", { class: "cv-group" }, number, readout)),
    cvNode("div", { class: "cv-bar cv-under" },
      cvNode("span", { class: "cv-group" }, cvButton("In", "Loop from this picture", () => point("in")), cvButton("Out", "Loop to this picture", () => point("out")),
        cvButton("×", "Loop two seconds again", () => point("none"), { class: "cv-button cv-drop" }), rangeText),
      cvSelect("Speed", [["1", "real rate"], ["0.5", "half"], ["0.25", "quarter"]], (to) => { loop.speed(Number(to)); if (loop.isOn()) loop.play(); }),
      status, cvNode("span", { class: "cv-space" }), cvButton("Keep this picture", "Keep this picture in the notebook", keep, { class: "cv-button cv-keep" })),
    error, loupe.node, scopes, scoreBox, facts, note,
    cvNode("details", { class: "cv-keys" }, cvNode("summary", { text: "Keys" }),
      cvNode("dl", {}, ...CV_KEYS.flatMap(([keys, what]) => [cvNode("dt", { text: keys }), cvNode("dd", { text: what })])))));

  const heard = {
    "change:line": reset,
    "change:at": () => { if (model.get("at") !== at && !loop.isOn()) { at = Math.min(line.count - 1, model.get("at")); position(); look(); } },
    "change:mode": () => { if (model.get("mode") !== mode) setMode(model.get("mode"), true); },
    "change:gain": () => { if (model.get("gain") !== gain) { gain = model.get("gain"); legend(); look(); } },
    "change:error": () => { cvSay(error, model.get("error")); stage.busy(false); if (model.get("error")) makePicks(); },
  };
  for (const [event, fn] of Object.entries(heard)) model.on(event, fn);
  legend();
  reset();
  cvSay(error, model.get("error"));
  return () => {
    isGone = true;
    loop.close();
    stage.close();
    asker.close();
    for (const [event, fn] of Object.entries(heard)) model.off(event, fn);
  };
}

export default { render: cvRender };
