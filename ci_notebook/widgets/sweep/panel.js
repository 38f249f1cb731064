// The sweep panel: varied parameters on the left, design, price and Run on the right, table of runs below.

const DEBOUNCE_MS = 150;
const FIELDS = ["vary", "kind", "n", "seed", "budget", "chosen"];
const token = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

// A field with its label and its error.
function makeField(label, id, input, help = "") {
  const error = el("div", { id: `${id}-e`, class: "ci-error", role: "alert" });
  input.id = id;
  input.setAttribute("aria-describedby", `${id}-e`);
  return {
    input,
    node: el("div", { class: "ci-sfield" }, el("label", { for: id, text: label }), input, help && el("span", { class: "ci-help", text: help }), error),
    show(value, message) {
      if (input.value !== value) input.value = value;
      if (error.textContent !== (message ?? "")) error.textContent = message ?? "";
      if (message) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
}

// Each clip with a box to choose it, and its properties.
function makeClips(names, edit) {
  const boxes = names.map(() => el("input", { type: "checkbox", onchange: () => edit(boxes.flatMap((box, one) => (box.checked ? [one] : []))) }));
  const about = names.map(() => el("span", { class: "ci-help ci-sabout" }));
  const error = el("div", { class: "ci-error", role: "alert" });
  return {
    node: el("fieldset", { class: "ci-sclips" }, el("legend", { text: "Clips" }), ...names.map((name, at) => el("label", {}, boxes[at], el("span", {}, el("span", { text: name }), about[at]))), error),
    describe: (lines) => about.forEach((node, at) => { node.textContent = lines[at] ?? ""; }),
    show(chosen, message) {
      boxes.forEach((box, at) => { box.checked = chosen.includes(at); });
      if (error.textContent !== (message ?? "")) error.textContent = message ?? "";
    },
  };
}

function makeSum(facts, { run, stop }) {
  const count = el("strong", { class: "ci-scount" }), price = el("span", { class: "ci-sprice" }), note = el("p", { class: "ci-help", role: "status" });
  // Changes and losses by jobs that their settings do not name.
  const changes = el("ul", { class: "ci-help ci-schanges", role: "status", hidden: true });
  const go = el("button", { type: "button", class: "ci-submit", text: "Run", onclick: (event) => event.detail < 2 && !isDisabled() && run() });
  // Not `disabled`, because then the button that was just clicked would lose the focus.
  const isDisabled = () => go.getAttribute("aria-disabled") === "true", setDisabled = (is) => go.setAttribute("aria-disabled", String(is));
  const halt = el("button", { type: "button", class: "ci-plain", text: "Stop", hidden: true, onclick: stop });
  const bar = el("progress", { max: "1", "aria-label": "Progress of the sweep", hidden: true });
  const text = el("span", { class: "ci-status", role: "status", "aria-live": "polite" }), error = el("div", { class: "ci-error", role: "alert" });
  return {
    head: el("div", { class: "ci-ssum" }, count, price, note, changes),
    foot: el("div", { class: "ci-foot" }, el("div", { class: "ci-foot-line" }, go, halt, bar, text), error),
    hold() { setDisabled(true); text.textContent = "Waiting for the kernel"; error.textContent = ""; },
    show(table, plan, status, isWrong) {
      count.textContent = `${table.count} ${table.count === 1 ? "run" : "runs"}`;
      const isKnown = plan.total !== undefined;
      price.textContent = plan.error ? "price unknown" : isKnown ? `${plan.is_minimum ? "at least " : ""}${plan.total.toFixed(4)} ${plan.currency}` : "…";
      const free = facts.costs_money ? "" : " This engine charges nothing.";
      note.textContent = plan.error || (isKnown ? `${plan.in_journal ? `${plan.in_journal} of them ${plan.in_journal === 1 ? "is" : "are"} in the journal already and cost${plan.in_journal === 1 ? "s" : ""} nothing. ` : ""}Price list: ${plan.list}.${free}` : "");
      changes.replaceChildren(...(plan.changes ?? []).map((line) => el("li", { text: line })));
      changes.hidden = !plan.changes?.length;
      setDisabled(status.busy || isWrong);
      halt.hidden = bar.hidden = !status.busy;
      halt.disabled = Boolean(status.stopping);
      if (status.share === null || status.share === undefined) bar.removeAttribute("value");
      else bar.value = status.share;
      if (text.textContent !== status.text) text.textContent = status.text;
      if (error.textContent !== status.error) error.textContent = status.error;
    },
  };
}

let views = 0;

function render({ model, el: root }) {
  const name = `ci-s${++views}-${Math.random().toString(36).slice(2, 8)}`;
  const facts = model.get("facts"), leaves = model.get("leaves");
  const leafOf = new Map(leaves.map((leaf) => [leaf.path, leaf]));
  const read = () => Object.fromEntries(FIELDS.map((input) => [input, structuredClone(model.get(input))]));
  // The fields as the user sees them. Unsent edits (`isDirty`) win over the values that arrive from Python meanwhile.
  let fields = read(), isDirty = false, timer = 0, rowCount = 0, press = token();

  const flush = () => {
    clearTimeout(timer);
    if (!isDirty) return;
    isDirty = false;
    for (const input of FIELDS) model.set(input, structuredClone(fields[input]));
    model.save_changes();
  };
  const edit = (changes, now = true) => {
    fields = { ...fields, ...changes };
    isDirty = true;
    clearTimeout(timer);
    timer = setTimeout(flush, DEBOUNCE_MS);
    if (now) flush();
    show();
  };
  const rows = new Map();
  const rowOf = (path) => {
    if (!rows.has(path)) rows.set(path, makeVaried(leafOf.get(path), `${name}-v${++rowCount}`, {
      edit: (at, text, now) => edit({ vary: fields.vary.map(([one, current]) => [one, one === at ? text : current]) }, now),
      remove: (at) => { edit({ vary: fields.vary.filter(([one]) => one !== at) }); search.node.querySelector("input").focus(); },
    }));
    return rows.get(path);
  };
  const search = makeSearch(leaves, `${name}-q`, (leaf) => {
    edit({ vary: [...fields.vary, [leaf.path, leaf.start]] });
    rowOf(leaf.path).focus();
  });
  const list = el("ul", { class: "ci-slist", "aria-label": "Varied parameters" });
  const kind = makeField("Design", `${name}-k`, el("select", { class: "ci-select", onchange: () => edit({ kind: kind.input.value }) }, ...facts.designs.map(([value, text]) => el("option", { value, text }))));
  const textInput = (input, wide) => el("input", { type: "text", inputmode: "decimal", class: `ci-text ${wide ?? "ci-snarrow"}`, autocomplete: "off", oninput: (event) => edit({ [input]: event.target.value }, false), onchange: (event) => edit({ [input]: event.target.value }) });
  const n = makeField("Runs per clip", `${name}-n`, textInput("n")), seed = makeField("Seed", `${name}-s`, textInput("seed"));
  const budget = makeField("Budget", `${name}-b`, textInput("budget"), "CNY; empty means no limit");
  const clips = makeClips(facts.clips, (chosen) => edit({ chosen }));
  const sum = makeSum(facts, {
    run() {
      sum.hold();
      isDirty = false;
      clearTimeout(timer);
      model.send({ do: "run", press, fields: structuredClone(fields) });
    },
    stop: () => model.send({ do: "stop" }),
  });
  const code = makeCode("Python", model, "python"), table = makeTable();
  const elsewhere = el("div", { class: "ci-error", role: "alert" }), stale = el("p", { class: "ci-stale", role: "status" });

  const clipLine = el("p", { class: "ci-clip-line" });
  const takeAway = makeTakeAway(model), files = el("div", { class: "ta-rows", role: "group", "aria-label": "Results" });
  const showFiles = () => files.replaceChildren(...takeAway.rows(model.get("result_files")));

  const show = () => {
    const problems = model.get("problems"), paths = fields.vary.map(([path]) => path).filter((path) => leafOf.has(path));
    for (const [path, row] of rows) if (!paths.includes(path)) { row.node.remove(); rows.delete(path); }
    paths.forEach((path, at) => {
      const row = rowOf(path);
      if (list.children[at] !== row.node) list.insertBefore(row.node, list.children[at] ?? null);
      row.show(fields.vary.find(([one]) => one === path)[1], problems[path]);
    });
    list.hidden = !paths.length;
    search.show(paths);
    kind.show(fields.kind);
    n.show(fields.n, problems.n);
    seed.show(fields.seed, problems.seed);
    n.node.hidden = seed.node.hidden = fields.kind !== "random";
    budget.show(fields.budget, problems.budget);
    clips.show(fields.chosen, problems.chosen);
    const isWrong = Object.keys(problems).length > 0;
    sum.show(model.get("table"), model.get("plan"), model.get("status"), false);
    const visible = new Set(["n", "seed", "budget", "chosen", ...paths]);
    elsewhere.textContent = Object.keys(problems).filter((field) => !visible.has(field)).map((field) => problems[field]).join("\n");
    stale.textContent = isWrong ? "Table, price and Python show the last valid sweep." : "";
    code.show();
    table.show(model.get("table"), model.get("plan"));
    panel.classList.toggle("ci-sstale", isWrong);
  };
  const update = () => {
    if (!isDirty) fields = read();
    show();
  };
  const showStatus = () => {
    if (!model.get("status").busy) press = token();
    show();
  };
  const panel = el(
    "div", { class: "ci-root ci-sweep", role: "group", "aria-label": "Sweep", "data-lm-suppress-shortcuts": "true",
      onkeydown: (event) => event.stopPropagation() }, // otherwise JupyterLab handles arrow keys and letters
    el("div", { class: "ci-top" }, el("h3", { text: "Sweep" }), el("span", { class: "ci-clip", text: facts.base.length ? `on ${facts.base.join(", ")}` : "on an empty setting" })),
    clipLine,
    el("div", { class: "ci-scolumns" },
      el("div", { class: "ci-sleft" }, list, search.node),
      el("div", { class: "ci-sright-side" }, sum.head, el("div", { class: "ci-sfields" }, kind.node, n.node, seed.node, budget.node), facts.clips.length > 1 && clips.node, sum.foot, elsewhere, stale, code.node)),
    table.node, files, takeAway.node,
  );
  const showClipLines = () => {
    const names = facts.clips, lines = model.get("clip_lines");
    clipLine.textContent = names.length === 1 ? [names[0], lines[0]].filter(Boolean).join(" · ") : "";
    clips.describe(lines);
  };
  root.append(panel);
  const inputs = FIELDS.map((input) => `change:${input}`), outputs = ["problems", "table", "plan", "python"].map((one) => `change:${one}`);
  update();
  showClipLines();
  model.on("change:clip_lines", showClipLines);
  inputs.forEach((event) => model.on(event, update));
  outputs.forEach((event) => model.on(event, show));
  model.on("change:status", showStatus);
  model.on("change:result_files", showFiles);
  showFiles();
  return () => {
    flush();
    inputs.forEach((event) => model.off(event, update));
    outputs.forEach((event) => model.off(event, show));
    model.off("change:status", showStatus);
    model.off("change:clip_lines", showClipLines);
    model.off("change:result_files", showFiles);
    takeAway.close();
  };
}

export default { render: mounted(render) };
