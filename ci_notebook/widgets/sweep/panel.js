// The sweep's view: what varies and how on the left, what it comes to on the right, the runs below.

const PAUSE_MS = 150;
const INPUTS = ["vary", "kind", "n", "seed", "budget", "chosen"];
const token = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

// A small field with its label and its own error.
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

function makeClips(names, edit) {
  const boxes = names.map((name, at) => el("input", { type: "checkbox", onchange: () => edit(boxes.flatMap((box, one) => (box.checked ? [one] : []))) }));
  const error = el("div", { class: "ci-error", role: "alert" });
  return {
    node: el("fieldset", { class: "ci-sclips" }, el("legend", { text: "Clips" }), ...names.map((name, at) => el("label", {}, boxes[at], el("span", { text: name }))), error),
    show(chosen, message) {
      boxes.forEach((box, at) => { box.checked = chosen.includes(at); });
      if (error.textContent !== (message ?? "")) error.textContent = message ?? "";
    },
  };
}

function makeSum(facts, { run, stop }) {
  const count = el("strong", { class: "ci-scount" }), price = el("span", { class: "ci-sprice" }), note = el("p", { class: "ci-help", role: "status" });
  const go = el("button", { type: "button", class: "ci-submit", text: "Run", onclick: (event) => event.detail < 2 && !isHeld() && run() });
  // Not `disabled`: then the button that was just pressed would lose the keys.
  const isHeld = () => go.getAttribute("aria-disabled") === "true", setHeld = (is) => go.setAttribute("aria-disabled", String(is));
  const halt = el("button", { type: "button", class: "ci-plain", text: "Stop", hidden: true, onclick: stop });
  const bar = el("progress", { max: "1", "aria-label": "Progress of the sweep", hidden: true });
  const text = el("span", { class: "ci-status", role: "status", "aria-live": "polite" }), error = el("div", { class: "ci-error", role: "alert" });
  return {
    head: el("div", { class: "ci-ssum" }, count, price, note),
    foot: el("div", { class: "ci-foot" }, el("div", { class: "ci-foot-line" }, go, halt, bar, text), error),
    hold() { setHeld(true); text.textContent = "Waiting for the kernel"; error.textContent = ""; },
    show(table, plan, status, isWrong) {
      count.textContent = `${table.count} ${table.count === 1 ? "run" : "runs"}`;
      const known = plan.total !== undefined;
      price.textContent = plan.error ? "no price" : known ? `${plan.least ? "at least " : ""}${plan.total.toFixed(4)} ${plan.currency}` : "…";
      const free = facts.costs ? "" : " This engine charges nothing.";
      note.textContent = plan.error || (known ? `${plan.held ? `${plan.held} held in the journal, not paid again. ` : ""}By the ${plan.list} list.${free}` : "");
      setHeld(status.busy || isWrong);
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
  const read = () => Object.fromEntries(INPUTS.map((input) => [input, structuredClone(model.get(input))]));
  // What a hand has changed and Python has not been told: it wins over what arrives meanwhile.
  let held = read(), dirty = false, timer = 0, made = 0, press = token();

  const flush = () => {
    clearTimeout(timer);
    if (!dirty) return;
    dirty = false;
    for (const input of INPUTS) model.set(input, structuredClone(held[input]));
    model.save_changes();
  };
  const edit = (changes, now = true) => {
    held = { ...held, ...changes };
    dirty = true;
    clearTimeout(timer);
    timer = setTimeout(flush, PAUSE_MS);
    if (now) flush();
    show();
  };
  const rows = new Map();
  const rowOf = (path) => {
    if (!rows.has(path)) rows.set(path, makeVaried(leafOf.get(path), `${name}-v${++made}`, {
      edit: (at, text, now) => edit({ vary: held.vary.map(([one, was]) => [one, one === at ? text : was]) }, now),
      remove: (at) => { edit({ vary: held.vary.filter(([one]) => one !== at) }); search.node.querySelector("input").focus(); },
    }));
    return rows.get(path);
  };
  const search = makeSearch(leaves, `${name}-q`, (leaf) => {
    edit({ vary: [...held.vary, [leaf.path, leaf.start]] });
    rowOf(leaf.path).focus();
  });
  const list = el("ul", { class: "ci-slist", "aria-label": "What varies" });
  const kind = makeField("Design", `${name}-k`, el("select", { class: "ci-select", onchange: () => edit({ kind: kind.input.value }) }, ...facts.designs.map(([value, text]) => el("option", { value, text }))));
  const typed = (input, wide) => el("input", { type: "text", inputmode: "decimal", class: `ci-text ${wide ?? "ci-snarrow"}`, autocomplete: "off", oninput: (event) => edit({ [input]: event.target.value }, false), onchange: (event) => edit({ [input]: event.target.value }) });
  const n = makeField("Runs a clip", `${name}-n`, typed("n")), seed = makeField("Seed", `${name}-s`, typed("seed"));
  const budget = makeField("Budget", `${name}-b`, typed("budget"), "CNY; nothing is no limit");
  const clips = makeClips(facts.clips, (chosen) => edit({ chosen }));
  const sum = makeSum(facts, {
    run() {
      sum.hold();
      dirty = false;
      clearTimeout(timer);
      model.send({ do: "run", press, edits: structuredClone(held) });
    },
    stop: () => model.send({ do: "stop" }),
  });
  const code = makeCode("Python", model, "python"), table = makeTable();
  const elsewhere = el("div", { class: "ci-error", role: "alert" }), stale = el("p", { class: "ci-stale", role: "status" });

  const show = () => {
    const problems = model.get("problems"), paths = held.vary.map(([path]) => path).filter((path) => leafOf.has(path));
    for (const [path, row] of rows) if (!paths.includes(path)) { row.node.remove(); rows.delete(path); }
    paths.forEach((path, at) => {
      const row = rowOf(path);
      if (list.children[at] !== row.node) list.insertBefore(row.node, list.children[at] ?? null);
      row.show(held.vary.find(([one]) => one === path)[1], problems[path]);
    });
    list.hidden = !paths.length;
    search.show(paths);
    kind.show(held.kind);
    n.show(held.n, problems.n);
    seed.show(held.seed, problems.seed);
    n.node.hidden = seed.node.hidden = held.kind !== "random";
    budget.show(held.budget, problems.budget);
    clips.show(held.chosen, problems.chosen);
    const isWrong = Object.keys(problems).length > 0;
    sum.show(model.get("table"), model.get("plan"), model.get("status"), false);
    const known = new Set(["n", "seed", "budget", "chosen", ...paths]);
    elsewhere.textContent = Object.keys(problems).filter((field) => !known.has(field)).map((field) => problems[field]).join("\n");
    stale.textContent = isWrong ? "Table, price and Python are those of the last sweep that was complete." : "";
    code.show();
    table.show(model.get("table"), model.get("plan"));
    panel.classList.toggle("ci-sstale", isWrong);
  };
  const take = () => {
    if (!dirty) held = read();
    show();
  };
  const follow = () => {
    if (!model.get("status").busy) press = token();
    show();
  };
  const panel = el(
    "div", { class: "ci-root ci-sweep", role: "group", "aria-label": "Sweep", "data-lm-suppress-shortcuts": "true",
      onkeydown: (event) => event.stopPropagation() }, // JupyterLab would take arrows and letters for its own
    el("div", { class: "ci-top" }, el("h3", { text: "Sweep" }), el("span", { class: "ci-clip", text: facts.base.length ? `on ${facts.base.join(", ")}` : "on an empty setting" })),
    el("div", { class: "ci-scolumns" },
      el("div", { class: "ci-sleft" }, list, search.node),
      el("div", { class: "ci-sright-side" }, sum.head, el("div", { class: "ci-sfields" }, kind.node, n.node, seed.node, budget.node), facts.clips.length > 1 && clips.node, sum.foot, elsewhere, stale, code.node)),
    table.node,
  );
  root.append(panel);
  const inputs = INPUTS.map((input) => `change:${input}`), outputs = ["problems", "table", "plan", "python"].map((one) => `change:${one}`);
  take();
  inputs.forEach((event) => model.on(event, take));
  outputs.forEach((event) => model.on(event, show));
  model.on("change:status", follow);
  return () => {
    flush();
    inputs.forEach((event) => model.off(event, take));
    outputs.forEach((event) => model.off(event, show));
    model.off("change:status", follow);
  };
}

export default { render };
