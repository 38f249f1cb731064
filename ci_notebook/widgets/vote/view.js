// The view: two pictures, three answers. Nothing here knows what the pictures are of.

const VO_MODES = [["side", "Side by side"], ["flip", "Flip"], ["wipe", "Wipe"]];
const VO_ANSWERS = [["left", "← Left is better", "1"], ["same", "↓ No difference", "0"], ["right", "Right is better →", "2"]];
const VO_KEYS = { 1: "left", ArrowLeft: "left", 2: "right", ArrowRight: "right", 0: "same", ArrowDown: "same" };
let voViews = 0;

function voRender({ model, el: root }) {
  const name = `vo-${++voViews}-${Math.random().toString(36).slice(2, 8)}`;
  const kept = new Map(); // voter and number → both pictures, of this question and the next
  let mode = "side", flipped = false, drawn = null, since = 0, sent = null, isGone = false;
  const state = () => model.get("state");
  const mark = (number) => `${model.get("voter")}|${number}`;

  // What is shown --------------------------------------------------------------------------------------------------
  const panes = [wipePane({ names: ["Left"], label: "Left picture" }), wipePane({ names: ["Right"], label: "Right picture" })];
  const pair = wipePane({ names: ["Left", "Right"], label: "Both pictures" });
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
    said.textContent = flipped ? "Right" : "Left";
  };

  const wide = () => Math.min(2048, Math.ceil(Math.max(root.clientWidth || 1280, 320) * (window.devicePixelRatio || 1) / 160) * 160);
  const ask = (number) => {
    if (number === null || number >= state().total || kept.has(mark(number))) return;
    kept.set(mark(number), null);
    model.send({ do: "look", number, width: wide(), view: name, voter: model.get("voter") });
  };
  const draw = async () => {
    const { number } = state(), asked = mark(number), pictures = kept.get(asked);
    if (!pictures || drawn === asked) return;
    const bitmaps = await Promise.all(pictures.map((blob) => createImageBitmap(blob)));
    if (isGone || asked !== mark(state().number)) return bitmaps.forEach((bitmap) => bitmap.close());
    const large = bitmaps.reduce((one, other) => (other.width > one.width ? other : one));
    flipped = false;
    for (const pane of all) {
      pane.setSize(large.width, large.height);
      pane.setZoom("fit");
    }
    await Promise.all([panes[0].show(0, bitmaps[0]), panes[1].show(0, bitmaps[1]), pair.show(0, bitmaps[0]), pair.show(1, bitmaps[1])]);
    bitmaps.forEach((bitmap) => bitmap.close());
    drawn = asked;
    since = performance.now();
    root.dataset.number = number; // what is drawn now
    arrange();
    all.forEach((pane) => pane.busy(false));
    for (const key of kept.keys()) if (key !== asked && key !== mark(number + 1)) kept.delete(key);
    ask(number + 1);
    follow();
  };

  // What is answered -----------------------------------------------------------------------------------------------
  const vote = (answer) => {
    const { number } = state(), asked = mark(number);
    if (number === null || drawn !== asked || sent === asked) return; // nobody answers what is not seen yet
    sent = asked;
    all.forEach((pane) => pane.busy(true));
    model.send({ do: "vote", number, answer, took_s: (performance.now() - since) / 1000, voter: model.get("voter") });
    follow();
  };
  const back = () => {
    if (!state().done || state().number === null) return;
    sent = null;
    model.send({ do: "back" });
  };

  // Around it ------------------------------------------------------------------------------------------------------
  const buttons = VO_ANSWERS.map(([answer, text, key]) => el("button", {
    type: "button", class: `vo-answer vo-${answer}`, text, "aria-keyshortcuts": key, onclick: () => vote(answer),
  }));
  const undo = el("button", { type: "button", class: "ci-quiet vo-back", text: "Take the last answer back", onclick: back });
  const said = el("span", { class: "vo-said", role: "status" });
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
    el("fieldset", { class: "vo-modes" }, el("legend", { class: "vo-legend", text: "How both are shown" }), ...radios.flat()),
    stage, el("div", { class: "vo-answers" }, ...buttons),
    el("div", { class: "vo-foot" }, undo, said),
    el("p", { class: "ci-help", text: "Keys: 1 or ← left, 2 or → right, 0 or ↓ no difference, space to flip, Backspace to take back, + and − to zoom." }));
  const view = el("div", { class: "ci-root vo", role: "group", "aria-label": "Blind comparison" },
    el("div", { class: "ci-top" }, el("h3", { text: "Which picture is better?" }), count),
    el("div", { class: "vo-line" }, bar, el("label", { class: "vo-who", for: `${name}-voter`, text: "Your name" }), voter),
    error, work, over);

  const follow = () => {
    const { number, done, total } = state(), isOver = number === null;
    count.textContent = isOver ? `All ${total} answered` : `Question ${done + 1} of ${total}`;
    bar.value = total ? done / total : 0;
    if (document.activeElement !== voter) voter.value = model.get("voter");
    error.textContent = model.get("error");
    work.hidden = isOver;
    over.hidden = !isOver;
    over.textContent = isOver ? "That was the last one, thank you. What came of it stands below." : "";
    const isWaiting = drawn !== mark(number) || sent === mark(number);
    buttons.forEach((button) => { button.setAttribute("aria-disabled", String(isWaiting)); });
    undo.disabled = !done;
    if (!isOver) ask(number);
  };
  const onKey = (event) => {
    const isText = event.target.matches("input[type=text]");
    const isArrow = event.key.startsWith("Arrow");
    // A divider, a choice of view, and a picture that is zoomed in have uses of their own for arrows.
    const isTaken = isArrow && (event.target.matches("[role=slider], input[type=radio]")
      || (event.target.matches(".wp-pane") && pair.view().zoom > 1.001));
    if (isText || isTaken || event.ctrlKey || event.metaKey || event.altKey || state().number === null) return;
    const isPress = event.target.matches("button, input") && event.key === " ";
    if (VO_KEYS[event.key]) { if (!event.repeat) vote(VO_KEYS[event.key]); }
    else if (event.key === " " && !isPress) { if (!event.repeat) flip(); }
    else if (event.key === "Backspace") { if (!event.repeat) back(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  view.addEventListener("keydown", onKey, true);
  view.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab has uses for keys, too
  view.tabIndex = -1;

  const onMessage = (content, buffers) => {
    if (content.do !== "look" || content.view !== name || content.voter !== model.get("voter")) return;
    kept.set(mark(content.number), buffers.map((buffer) => new Blob([buffer], { type: "image/jpeg" })));
    draw();
  };
  const onState = () => {
    if (sent !== mark(state().number)) sent = null;
    follow();
    draw();
  };
  const onVoter = () => {
    kept.clear();
    drawn = sent = null;
    follow();
  };
  model.on("msg:custom", onMessage);
  model.on("change:state", onState);
  model.on("change:voter", onVoter);
  model.on("change:error", follow);
  root.append(view);
  choose("side");
  follow();
  // Beside each other both would be too small to tell apart.
  requestAnimationFrame(() => { if (view.clientWidth && view.clientWidth < 560) choose("flip"); });
  return () => {
    isGone = true;
    all.forEach((pane) => pane.close());
    model.off("msg:custom", onMessage);
    model.off("change:state", onState);
    model.off("change:voter", onVoter);
    model.off("change:error", follow);
  };
}

export default { render: voRender };
