
// A group of leaves below one switch: a stage is a card, a node within it an indented part.
function makeGroup(group, depth, view) {
  const id = view.id();
  const body = el("div", { class: "ci-body", id: `${id}-b` });
  const error = el("div", { id: `${id}-e`, class: "ci-error", role: "alert" });
  const box = el("input", {
    id, type: "checkbox", role: "switch", class: "ci-switch", "aria-describedby": `${id}-h ${id}-e`,
    onchange: () => view.toggle(group, box.checked),
  });
  const head = el(
    "div", { class: "ci-head" }, box,
    el("label", { for: id, class: "ci-title" }, el("span", { text: group.title }), el("code", {}, ...tagText(group.tag))),
  );
  const help = el("div", { id: `${id}-h`, class: "ci-help", text: group.help });
  const rows = group.leaves.map((leaf) => ({ leaf, row: makeRow(leaf, view.id(), view.edit) }));
  const inner = group.groups.map((one) => ({ group: one, part: makeGroup(one, depth + 1, view) }));
  // Essentials first, the rest folded; where nothing is essential, nothing is folded.
  const first = (one) => one.common || !group.common;
  const fold = makeFold([
    ...rows.filter(({ leaf }) => !first(leaf)).map(({ leaf, row }) => [leaf.path, row.node]),
    ...inner.filter((one) => !first(one.group)).map((one) => [one.group.path, one.part.node]),
  ]);
  body.append(
    help,
    ...rows.filter(({ leaf }) => first(leaf)).map(({ row }) => row.node),
    ...inner.filter((one) => first(one.group)).map((one) => one.part.node),
    ...(fold ? [fold.node] : []),
    ...group.repeated.map((tag) => el("p", { class: "ci-help", text: `${tag} is repeated: it is set from Python, and kept here.` })),
  );
  const node = el(depth ? "div" : "section", { class: depth ? "ci-group" : "ci-stage", "data-path": group.path }, head, error, body);
  return {
    node,
    show(values, on, problems) {
      const there = on.includes(group.path);
      box.checked = there;
      body.hidden = !there;
      node.classList.toggle("ci-off", !there);
      if (error.textContent !== (problems[group.path] ?? "")) error.textContent = problems[group.path] ?? "";
      for (const { leaf, row } of rows) {
        row.show(values[leaf.path]);
        row.mark(there ? problems[leaf.path] : "");
      }
      inner.forEach((one) => one.part.show(values, on, problems));
      fold?.show(values, on, problems);
    },
  };
}

// What is seldom wanted, folded; it says how much of it is set, and opens where something is wrong.
function makeFold(entries) {
  if (!entries.length) return null;
  const count = el("span", { class: "ci-count" });
  const node = el(
    "details", { class: "ci-fold" },
    el("summary", {}, el("span", { text: `More (${entries.length})` }), count), ...entries.map(([, one]) => one),
  );
  const below = (paths) => paths.filter((path) => entries.some(([own]) => path === own || path.startsWith(`${own}.`)));
  return {
    node,
    show(values, on, problems) {
      const set = below([...Object.keys(values).filter((path) => values[path] !== null), ...on]).length;
      count.textContent = set ? ` · ${set} set` : "";
      if (below(Object.keys(problems)).length) node.open = true;
    },
  };
}

function makeSubmit(press) {
  const button = el("button", { type: "button", class: "ci-submit", text: "Submit", onclick: (event) => event.detail < 2 && press() });
  const bar = el("progress", { max: "100", "aria-label": "Progress of the job", hidden: true });
  const text = el("span", { class: "ci-status", role: "status", "aria-live": "polite" });
  const error = el("div", { class: "ci-error", role: "alert" });
  return {
    node: el("div", { class: "ci-foot" }, el("div", { class: "ci-foot-line" }, button, bar, text), error),
    hold() {
      button.disabled = true;
      text.textContent = "Waiting for the kernel";
      error.textContent = "";
    },
    show(status) {
      button.disabled = status.busy;
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
  // What a hand has changed and Python has not been told: it wins over what arrives meanwhile.
  let values = { ...model.get("values") }, on = [...model.get("on")], dirty = false;

  const flush = () => {
    clearTimeout(timer);
    if (!dirty) return;
    dirty = false;
    model.set("values", values);
    model.set("on", on);
    model.save_changes();
  };
  const changed = (now) => {
    dirty = true;
    clearTimeout(timer);
    timer = setTimeout(flush, PAUSE_MS);
    if (now) flush();
  };
  const view = {
    id: () => `${name}-${++made}`,
    edit(path, text, now) {
      if ((values[path] ?? null) !== text) {
        values = { ...values, [path]: text };
        changed(now);
      } else if (now) flush();
      show();
    },
    toggle(group, there) {
      on = on.filter((path) => path !== group.path);
      if (there) on = [...new Set([...on, group.path, ...group.brings])];
      changed(true);
      show();
    },
  };
  const stages = model.get("schema").map((stage) => makeGroup(stage, 0, view));
  const codes = [makeCode("Python", model, "python"), makeCode("XML", model, "xml")];
  const submit = makeSubmit(() => {
    submit.hold();
    dirty = false;
    clearTimeout(timer);
    model.send({ do: "submit", press, values, on });
  });
  const elsewhere = el("div", { class: "ci-error", role: "alert" });
  const stale = el("p", { class: "ci-stale", role: "status" });

  const show = () => {
    const problems = model.get("problems");
    stages.forEach((stage) => stage.show(values, on, problems));
    codes.forEach((code) => code.show());
    const placed = (path) => panel.querySelector(`[data-path="${CSS.escape(path)}"]`);
    elsewhere.textContent = Object.keys(problems).filter((path) => !placed(path)).map((path) => problems[path]).join("\n");
    stale.textContent = Object.keys(problems).length ? "Python and XML show the last setting that was complete." : "";
  };
  const take = () => {
    if (dirty) return show();
    values = { ...model.get("values") };
    on = [...model.get("on")];
    show();
  };
  const follow = () => {
    const status = model.get("status");
    if (!status.busy) press = crypto.randomUUID?.() ?? `${name}-${Date.now()}`;
    submit.show(status);
  };

  const panel = el(
    "div", { class: "ci-root ci-panel", role: "group", "aria-label": `Enhance ${model.get("title")}`, "data-lm-suppress-shortcuts": "true",
      // JupyterLab would take arrows and letters for its own.
      onkeydown: (event) => event.stopPropagation() },
    el("div", { class: "ci-top" }, el("h3", { text: "Enhance" }), el("span", { class: "ci-clip", text: model.get("title") })),
    el("div", { class: "ci-columns" },
      el("div", { class: "ci-stages" }, ...stages.map((stage) => stage.node)),
      el("div", { class: "ci-side" }, submit.node, elsewhere, stale, ...codes.map((code) => code.node))),
  );
  root.append(panel);
  take();
  follow();
  model.on("change:values", take);
  model.on("change:on", take);
  for (const trait of ["problems", "python", "xml"]) model.on(`change:${trait}`, show);
  model.on("change:status", follow);
  return () => {
    flush();
    model.off("change:values", take);
    model.off("change:on", take);
    for (const trait of ["problems", "python", "xml"]) model.off(`change:${trait}`, show);
    model.off("change:status", follow);
  };
}

export default { render };
