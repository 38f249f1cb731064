// The parts of the sweep panel: varied parameters, the search for more, and the table of runs.
// They show text and report text. Only Python validates it.

const MAX_MATCHES = 8;

function tailOf(path) {
  return path.split(".").pop();
}

// A typed list with one item added or removed.
function toggled(text, word) {
  const items = text.split(",").map((item) => item.trim()).filter(Boolean);
  const changed = items.includes(word) ? items.filter((item) => item !== word) : [...items, word];
  return changed.join(", ");
}

function contains(text, word) {
  return text.split(",").some((item) => item.trim() === word);
}

// One varied parameter: its values as text, and buttons for its words.
function makeVaried(leaf, id, { edit, remove }) {
  const input = el("input", {
    type: "text", id, class: "ci-text ci-svalues", autocomplete: "off", spellcheck: "false", placeholder: leaf.start || "values, separated by commas",
    "aria-describedby": `${id}-h ${id}-e`, oninput: () => edit(leaf.path, input.value, false), onchange: () => edit(leaf.path, input.value, true),
  });
  const words = leaf.words.map((word) => el("button", {
    type: "button", class: "ci-chip", text: word, "aria-label": `${word} for ${leaf.name}`,
    onclick: () => { input.value = toggled(input.value, word); edit(leaf.path, input.value, true); },
  }));
  const error = el("div", { id: `${id}-e`, class: "ci-error", role: "alert" });
  const node = el(
    "li", { class: "ci-svaried", "data-path": leaf.path },
    el("div", { class: "ci-svaried-head" },
      el("label", { for: id, text: leaf.name }), el("span", { class: "ci-help", text: leaf.stage }),
      el("button", { type: "button", class: "ci-clear", text: "×", title: "Stop varying this parameter", "aria-label": `Stop varying ${leaf.name}`, onclick: () => remove(leaf.path) })),
    el("div", { class: "ci-svalues-line" }, input, leaf.unit && el("span", { class: "ci-help", text: leaf.unit })),
    el("div", { class: "ci-swords", role: "group", "aria-label": `Choices for ${leaf.name}` }, ...words),
    el("div", { id: `${id}-h`, class: "ci-help", text: `${leaf.help} Allowed: ${leaf.takes}.` }), error,
  );
  return {
    node,
    focus: () => { input.focus(); input.select(); },
    show(text, message) {
      if (input.value !== text) input.value = text;
      words.forEach((word) => word.setAttribute("aria-pressed", contains(text, word.textContent)));
      if (error.textContent !== (message ?? "")) error.textContent = message ?? "";
      node.classList.toggle("ci-wrong", Boolean(message));
      if (message) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
}

// The search over all parameters. Without a word it lists the common ones.
function makeSearch(leaves, id, add) {
  const input = el("input", {
    type: "search", id, class: "ci-text ci-ssearch", placeholder: "sharpen, codec, bitrate …", autocomplete: "off", spellcheck: "false",
    "aria-controls": `${id}-f`, oninput: () => show(varied),
    onkeydown: (event) => {
      if (event.key === "Enter") list.querySelector("button")?.click();
      if (event.key === "ArrowDown") { event.preventDefault(); list.querySelector("button")?.focus(); }
      if (event.key === "Escape") { input.value = ""; show(varied); }
    },
  });
  const list = el("ul", { id: `${id}-f`, class: "ci-sfound", "aria-label": "Parameters that can vary" });
  const note = el("p", { class: "ci-help", role: "status" });
  let varied = [], drawn = "";
  list.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const all = [...list.querySelectorAll("button")], at = all.indexOf(document.activeElement) + by;
    if (at < 0) input.focus();
    else all[Math.min(at, all.length - 1)]?.focus();
  });
  const matches = (leaf, words) => words.every((word) => [leaf.path, leaf.help, leaf.stage].join(" ").toLowerCase().includes(word));
  const show = (paths) => {
    varied = paths;
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const free = leaves.filter((leaf) => !varied.includes(leaf.path));
    const all = words.length ? free.filter((leaf) => matches(leaf, words)) : free.filter((leaf) => leaf.common).sort((a, b) => a.path.startsWith("Transcode") - b.path.startsWith("Transcode"));
    // A parameter whose name starts with the word comes before one whose help contains it.
    const rank = (leaf) => (words.length && tailOf(leaf.path).toLowerCase().startsWith(words[0]) ? 0 : 1);
    const shown = (words.length ? [...all].sort((a, b) => rank(a) - rank(b)) : all).slice(0, varied.length && !words.length ? MAX_MATCHES / 2 : MAX_MATCHES);
    const ids = shown.map((leaf) => leaf.path).join("|");
    if (ids !== drawn) {
      drawn = ids;
      list.replaceChildren(...shown.map((leaf) => el("li", {}, el("button", {
        type: "button", class: "ci-sleaf", title: leaf.help, onclick: () => { input.value = ""; add(leaf); },
      }, el("span", { text: leaf.name }), el("span", { class: "ci-help", text: `${leaf.stage} · ${leaf.takes}` })))));
    }
    note.textContent = !shown.length ? "No parameter has this name." : all.length > shown.length ? `${all.length - shown.length} more` : "";
  };
  return { node: el("div", { class: "ci-sadd" }, el("label", { for: id, text: "Vary" }), input, list, note), show };
}

// The runs of the sweep: only the parameters that differ, and the price of each when it is known.
function makeTable() {
  const caption = el("caption"), head = el("tr"), body = el("tbody");
  const scroll = el("div", { class: "ci-sscroll", tabindex: "0", role: "region", "aria-label": "Runs of this sweep" }, el("table", {}, caption, el("thead", {}, head), body));
  return {
    node: el("section", { class: "ci-stable" }, scroll),
    show(table, plan) {
      const priced = plan.rows ?? [];
      const money = plan.currency ? [plan.currency] : [];
      const count = table.count ?? 0, shown = (table.rows ?? []).length;
      caption.textContent = `This sweep: ${count} ${count === 1 ? "run" : "runs"}${count > shown ? `, the first ${shown} of them` : ""}`;
      const heads = (table.heads ?? []).map((path) => el("th", { scope: "col", title: path, text: tailOf(path) }));
      head.replaceChildren(el("th", { scope: "col", text: "#" }), ...heads, ...money.map((text) => el("th", { scope: "col", class: "ci-sright", text })), ...(plan.in_journal ? [el("th", { scope: "col", text: "in journal" })] : []));
      body.replaceChildren(...(table.rows ?? []).map((row, at) => el(
        "tr", {}, el("th", { scope: "row", text: at + 1 }),
        ...row.map((text) => el("td", { class: text === "left out" || text === "AUTO" ? "ci-sword" : "", text })),
        ...money.map(() => el("td", { class: "ci-sright", text: priced[at] ? priced[at][0].toFixed(4) : "" })),
        ...(plan.in_journal ? [el("td", { class: "ci-sword", text: priced[at]?.[1] ? "yes" : "" })] : []),
      )));
    },
  };
}
