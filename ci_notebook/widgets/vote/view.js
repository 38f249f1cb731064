// The vote: two frames, three answers. The page does not know the settings of the frames.

const VO_MODES = [["side", "Side by side"], ["flip", "Flip"], ["wipe", "Wipe"]];
const VO_ANSWERS = [["left", "← Left is better", "1"], ["same", "↓ No difference", "0"], ["right", "Right is better →", "2"]];
const VO_KEYS = { 1: "left", ArrowLeft: "left", 2: "right", ArrowRight: "right", 0: "same", ArrowDown: "same" };
let voViews = 0;

function voRender({ model, el: root }) {
  const name = `vo-${++voViews}-${Math.random().toString(36).slice(2, 8)}`;
  const cache = new Map(); // voter and number → both frames, of this question and the next
  let mode = "side", flipped = false, drawn = null, since = 0, sent = null, isClosed = false;
  const state = () => model.get("state");
  const mark = (number) => `${model.get("voter")}|${number}`;

  // Frames -----------------------------------------------------------------------------------------------------------
  const panes = [wipePane({ names: ["Left"], label: "Left frame" }), wipePane({ names: ["Right"], label: "Right frame" })];
  const pair = wipePane({ names: ["Left", "Right"], label: "Both frames" });
  const all = [...panes, pair];
  let isFollowing = false;
  for (const pane of all) {
    pane.on("view", ({ zoom, x, y }) => {
      if (isFollowing) return;
      isFollowing = true;
      for (const other of all) if (other !== pane) other.setView({ zoom, x, y });
      isFollowing = false;
    });
  }
  const stage = el("div", { class: "vo-stage" }, ...all.map((pane) => pane.root));
  const arrange = () => {
    stage.dataset.mode = mode;
    panes.forEach((pane) => { pane.root.hidden = mode !== "side"; });
    pair.root.hidden = mode === "side";
    pair.only(mode === "flip" ? Number(flipped) : null);
  };
  const flip = () => {
    flipped = mode === "flip" && !flipped;
    if (mode !== "flip") choose("flip");
    arrange();
    side.textContent = flipped ? "Right" : "Left";
  };

  const wide = () => Math.min(2048, Math.ceil(Math.max(root.clientWidth || 1280, 320) * (window.devicePixelRatio || 1) / 160) * 160);
  const request = (number) => {
    if (number === null || number >= state().total || cache.has(mark(number))) return;
    cache.set(mark(number), null);
    model.send({ do: "frames", number, width: wide(), view: name, voter: model.get("voter") });
  };
  const draw = async () => {
    const { number } = state(), current = mark(number), frames = cache.get(current);
    if (!frames || drawn === current) return;
    const bitmaps = await Promise.all(frames.map((blob) => createImageBitmap(blob)));
    if (isClosed || current !== mark(state().number)) return bitmaps.forEach((bitmap) => bitmap.close());
    const large = bitmaps.reduce((one, other) => (other.width > one.width ? other : one));
    flipped = false;
    for (const pane of all) {
      pane.setSize(large.width, large.height);
      pane.setZoom("fit");
    }
    await Promise.all([panes[0].show(0, bitmaps[0]), panes[1].show(0, bitmaps[1]), pair.show(0, bitmaps[0]), pair.show(1, bitmaps[1])]);
    bitmaps.forEach((bitmap) => bitmap.close());
    drawn = current;
    since = performance.now();
    root.dataset.number = number; // the question that is drawn
    arrange();
    all.forEach((pane) => pane.busy(false));
    for (const key of cache.keys()) if (key !== current && key !== mark(number + 1)) cache.delete(key);
    request(number + 1);
    showState();
  };

  // Answers --------------------------------------------------------------------------------------------------------
  const vote = (answer) => {
    const { number } = state(), current = mark(number);
    if (number === null || drawn !== current || sent === current) return; // no answer before the frames are drawn
    sent = current;
    all.forEach((pane) => pane.busy(true));
    model.send({ do: "vote", number, answer, took_s: (performance.now() - since) / 1000, voter: model.get("voter") });
    showState();
  };
  const takeBack = () => {
    if (!state().done || state().number === null) return;
    sent = null;
    model.send({ do: "take_back" });
  };

  // Controls -------------------------------------------------------------------------------------------------------
  const buttons = VO_ANSWERS.map(([answer, text, key]) => el("button", {
    type: "button", class: `vo-answer vo-${answer}`, text, "aria-keyshortcuts": key, onclick: () => vote(answer),
  }));
  const undo = el("button", { type: "button", class: "ci-quiet vo-back", text: "Undo the last answer", onclick: takeBack });
  const side = el("span", { class: "vo-side", role: "status" });
  const count = el("span", { class: "vo-count" });
  const bar = el("progress", { max: "1", "aria-label": "Questions answered" });
  const error = el("p", { class: "ci-error", role: "alert" });
  const over = el("p", { class: "vo-over", role: "status" });
  const voter = el("input", {
    type: "text", class: "ci-text vo-voter", id: `${name}-voter`, autocomplete: "off", spellcheck: "false",
    onchange: () => {
      model.set("voter", voter.value);
      model.save_changes();
    },
  });
  const radios = VO_MODES.map(([value, text]) => [
    el("input", { type: "radio", name: `${name}-mode`, id: `${name}-${value}`, value, onchange: () => choose(value) }),
    el("label", { for: `${name}-${value}`, text }),
  ]);
  const choose = (value) => {
    mode = value;
    flipped = false;
    for (const [radio] of radios) radio.checked = radio.value === value;
    arrange();
  };
  const work = el("div", { class: "vo-work" },
    el("fieldset", { class: "vo-modes" }, el("legend", { class: "vo-legend", text: "Show both frames" }), ...radios.flat()),
    stage, el("div", { class: "vo-answers" }, ...buttons),
    el("div", { class: "vo-foot" }, undo, side),
    el("p", { class: "ci-help", text: "Keys: 1 or ← left, 2 or → right, 0 or ↓ no difference, space to flip, Backspace to undo, + and − to zoom." }));
  const view = el("div", { class: "ci-root vo", role: "group", "aria-label": "Blind comparison" },
    el("div", { class: "ci-top" }, el("h3", { text: "Which picture is better?" }), count),
    el("div", { class: "vo-line" }, bar, el("label", { class: "vo-who", for: `${name}-voter`, text: "Your name" }), voter),
    error, work, over);

  const showState = () => {
    const { number, done, total } = state(), isOver = number === null;
    count.textContent = isOver ? `All ${total} answered` : `Question ${done + 1} of ${total}`;
    bar.value = total ? done / total : 0;
    if (document.activeElement !== voter) voter.value = model.get("voter");
    error.textContent = model.get("error");
    work.hidden = isOver;
    over.hidden = !isOver;
    over.textContent = isOver ? "Thank you, that was the last question. The ranking is below." : "";
    const isWaiting = drawn !== mark(number) || sent === mark(number);
    buttons.forEach((button) => { button.setAttribute("aria-disabled", String(isWaiting)); });
    undo.disabled = !done;
    if (!isOver) request(number);
  };
  const onKey = (event) => {
    const isText = event.target.matches("input[type=text]");
    const isArrow = event.key.startsWith("Arrow");
    // A divider, the choice of view, and a zoomed frame use the arrow keys themselves.
    const isUsed = isArrow && (event.target.matches("[role=slider], input[type=radio]")
      || (event.target.matches(".wp-pane") && pair.view().zoom > 1.001));
    if (isText || isUsed || event.ctrlKey || event.metaKey || event.altKey || state().number === null) return;
    const isPress = event.target.matches("button, input") && event.key === " ";
    if (VO_KEYS[event.key]) { if (!event.repeat) vote(VO_KEYS[event.key]); }
    else if (event.key === " " && !isPress) { if (!event.repeat) flip(); }
    else if (event.key === "Backspace") { if (!event.repeat) takeBack(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  view.addEventListener("keydown", onKey, true);
  view.addEventListener("keydown", (event) => event.stopPropagation()); // otherwise JupyterLab handles the keys
  view.tabIndex = -1;

  const onMessage = (content, buffers) => {
    if (content.do !== "frames" || content.view !== name || content.voter !== model.get("voter")) return;
    cache.set(mark(content.number), buffers.map((buffer) => new Blob([buffer], { type: "image/jpeg" })));
    draw();
  };
  const onState = () => {
    if (sent !== mark(state().number)) sent = null;
    showState();
    draw();
  };
  const onVoter = () => {
    cache.clear();
    drawn = sent = null;
    showState();
  };
  model.on("msg:custom", onMessage);
  model.on("change:state", onState);
  model.on("change:voter", onVoter);
  model.on("change:error", showState);
  root.append(view);
  choose("side");
  showState();
  // In a narrow page, two frames side by side are too small to compare. A view in a hidden tab has no width yet.
  const sized = new ResizeObserver(() => {
    if (!view.clientWidth) return;
    sized.disconnect();
    if (view.clientWidth < 560 && mode === "side") choose("flip");
  });
  sized.observe(view);
  return () => {
    isClosed = true;
    sized.disconnect();
    all.forEach((pane) => pane.close());
    model.off("msg:custom", onMessage);
    model.off("change:state", onState);
    model.off("change:voter", onVoter);
    model.off("change:error", showState);
  };
}

export default { render: mounted(voRender) };
