// The view: its parts, and what they have to do with each other.

const CV_MODES = [["wipe", "Wipe"], ["side", "Side by side"], ["flicker", "Flicker"], ["difference", "Difference"]];
const CV_GAINS = [1, 2, 4, 8, 16, 32, 64];
const CV_SPEEDS = [["1", "real rate"], ["0.5", "half"], ["0.25", "quarter"]];
const CV_SWAPS = [["1", "1 a second"], ["2", "2 a second"], ["3", "3 a second"]]; // more flashes a second may harm
let cvViews = 0;

// What a mode needs beside its panes.
function cvModeBar({ id, st, stage, setMode, setGain, say }) {
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const modes = cvSegments(id, "How to compare", CV_MODES, setMode);
  const rate = cvSelect("Swaps a second", CV_SWAPS, () => { if (stage.isFlickering()) stage.start(Number(rate.value)); });
  const on = cvToggle("Flicker", "Swap by itself", (is) => (is ? stage.start(Number(rate.value)) : stage.stop()));
  const swap = cvButton("Swap", "Swap now", () => { on.set(false); stage.stop(); stage.swap(); });
  const flickers = el("span", { class: "cv-group cv-own-line" }, on.node, rate, swap);
  const gain = cvSelect("Amplification", CV_GAINS.map((one) => [String(one), `× ${one}`]), (to) => setGain(Number(to)));
  const text = el("span", { class: "cv-soft" });
  const differences = el("span", { class: "cv-group cv-own-line" }, gain, el("span", { class: "cv-ramp", "aria-hidden": "true" }), text);
  return {
    modes: modes.node, flickers, differences,
    show() {
      modes.show(st.mode);
      flickers.hidden = st.mode !== "flicker";
      differences.hidden = st.mode !== "difference";
      gain.value = String(st.gain);
      cvSay(text, `black: equal · full brightness: ${Math.ceil(255 / st.gain)} of 255 apart or more (amplified × ${st.gain})`);
    },
    enter() {
      if (st.mode !== "flicker") return;
      on.set(!calm.matches);
      if (!calm.matches) stage.start(Number(rate.value));
      else say("This machine asks for little motion: swap by the button or f.");
    },
  };
}

// Histogram and waveform of what is shown, made anew when that is something else.
function cvScopes({ st, stage, loop, names }) {
  const node = el("section", { class: "cv-scopes", hidden: true, "aria-label": "Scopes" });
  let of = "", parts = [];
  const draw = () => {
    if (node.hidden || loop.isOn()) return;
    const shown = st.mode === "difference" ? names().slice(1).map((one) => `the difference, ${one}`) : names();
    if (of !== shown.join("\n")) {
      of = shown.join("\n");
      parts = shown.map(cvScope);
      node.replaceChildren(...parts.map((part) => part.node));
    }
    const canvases = stage.canvases();
    parts.forEach((part, one) => part.draw(canvases[one]));
  };
  return { node, draw, open: (is) => { node.hidden = !is; draw(); } };
}

// What stands under each picture's name: its own number where rates differ, how far it is apart in a difference.
function cvCaptions(st, names) {
  const rates = new Set(st.line.sides.map((side) => side.rate));
  if (st.mode !== "difference") {
    return names.map((one, place) => (rates.size > 1 && st.apart[place] ? `${one} · ${st.apart[place].number}` : one));
  }
  return names.slice(1).map((one, place) => {
    const told = st.apart[`${place + 1}-0`];
    return `${one} − ${names[0]}${told?.mean === undefined ? "" : ` · mean ${told.mean.toFixed(2)}, largest ${told.most}`}`;
  });
}

function cvRender({ model, el: root }) {
  const id = `cv-${++cvViews}-${Math.random().toString(36).slice(2, 8)}`;
  const asker = cvAsker(model, id);
  const st = { line: model.get("line"), at: model.get("at"), mode: model.get("mode"), gain: model.get("gain"), direction: 1, apart: {} };
  const names = () => st.line.shown.map((place) => model.get("sides")[place].name);
  const status = el("span", { class: "cv-status", role: "status" }), error = el("div", { class: "cv-error", role: "alert" });
  const say = (text) => cvSay(status, text);
  const tell = (trait, value) => { if (model.get(trait) !== value) { model.set(trait, value); model.save_changes(); } };
  let saving = 0;

  // The parts ----------------------------------------------------------------------------------------------------
  const stage = cvStage({ seen: () => { zoomed(); looker.sharpen(); }, pointed: (point) => loupe.point(point.x, point.y) });
  const loop = cvLoop({
    fetch: (keys, ats, width) => looker.fetch("ahead", keys, ats, width),
    now: () => ({ ...st.line, keys: stage.keys(), at: st.at, wide: looker.wide(), mark: looker.mark() }),
    show: (when, bitmaps) => { stage.draw(bitmaps); st.at = when; root.dataset.at = when; position(); },
    tell: say,
    ended: () => { play.set(false); cvSay(play.node, "▶"); save(); looker.look(); },
  });
  const looker = cvLooker({ asker, stage, loop, st, drawn: (when, isOld) => {
    root.dataset.at = when; // what is drawn now
    stage.name(cvCaptions(st, names()));
    if (!isOld) { scopes.draw(); loupe.stale(); }
  } });
  const loupe = cvLoupe({ fetch: async (box) => {
    const when = st.at;
    const found = await looker.fetch("loupe", st.line.shown.map((_, one) => `${one}`), [when], 0, { box });
    return when === st.at && found.length === st.line.shown.length ? found.map((one) => one.blob) : null;
  } });
  const scopes = cvScopes({ st, stage, loop, names });
  const play = cvToggle("▶", "Play the loop", (is) => { cvSay(play.node, is ? "■" : "▶"); return is ? loop.play() : loop.stop(); });
  const scope = cvToggle("Scopes", "Histogram and waveform", scopes.open);
  const magnify = cvToggle("Loupe", "Single pixels with their values", loupe.open);
  const trace = cvTrace((to) => go(to));
  const scores = el("select", { class: "cv-select", "aria-label": "Score", onchange: () => follow() });
  const zoomText = el("span", { class: "cv-zoom-text" }), rangeText = el("span", { class: "cv-soft" });
  const facts = el("p", { class: "cv-soft cv-facts" }), note = el("p", { class: "cv-soft cv-note" });

  // What they do -------------------------------------------------------------------------------------------------
  const save = () => {
    clearTimeout(saving);
    saving = setTimeout(() => tell("at", st.at), 250);
  };
  const position = () => { transport.show(); trace.show(st.at); };
  const zoomed = () => cvSay(zoomText, `${stage.view().percent} %`);
  const go = (to) => {
    const there = Math.min(st.line.count - 1, Math.max(0, Math.round(to)));
    loop.stop();
    st.direction = there >= st.at ? 1 : -1;
    st.at = there;
    position();
    save();
    looker.look();
  };
  const setGain = (to) => { st.gain = to; tell("gain", to); modeBar.show(); looker.look(); };
  const setMode = (to) => {
    loop.stop();
    say("");
    st.mode = to;
    st.apart = {};
    stage.build(to, names(), st.line.size);
    stage.name(cvCaptions(st, names()));
    modeBar.show();
    modeBar.enter();
    zoomed();
    tell("mode", to);
    looker.look();
  };
  const choose = (shown) => {
    loop.stop();
    clearTimeout(saving);
    stage.busy(true);
    cvSay(error, "");
    model.set("at", st.at); // the place travels along: Python may not know it yet
    model.set("shown", shown);
    model.save_changes();
  };
  const rangeShown = () => {
    const range = loop.range();
    trace.loop(range);
    cvSay(rangeText, range ? `loop ${range[0]}–${range[1]}` : "loop: 2 s from here");
  };
  const mark = (which) => { loop.mark(which, st.at); rangeShown(); loop.stop(); };
  const follow = async () => {
    const on = scores.value;
    if (!on) return trace.fill({ traces: [], buffers: [] }, [], st.line.count);
    const answer = await asker.ask("trace", { on });
    if (answer.traces && on === scores.value) trace.fill(answer, names(), st.line.count);
  };
  const keep = async () => {
    say("Keeping");
    const answer = await asker.ask("keep", { at: st.at });
    say(answer.kept ? `Picture ${st.at} is kept below` : "");
  };
  const reset = () => {
    st.line = model.get("line");
    st.at = Math.min(st.line.count - 1, model.get("at"));
    looker.clear();
    loop.mark("none");
    page.setAttribute("aria-label", `Compare ${names().join(", ")}`);
    const told = st.line.sides.map((side) => `${side.size.join(" × ")} px, ${side.rate} a second${side.tone ? `, ${side.tone}` : ""}`);
    const isAlike = new Set(told).size === 1;
    cvSay(facts, isAlike ? `All: ${told[0]}` : told.map((text, one) => `${names()[one]}: ${text}`).join(" · "));
    cvSay(note, model.get("note"));
    const chosen = scores.value;
    scores.replaceChildren(...st.line.scores.map((one) => el("option", { value: one, text: one })));
    if (st.line.scores.includes(chosen)) scores.value = chosen;
    scoreBox.hidden = !st.line.scores.length;
    loupe.build(names(), st.line.sides, st.line.size);
    picks.show(model.get("sides"), st.line.shown);
    rangeShown();
    setMode(st.mode);
    position();
    follow();
  };

  // The page of it -----------------------------------------------------------------------------------------------
  const picks = cvPicks(choose);
  const modeBar = cvModeBar({ id: `${id}-mode`, st, stage, setMode, setGain, say });
  const transport = cvTransport({ st, go, refuse: (text) => cvSay(error, text), play: play.node });
  const nextMode = () => setMode(CV_MODES[(CV_MODES.findIndex(([one]) => one === st.mode) + 1) % CV_MODES.length][0]);
  const onkeydown = cvKeys({ st, go, does: {
    i: () => mark("in"), o: () => mark("out"), n: () => trace.next(1), b: () => trace.next(-1), f: () => stage.swap(), k: keep,
    m: nextMode, l: () => magnify.node.click(), h: () => scope.node.click(), " ": () => play.node.click(),
  } });
  const space = () => el("span", { class: "cv-space" });
  const scoreBox = el("section", { class: "cv-scores", "aria-label": "Scores" },
    el("div", { class: "cv-scores-head" }, el("h4", { text: "Score" }), scores), trace.node);
  const page = el("div", { class: "cv", role: "group", "data-lm-suppress-shortcuts": "true", onkeydown },
    el("div", { class: "cv-top" }, el("h3", { text: "Compare" }), el("span", { class: "cv-soft", text: model.get("title") }), picks.node),
    el("div", { class: "cv-bar" }, modeBar.modes, modeBar.flickers, modeBar.differences, space(),
      el("span", { class: "cv-group", role: "group", "aria-label": "Zoom" },
        cvButton("Fit", "Fit the whole picture", () => stage.zoom("fit")), cvButton("1:1", "A pixel on a pixel of the screen", () => stage.zoom("1:1")),
        cvButton("−", "Zoom out", () => stage.zoomBy(0.8)), cvButton("+", "Zoom in", () => stage.zoomBy(1.25)), zoomText),
      el("span", { class: "cv-group" }, magnify.node, scope.node)),
    stage.node, transport.node,
    el("div", { class: "cv-bar cv-under" },
      el("span", { class: "cv-group" }, cvButton("In", "Loop from this picture", () => mark("in")), cvButton("Out", "Loop to this picture", () => mark("out")),
        cvButton("×", "Loop two seconds again", () => mark("none"), { class: "cv-button cv-drop" }), rangeText),
      cvSelect("Speed", CV_SPEEDS, (to) => { loop.speed(Number(to)); if (loop.isOn()) loop.play(); }),
      status, space(), cvButton("Keep this picture", "Keep this picture in the notebook", keep, { class: "cv-button cv-keep" })),
    error, loupe.node, scopes.node, scoreBox, facts, note, cvKeyTable());
  root.append(page);

  const heard = {
    "change:line": reset,
    "change:at": () => { if (model.get("at") !== st.at && !loop.isOn()) { st.at = Math.min(st.line.count - 1, model.get("at")); position(); looker.look(); } },
    "change:mode": () => { if (model.get("mode") !== st.mode) setMode(model.get("mode")); },
    "change:gain": () => { if (model.get("gain") !== st.gain) setGain(model.get("gain")); },
    "change:error": () => { cvSay(error, model.get("error")); stage.busy(false); if (model.get("error")) picks.show(model.get("sides"), st.line.shown); },
  };
  for (const [event, fn] of Object.entries(heard)) model.on(event, fn);
  reset();
  cvSay(error, model.get("error"));
  return () => {
    [loop, looker, stage, asker].forEach((part) => part.close());
    clearTimeout(saving);
    for (const [event, fn] of Object.entries(heard)) model.off(event, fn);
  };
}

export default { render: cvRender };
