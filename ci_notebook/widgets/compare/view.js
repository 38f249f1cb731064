// The view: creates the parts and connects them.

const CV_MODES = [["wipe", "Wipe"], ["side", "Side by side"], ["flicker", "Flicker"], ["difference", "Difference"]];
const CV_GAINS = [1, 2, 4, 8, 16, 32, 64];
const CV_SPEEDS = [["1", "normal speed"], ["0.5", "half speed"], ["0.25", "quarter speed"]];
const CV_SWAPS = [["1", "1 per second"], ["2", "2 per second"], ["3", "3 per second"]]; // more than 3 flashes per second can cause seizures (WCAG 2.3.1)
let cvViews = 0;

// The controls of each mode.
function cvModeBar({ id, st, stage, setMode, setGain, say }) {
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const modes = cvSegments(id, "How to compare", CV_MODES, setMode);
  const rate = cvSelect("Swaps per second", CV_SWAPS, () => { if (stage.isFlickering()) stage.start(Number(rate.value)); });
  const on = cvToggle("Flicker", "Swap automatically", (is) => (is ? stage.start(Number(rate.value)) : stage.stop()));
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
      cvText(text, `black: equal · full brightness: difference of ${Math.ceil(255 / st.gain)} of 255 or more (amplified × ${st.gain})`);
    },
    enter() {
      if (st.mode !== "flicker") return;
      on.set(!calm.matches);
      if (!calm.matches) stage.start(Number(rate.value));
      else say("Your system is set to reduced motion. Swap with the button or the key f.");
    },
  };
}

// Histogram and waveform of the shown frames, rebuilt when other videos are shown.
function cvScopes({ st, stage, loop, names }) {
  const node = el("section", { class: "cv-scopes", hidden: true, "aria-label": "Scopes" });
  let lastNames = "", parts = [];
  const draw = () => {
    if (node.hidden || loop.isOn()) return;
    const shown = st.mode === "difference" ? names().slice(1).map((one) => `the difference, ${one}`) : names();
    if (lastNames !== shown.join("\n")) {
      lastNames = shown.join("\n");
      parts = shown.map(cvScope);
      node.replaceChildren(...parts.map((part) => part.node));
    }
    const canvases = stage.canvases();
    parts.forEach((part, one) => part.draw(canvases[one]));
  };
  return { node, draw, open: (is) => { node.hidden = !is; draw(); } };
}

// The caption of each frame: its name; its number if frame rates differ; its mean and largest difference.
function cvCaptions(st, names) {
  const rates = new Set(st.timeline.sides.map((side) => side.rate));
  if (st.mode !== "difference") {
    return names.map((one, place) => (rates.size > 1 && st.drawn[place] ? `${one} · ${st.drawn[place].number}` : one));
  }
  return names.slice(1).map((one, place) => {
    const frame = st.drawn[`${place + 1}-0`];
    return `${one} − ${names[0]}${frame?.mean === undefined ? "" : ` · mean ${frame.mean.toFixed(2)}, largest ${frame.most}`}`;
  });
}

function cvRender({ model, el: root }) {
  const id = `cv-${++cvViews}-${Math.random().toString(36).slice(2, 8)}`;
  const requests = cvRequests(model, id);
  const st = { timeline: model.get("timeline"), at: model.get("at"), mode: model.get("mode"), gain: model.get("gain"), direction: 1, drawn: {} };
  const names = () => st.timeline.shown.map((place) => model.get("sides")[place].name);
  const status = el("span", { class: "cv-status", role: "status" }), error = el("div", { class: "cv-error", role: "alert" });
  const say = (text) => cvText(status, text);
  const setTrait = (trait, value) => { if (model.get(trait) !== value) { model.set(trait, value); model.save_changes(); } };
  let saving = 0;

  // Parts --------------------------------------------------------------------------------------------------------
  const stage = cvStage({ onView: () => { showZoom(); loader.sharpen(); }, onPoint: (point) => loupe.point(point.x, point.y) });
  const loop = cvLoop({
    fetch: (keys, ats, width) => loader.fetch("prefetch", keys, ats, width),
    now: () => ({ ...st.timeline, keys: stage.keys(), at: st.at, wide: loader.wide(), mark: loader.mark() }),
    show: (when, bitmaps) => { stage.draw(bitmaps); st.at = when; root.dataset.at = when; showPosition(); },
    report: say,
    ended: () => { play.set(false); cvText(play.node, "▶"); save(); loader.load(); },
  });
  const loader = cvFrameLoader({ requests, stage, loop, st, onDraw: (when, isOld) => {
    root.dataset.at = when; // the frame that is drawn
    stage.name(cvCaptions(st, names()));
    if (!isOld) { scopes.draw(); loupe.stale(); }
  } });
  const loupe = cvLoupe({ fetch: async (box) => {
    const when = st.at;
    const frames = await loader.fetch("loupe", st.timeline.shown.map((_, one) => `${one}`), [when], 0, { box });
    return when === st.at && frames.length === st.timeline.shown.length ? frames.map((one) => one.blob) : null;
  } });
  const scopes = cvScopes({ st, stage, loop, names });
  const play = cvToggle("▶", "Play the loop", (is) => { cvText(play.node, is ? "■" : "▶"); return is ? loop.play() : loop.stop(); });
  const scope = cvToggle("Scopes", "Histogram and waveform", scopes.open);
  const magnify = cvToggle("Loupe", "Single pixels with their values", loupe.open);
  const scorePlot = cvScorePlot((to) => go(to));
  const scores = el("select", { class: "cv-select", "aria-label": "Score", onchange: () => loadScores() });
  const zoomText = el("span", { class: "cv-zoom-text" }), rangeText = el("span", { class: "cv-soft" });
  const facts = el("p", { class: "cv-soft cv-facts" }), note = el("p", { class: "cv-soft cv-note" });

  // Actions ------------------------------------------------------------------------------------------------------
  // A linked view follows at once; Python learns the position when it rests.
  const save = () => {
    clearTimeout(saving);
    if (model.get("at") === st.at) return;
    model.set("at", st.at);
    saving = setTimeout(() => model.save_changes(), 250);
  };
  const showPosition = () => { transport.show(); scorePlot.show(st.at); };
  const showZoom = () => cvText(zoomText, `${stage.view().percent} %`);
  const go = (to) => {
    const target = Math.min(st.timeline.count - 1, Math.max(0, Math.round(to)));
    loop.stop();
    st.direction = target >= st.at ? 1 : -1;
    st.at = target;
    showPosition();
    save();
    loader.load();
  };
  const setGain = (to) => { st.gain = to; setTrait("gain", to); modeBar.show(); loader.load(); };
  const setMode = (to) => {
    loop.stop();
    say("");
    st.mode = to;
    st.drawn = {};
    stage.build(to, names(), st.timeline.size);
    stage.name(cvCaptions(st, names()));
    modeBar.show();
    modeBar.enter();
    showZoom();
    setTrait("mode", to);
    loader.load();
  };
  const choose = (shown) => {
    loop.stop();
    clearTimeout(saving);
    stage.busy(true);
    cvText(error, "");
    model.set("at", st.at); // also send the position: Python may not know it yet
    model.set("shown", shown);
    model.save_changes();
  };
  const rangeShown = () => {
    const range = loop.range();
    scorePlot.loop(range);
    cvText(rangeText, range ? `loop ${range[0]}–${range[1]}` : "loop: the next 2 s");
  };
  const mark = (which) => { loop.mark(which, st.at); rangeShown(); loop.stop(); };
  const loadScores = async () => {
    const score = scores.value;
    if (!score) return scorePlot.fill({ curves: [], buffers: [] }, [], st.timeline.count);
    const answer = await requests.request("scores", { score });
    if (answer.curves && score === scores.value) scorePlot.fill(answer, names(), st.timeline.count);
  };
  const keep = async () => {
    say("Saving");
    const answer = await requests.request("keep", { at: st.at });
    say(answer.is_kept ? `Frame ${st.at} is kept below` : "");
  };
  const reset = () => {
    st.timeline = model.get("timeline");
    st.at = Math.min(st.timeline.count - 1, model.get("at"));
    loader.clear();
    loop.mark("none");
    page.setAttribute("aria-label", `Compare ${names().join(", ")}`);
    const texts = st.timeline.sides.map((side) => [side.about || `${side.size.join("×")} · ${side.rate} fps`, side.tone].filter(Boolean).join(" · "));
    const isAlike = new Set(texts).size === 1;
    cvText(facts, isAlike ? `All: ${texts[0]}` : texts.map((text, one) => `${names()[one]}: ${text}`).join("\n"));
    cvText(note, model.get("note"));
    const chosen = scores.value;
    scores.replaceChildren(...st.timeline.scores.map((one) => el("option", { value: one, text: one })));
    if (st.timeline.scores.includes(chosen)) scores.value = chosen;
    scoreBox.hidden = !st.timeline.scores.length;
    loupe.build(names(), st.timeline.sides, st.timeline.size);
    picks.show(model.get("sides"), st.timeline.shown);
    files.replaceChildren(...(st.timeline.files ? takeAway.rows(st.timeline.shown.map((place, one) => ({ item: String(place), name: names()[one] }))) : []));
    rangeShown();
    setMode(st.mode);
    showPosition();
    loadScores();
  };

  // Layout -------------------------------------------------------------------------------------------------------
  const takeAway = makeTakeAway(model), files = el("div", { class: "ta-rows", role: "group", "aria-label": "Play or save the videos" });
  const picks = cvPicks(choose);
  const modeBar = cvModeBar({ id: `${id}-mode`, st, stage, setMode, setGain, say });
  const transport = cvTransport({ st, go, refuse: (text) => cvText(error, text), play: play.node });
  const nextMode = () => setMode(CV_MODES[(CV_MODES.findIndex(([one]) => one === st.mode) + 1) % CV_MODES.length][0]);
  const onkeydown = cvKeys({ st, go, actions: {
    i: () => mark("in"), o: () => mark("out"), n: () => scorePlot.next(1), b: () => scorePlot.next(-1), f: () => stage.swap(), k: keep,
    m: nextMode, l: () => magnify.node.click(), h: () => scope.node.click(), " ": () => play.node.click(),
  } });
  const space = () => el("span", { class: "cv-space" });
  const scoreBox = el("section", { class: "cv-scores", "aria-label": "Scores" },
    el("div", { class: "cv-scores-head" }, el("h4", { text: "Score" }), scores), scorePlot.node);
  const page = el("div", { class: "cv", role: "group", "data-lm-suppress-shortcuts": "true", onkeydown },
    el("div", { class: "cv-top" }, el("h3", { text: "Compare" }), el("span", { class: "cv-soft", text: model.get("title") }), picks.node), facts,
    el("div", { class: "cv-bar" }, modeBar.modes, modeBar.flickers, modeBar.differences, space(),
      el("span", { class: "cv-group", role: "group", "aria-label": "Zoom" },
        cvButton("Fit", "Fit the whole frame", () => stage.zoom("fit")), cvButton("1:1", "One video pixel per screen pixel", () => stage.zoom("1:1")),
        cvButton("−", "Zoom out", () => stage.zoomBy(0.8)), cvButton("+", "Zoom in", () => stage.zoomBy(1.25)), zoomText),
      el("span", { class: "cv-group" }, magnify.node, scope.node)),
    stage.node, transport.node,
    el("div", { class: "cv-bar cv-under" },
      el("span", { class: "cv-group" }, cvButton("In", "Start the loop at this frame", () => mark("in")), cvButton("Out", "End the loop at this frame", () => mark("out")),
        cvButton("×", "Reset the loop to two seconds", () => mark("none"), { class: "cv-button cv-drop" }), rangeText),
      cvSelect("Speed", CV_SPEEDS, (to) => { loop.speed(Number(to)); if (loop.isOn()) loop.play(); }),
      status, space(), cvButton("Keep this frame", "Keep this frame in the notebook", keep, { class: "cv-button cv-keep" })),
    error, loupe.node, scopes.node, scoreBox, files, takeAway.node, note, cvKeyTable());
  root.append(page);

  const listeners = {
    "change:timeline": reset,
    "change:at": () => { if (model.get("at") !== st.at && !loop.isOn()) { st.at = Math.min(st.timeline.count - 1, model.get("at")); showPosition(); loader.load(); } },
    "change:mode": () => { if (model.get("mode") !== st.mode) setMode(model.get("mode")); },
    "change:gain": () => { if (model.get("gain") !== st.gain) setGain(model.get("gain")); },
    "change:error": () => { cvText(error, model.get("error")); stage.busy(false); if (model.get("error")) picks.show(model.get("sides"), st.timeline.shown); },
  };
  for (const [event, fn] of Object.entries(listeners)) model.on(event, fn);
  reset();
  cvText(error, model.get("error"));
  let width = loader.wide();
  const sized = new ResizeObserver(() => { if (loader.wide() > width) loader.load(); width = loader.wide(); }); // as when a tab opens
  sized.observe(page);
  return () => {
    [loop, loader, stage, requests, takeAway].forEach((part) => part.close());
    sized.disconnect();
    clearTimeout(saving);
    for (const [event, fn] of Object.entries(listeners)) model.off(event, fn);
  };
}

export default { render: mounted(cvRender) };
