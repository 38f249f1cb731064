// The panel as a whole: what a hand changes goes to Python, what Python says is shown.

function makeSubmit(press) {
  const button = el("button", { type: "button", class: "ci-submit", text: "Submit", onclick: (event) => event.detail < 2 && !isHeld() && press() });
  // Not `disabled`: then the button that was just pressed would lose the keys.
  const isHeld = () => button.getAttribute("aria-disabled") === "true", setHeld = (is) => button.setAttribute("aria-disabled", String(is));
  const bar = el("progress", { max: "100", "aria-label": "Progress of the job", hidden: true });
  const text = el("span", { class: "ci-status", role: "status", "aria-live": "polite" });
  const error = el("div", { class: "ci-error", role: "alert" });
  return {
    node: el("div", { class: "ci-foot" }, el("div", { class: "ci-foot-line" }, button, bar, text), error),
    hold() {
      setHeld(true);
      text.textContent = "Waiting for the kernel";
      error.textContent = "";
    },
    show(status) {
      setHeld(status.busy);
      bar.hidden = !status.busy;
      if (status.percent === null || status.percent === undefined) bar.removeAttribute("value");
      else bar.value = status.percent;
      if (text.textContent !== status.text) text.textContent = status.text;
      if (error.textContent !== status.error) error.textContent = status.error;
      text.dataset.state = status.state ?? "";
    },
  };
}

let views = 0;

function render({ model, el: root }) {
  const name = `ci-${++views}-${Math.random().toString(36).slice(2, 8)}`;
  let made = 0, timer = 0, press = crypto.randomUUID?.() ?? `${name}-${Date.now()}`;
  // What is shown is what Python said last, and over it what a hand did that Python has not heard of. To Python
  // goes what was done, never all that is held: so a second step in haste does not bring back what the first took.
  let values = {}, on = [], unheard = [], fresh = null, sent = 0;
  const lay = () => {
    const heard = model.get("heard")[name] ?? 0;
    unheard = unheard.filter((edit) => edit.number > heard);
    values = { ...model.get("values") };
    on = [...model.get("on")];
    for (const edit of fresh ? [...unheard, fresh] : unheard) {
      Object.assign(values, edit.values);
      on = [...on.filter((path) => !(path in edit.on)), ...Object.keys(edit.on).filter((path) => edit.on[path])];
    }
  };
  const flush = () => { if (fresh) view.act("edit"); };
  const changed = (edits, now) => {
    fresh ??= { number: ++sent, values: {}, on: {} };
    Object.assign(fresh.values, edits.values);
    Object.assign(fresh.on, edits.on);
    lay();
    clearTimeout(timer);
    timer = setTimeout(flush, PAUSE_MS);
    if (now) flush();
  };
  const view = {
    id: () => `${name}-${++made}`,
    on: () => on,
    edit(path, text, now) {
      if ((values[path] ?? null) !== text) changed({ values: { [path]: text } }, now);
      else if (now) flush();
      show();
    },
    toggle(group, there, now = true) {
      const given = Object.entries(there ? group.values : {}).filter(([path]) => (values[path] ?? null) === null);
      const switched = there ? [group.path, ...group.on].map((path) => [path, true]) : [[group.path, false]];
      changed({ values: Object.fromEntries(given), on: Object.fromEntries(switched) }, now);
      show();
    },
    // A choice that switches nodes: the one it names on, the others off.
    choose(switches, text) {
      const find = (groups, path) => groups.map((one) => (one.path === path ? one : find(one.groups, path))).find(Boolean);
      for (const [choice, path] of Object.entries(switches)) {
        const number = path.match(/\.(\d+)\./)?.[1];
        const group = find(model.get("schema").map((one) => (one.most && number ? numbered(one, number) : one)), path);
        if (group && on.includes(path) !== (choice === text)) view.toggle(group, choice === text, false);
      }
      flush();
    },
    // What Python does, after the edits that it has not been told of.
    act(what, more = {}) {
      clearTimeout(timer);
      model.send({ do: what, ...more, edit: fresh, view: name });
      if (fresh) unheard.push(fresh);
      fresh = null;
    },
  };
  const stages = model.get("schema").map((stage) => (stage.most ? makeList : makeGroup)(stage, 0, view));
  const codes = [makeCode("Python", model, "python"), makeCode("XML", model, "xml")];
  const submit = makeSubmit(() => {
    submit.hold();
    view.act("submit", { press });
  });
  const elsewhere = el("div", { class: "ci-error", role: "alert" });
  const lead = el("button", { type: "button", class: "ci-tool", text: "Show", "aria-label": "Show what is refused", onclick: () => {
    const row = Object.keys(model.get("problems")).map(placed).find(Boolean);
    for (let fold = row; fold; fold = fold.parentElement.closest("details")) if (fold.tagName === "DETAILS") fold.open = true;
    row?.scrollIntoView({ block: "center" });
    row?.querySelector("input, select, button")?.focus({ preventScroll: true });
  } });
  const why = el("span", { role: "status" }), stale = el("div", { class: "ci-stale" }, why, lead);
  const told = el("div", { class: "ci-told" }, el("span", { role: "status" }), el("span", { class: "ci-error", role: "alert" }));
  const start = makeStart(model, view, () => shut(0));
  const paste = makePaste(view), changes = makeChanges(model, view), price = makePrice(model), copies = makeCopies(model, view);
  const drawers = makeDrawers([
    { name: "Start from", content: start.node, opened: start.opened },
    { name: "Paste", content: paste.node, opened: paste.opened },
    { name: "Changes", content: changes.node },
  ], view);
  const shut = (number) => { drawers.close(); drawers.buttons[number].focus(); };
  const step = (what, text, keys) => el("button", { type: "button", class: "ci-tool", text, title: keys, "aria-label": capital(what), onclick: () => view.act(what) });
  const undo = step("undo", "↶", "Undo, Ctrl+Z"), redo = step("redo", "↷", "Redo, Ctrl+Shift+Z");
  drawers.bar.prepend(undo, redo);
  // The preview pane, where it is there: at the right in a wide layout, above the stages in a narrow one.
  const sight = makeSight(model, view);

  // Who pressed a button that is gone now keeps the keys of the panel.
  const keepFocus = (draw) => {
    const focused = panel.getRootNode().activeElement, was = focused && focused !== panel && panel.contains(focused);
    draw();
    if (was && (!panel.contains(focused) || focused.disabled || !focused.checkVisibility())) panel.focus({ preventScroll: true });
  };
  const placed = (path) => panel.querySelector(`[data-path="${CSS.escape(path)}"]`);
  const show = () => keepFocus(() => {
    const state = { values, on, problems: model.get("problems"), advice: model.get("advice"), remedies: model.get("remedies") };
    stages.forEach((stage) => stage.show(state));
    codes.forEach((code) => code.show());
    changes.show();
    sight?.show(state);
    const can = model.get("can"), count = model.get("changes").length;
    undo.disabled = !can.undo;
    redo.disabled = !can.redo;
    setText(drawers.buttons[2], count ? `Changes (${count})` : "Changes");
    const paths = Object.keys(state.problems);
    setText(elsewhere, paths.filter((path) => !placed(path)).map((path) => state.problems[path]).join("\n"));
    stale.hidden = !paths.length;
    lead.hidden = !paths.some(placed);
    setText(why, paths.length ? `${paths.length} refused or missing; Python, XML and price show what was whole last.` : "");
  });
  // One message of Python changes many traits; it is drawn once.
  let isDue = false;
  const later = () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => { isDue = false; take(); });
  };
  const take = () => {
    lay();
    show();
  };
  const follow = () => {
    const status = model.get("status");
    if (!status.busy) press = crypto.randomUUID?.() ?? `${name}-${Date.now()}`;
    submit.show(status);
  };
  const answer = () => {
    const { text = "", error = "" } = model.get("told");
    const [good, bad] = told.children;
    setText(good, text);
    setText(bad, error);
    start.told(error);
    if (text.startsWith("Taken")) {
      paste.took();
      shut(1);
    }
  };
  const keys = (event) => {
    event.stopPropagation(); // JupyterLab would take arrows and letters for its own
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.target.tagName === "TEXTAREA" || (key !== "z" && key !== "y")) return;
    event.preventDefault();
    view.act(key === "y" || event.shiftKey ? "redo" : "undo");
  };
  const receive = (message) => { if (message.do === "copied" && message.view === name) copies.take(message); };

  const panel = el(
    "div", { class: "ci-root ci-panel", role: "group", "aria-label": `Enhance ${model.get("title")}`, "data-lm-suppress-shortcuts": "true", tabindex: "-1", onkeydown: keys },
    el("div", { class: "ci-top" }, el("h3", { text: "Enhance" }), el("span", { class: "ci-clip", text: model.get("title") }), told, drawers.bar),
    drawers.below,
    el("div", { class: "ci-columns" },
      el("div", { class: "ci-stages" }, ...stages.map((stage) => stage.node)),
      el("div", { class: "ci-side" }, el("div", { class: "ci-sight-slot" }, sight?.node),
        el("div", { class: "ci-ends" }, submit.node, price.node, elsewhere, stale, ...codes.map((code) => code.node), copies.node))),
  );
  root.append(panel);
  take();
  follow();
  answer();
  start.show();
  price.show();
  const follows = [
    ...["values", "on", "heard", "problems", "advice", "remedies", "changes", "can", "python", "xml"].map((trait) => [`change:${trait}`, later]),
    ["change:status", follow], ["change:told", answer], ["change:templates", start.show], ["change:price", price.show], ["msg:custom", receive],
  ];
  follows.forEach(([event, action]) => model.on(event, action));
  return () => {
    flush();
    sight?.end();
    follows.forEach(([event, action]) => model.off(event, action));
  };
}

export default { render };
