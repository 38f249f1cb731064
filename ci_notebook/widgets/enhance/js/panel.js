// The whole panel: sends the edits of the user to Python, and shows the traits that Python sets.

// Offered while the controls hold exactly the setting of a stored template: the request then holds its id.
function makeByTemplate(model, view) {
  const box = el("input", { type: "checkbox", onchange: () => view.act("by_template", { on: box.checked }) });
  const text = el("span"), node = el("label", { class: "ci-line ci-by-template", hidden: true }, box, text);
  return {
    node,
    show() {
      const { id, name, on } = model.get("template");
      node.hidden = !id;
      box.checked = Boolean(on);
      setText(text, id ? `Submit by TemplateId: ${name} (${id})` : "");
    },
  };
}

function makeSubmit(press) {
  const button = el("button", { type: "button", class: "ci-submit", text: "Submit", onclick: (event) => event.detail < 2 && !isHeld() && press() });
  // Not `disabled`, because then the button that was just clicked would lose the focus.
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
  let ids = 0, timer = 0, press = crypto.randomUUID?.() ?? `${name}-${Date.now()}`;
  // The panel shows the state of Python, and over it the edits that Python has not acknowledged yet. Only edits are
  // sent, never the whole state: so an edit cannot restore what an earlier action has removed.
  let values = {}, active = [], unacknowledged = [], unsent = null, sent = 0;
  const applyEdits = () => {
    const acknowledged = model.get("acknowledged_edits")[name] ?? 0;
    unacknowledged = unacknowledged.filter((edit) => edit.number > acknowledged);
    values = { ...model.get("values") };
    active = [...model.get("active_nodes")];
    for (const { values: texts, nodes } of unsent ? [...unacknowledged, unsent] : unacknowledged) {
      Object.assign(values, texts);
      active = [...active.filter((path) => !(path in nodes)), ...Object.keys(nodes).filter((path) => nodes[path])];
    }
  };
  const flush = () => { if (unsent) view.act("edit"); };
  const addEdit = (edit, now) => {
    unsent ??= { number: ++sent, values: {}, nodes: {} };
    Object.assign(unsent.values, edit.values);
    Object.assign(unsent.nodes, edit.nodes);
    applyEdits();
    clearTimeout(timer);
    timer = setTimeout(flush, DEBOUNCE_MS);
    if (now) flush();
  };
  const view = {
    id: () => `${name}-${++ids}`,
    active: () => active,
    edit(path, text, now) {
      if ((values[path] ?? null) !== text) addEdit({ values: { [path]: text } }, now);
      else if (now) flush();
      show();
    },
    toggle(group, isOn, now = true) {
      const defaults = Object.entries(isOn ? group.values : {}).filter(([path]) => (values[path] ?? null) === null);
      const nodes = isOn ? [group.path, ...group.active].map((path) => [path, true]) : [[group.path, false]];
      addEdit({ values: Object.fromEntries(defaults), nodes: Object.fromEntries(nodes) }, now);
      show();
    },
    // A choice that switches nodes: the chosen one on, the others off.
    choose(switches, text) {
      const find = (groups, path) => groups.map((one) => (one.path === path ? one : find(one.groups, path))).find(Boolean);
      for (const [choice, path] of Object.entries(switches)) {
        const number = path.match(/\.(\d+)\./)?.[1];
        const group = find(model.get("schema").map((one) => (one.most && number ? numbered(one, number) : one)), path);
        if (group && active.includes(path) !== (choice === text)) view.toggle(group, choice === text, false);
      }
      flush();
    },
    // Run an action in Python, after the edits that were not sent yet.
    act(what, more = {}) {
      clearTimeout(timer);
      model.send({ do: what, ...more, edit: unsent, view: name });
      if (unsent) unacknowledged.push(unsent);
      unsent = null;
    },
  };
  const stages = model.get("schema").map((stage) => (stage.most ? makeList : makeGroup)(stage, 0, view));
  const codes = [makeCode("Python", model, "python"), makeCode("XML", model, "xml")];
  const submit = makeSubmit(() => {
    submit.hold();
    view.act("submit", { press });
  });
  const takeAway = makeTakeAway(model), results = el("div", { class: "ta-rows", role: "group", "aria-label": "Results" });
  const showResults = () => results.replaceChildren(...takeAway.rows(model.get("result_files")));
  const byTemplate = makeByTemplate(model, view);
  const elsewhere = el("div", { class: "ci-error", role: "alert" });
  const showProblem = el("button", { type: "button", class: "ci-tool", text: "Show", "aria-label": "Show the first problem", onclick: () => {
    const row = Object.keys(model.get("problems")).map(placed).find(Boolean);
    for (let fold = row; fold; fold = fold.parentElement.closest("details")) if (fold.tagName === "DETAILS") fold.open = true;
    row?.scrollIntoView({ block: "center" });
    row?.querySelector("input, select, button")?.focus({ preventScroll: true });
  } });
  const reason = el("span", { role: "status" }), stale = el("div", { class: "ci-stale" }, reason, showProblem);
  const message = el("div", { class: "ci-message" }, el("span", { role: "status" }), el("span", { class: "ci-error", role: "alert" }));
  const start = makeStart(model, view, () => closeDrawer(0));
  const paste = makePaste(view), changes = makeChanges(model, view), price = makePrice(model), jobChanges = makeJobChanges(model), copies = makeCopies(model, view);
  const drawers = makeDrawers([
    { name: "Start from", content: start.node, opened: start.opened },
    { name: "Paste", content: paste.node, opened: paste.opened },
    { name: "Changes", content: changes.node },
  ], view);
  const closeDrawer = (number) => { drawers.close(); drawers.buttons[number].focus(); };
  const step = (what, text, keys) => el("button", { type: "button", class: "ci-tool", text, title: keys, "aria-label": capital(what), onclick: () => view.act(what) });
  const undo = step("undo", "↶", "Undo, Ctrl+Z"), redo = step("redo", "↷", "Redo, Ctrl+Shift+Z");
  drawers.bar.prepend(undo, redo);
  // The preview pane, if the lab offers one: on the right in a wide layout, above the stages in a narrow one.
  const preview = makePreview(model, view);

  // If the focused button disappears, the panel gets the focus, so that its keys still work.
  const keepFocus = (draw) => {
    const focused = panel.getRootNode().activeElement, was = focused && focused !== panel && panel.contains(focused);
    draw();
    if (was && (!panel.contains(focused) || focused.disabled || !focused.checkVisibility())) panel.focus({ preventScroll: true });
  };
  const placed = (path) => panel.querySelector(`[data-path="${CSS.escape(path)}"]`);
  const show = () => keepFocus(() => {
    const state = { values, active, problems: model.get("problems"), advice: model.get("advice"), remedies: model.get("remedies") };
    stages.forEach((stage) => stage.show(state));
    codes.forEach((code) => code.show());
    changes.show();
    byTemplate.show();
    preview?.show(state);
    const history = model.get("history"), count = model.get("changes").length;
    undo.disabled = !history.undo;
    redo.disabled = !history.redo;
    setText(drawers.buttons[2], count ? `Changes (${count})` : "Changes");
    const paths = Object.keys(state.problems);
    setText(elsewhere, paths.filter((path) => !placed(path)).map((path) => state.problems[path]).join("\n"));
    stale.hidden = !paths.length;
    showProblem.hidden = !paths.some(placed);
    setText(reason, paths.length ? `${paths.length} ${paths.length === 1 ? "problem" : "problems"}. Python, XML and price show the last valid setting.` : "");
  });
  // One message of Python changes many traits; the panel is drawn once.
  let isScheduled = false;
  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(() => { isScheduled = false; update(); });
  };
  const update = () => {
    applyEdits();
    show();
  };
  const showStatus = () => {
    const status = model.get("status");
    if (!status.busy) press = crypto.randomUUID?.() ?? `${name}-${Date.now()}`;
    submit.show(status);
  };
  const showMessage = () => {
    const { text = "", error = "", action = "" } = model.get("message");
    const [textNode, errorNode] = message.children;
    setText(textNode, text);
    setText(errorNode, error);
    start.showError(error);
    if (action === "paste") {
      paste.clear();
      closeDrawer(1);
    }
  };
  const keys = (event) => {
    event.stopPropagation(); // otherwise JupyterLab handles arrow keys and letters
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.target.tagName === "TEXTAREA" || (key !== "z" && key !== "y")) return;
    event.preventDefault();
    view.act(key === "y" || event.shiftKey ? "redo" : "undo");
  };
  const receive = (content) => { if (content.do === "copied" && content.view === name) copies.write(content); };

  const clipLine = el("p", { class: "ci-clip-line" }), showClipLine = () => setText(clipLine, model.get("clip_line"));
  const panel = el(
    "div", { class: "ci-root ci-panel", role: "group", "aria-label": `Enhance ${model.get("title")}`, "data-lm-suppress-shortcuts": "true", tabindex: "-1", onkeydown: keys },
    el("div", { class: "ci-top" }, el("h3", { text: "Enhance" }), el("span", { class: "ci-clip", text: model.get("title") }), message, drawers.bar),
    clipLine, drawers.below,
    el("div", { class: "ci-columns" },
      el("div", { class: "ci-stages" }, ...stages.map((stage) => stage.node)),
      el("div", { class: "ci-side" }, el("div", { class: "ci-preview-slot" }, preview?.node),
        el("div", { class: "ci-ends" }, submit.node, byTemplate.node, jobChanges.node, results, takeAway.node, price.node, elsewhere, stale, ...codes.map((code) => code.node), copies.node))),
  );
  root.append(panel);
  update();
  showStatus();
  showMessage();
  start.show();
  price.show();
  jobChanges.show();
  showClipLine();
  showResults();
  const traits = ["values", "active_nodes", "acknowledged_edits", "problems", "advice", "remedies", "changes", "history", "python", "xml", "template"];
  const listeners = [
    ...traits.map((trait) => [`change:${trait}`, schedule]), ["change:status", showStatus], ["change:clip_line", showClipLine], ["change:message", showMessage], ["change:templates", start.show], ["change:price", price.show], ["change:job_changes", jobChanges.show], ["change:result_files", showResults], ["msg:custom", receive],
  ];
  listeners.forEach(([event, action]) => model.on(event, action));
  return () => {
    flush();
    preview?.close();
    takeAway.close();
    listeners.forEach(([event, action]) => model.off(event, action));
  };
}

export default { render: mounted(render) };
