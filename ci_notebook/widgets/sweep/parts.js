// The parts of the sweep's view: what varies, the search for more of it, and the table of what will be run.
// They show texts and report texts; whether a text is good, Python says.

const MOST_FOUND = 8;

function tailOf(path) {
  return path.split(".").pop();
}

// The items of a list as it is typed, and the list with one of them added or taken away.
function toggled(text, word) {
  const items = text.split(",").map((item) => item.trim()).filter(Boolean);
  const after = items.includes(word) ? items.filter((item) => item !== word) : [...items, word];
  return after.join(", ");
}

function holds(text, word) {
  return text.split(",").some((item) => item.trim() === word);
}

// One leaf that varies: its values as text, and its words to be pressed.
function makeVaried(leaf, id, { edit, remove }) {
  const input = el("input", {
    type: "text", id, class: "ci-text ci-svalues", autocomplete: "off", spellcheck: "false", placeholder: leaf.start || "values, with commas between",
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
      el("button", { type: "button", class: "ci-clear", text: "×", title: "Vary it no more", "aria-label": `Vary ${leaf.name} no more`, onclick: () => remove(leaf.path) })),
    el("div", { class: "ci-svalues-line" }, input, leaf.unit && el("span", { class: "ci-help", text: leaf.unit })),
    el("div", { class: "ci-swords", role: "group", "aria-label": `Words for ${leaf.name}` }, ...words),
    el("div", { id: `${id}-h`, class: "ci-help", text: `${leaf.help} Takes ${leaf.takes}.` }), error,
  );
  return {
    node,
    focus: () => { input.focus(); input.select(); },
    show(text, message) {
      if (input.value !== text) input.value = text;
      words.forEach((word) => word.setAttribute("aria-pressed", holds(text, word.textContent)));
      if (error.textContent !== (message ?? "")) error.textContent = message ?? "";
      node.classList.toggle("ci-wrong", Boolean(message));
      if (message) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
}

// The search over all leaves. Without a word it shows what is reached for first.
function makeSearch(leaves, id, add) {
  const input = el("input", {
    type: "search", id, class: "ci-text ci-ssearch", placeholder: "sharpen, codec, bitrate …", autocomplete: "off", spellcheck: "false",
    "aria-controls": `${id}-f`, oninput: () => show(held),
    onkeydown: (event) => {
      if (event.key === "Enter") found.querySelector("button")?.click();
      if (event.key === "ArrowDown") { event.preventDefault(); found.querySelector("button")?.focus(); }
      if (event.key === "Escape") { input.value = ""; show(held); }
    },
  });
  const found = el("ul", { id: `${id}-f`, class: "ci-sfound", "aria-label": "Leaves that can vary" });
  const told = el("p", { class: "ci-help", role: "status" });
  let held = [], drawn = "";
  found.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const all = [...found.querySelectorAll("button")], at = all.indexOf(document.activeElement) + by;
    if (at < 0) input.focus();
    else all[Math.min(at, all.length - 1)]?.focus();
  });
  const fits = (leaf, words) => words.every((word) => [leaf.path, leaf.help, leaf.stage].join(" ").toLowerCase().includes(word));
  const show = (paths) => {
    held = paths;
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const free = leaves.filter((leaf) => !held.includes(leaf.path));
    const all = words.length ? free.filter((leaf) => fits(leaf, words)) : free.filter((leaf) => leaf.common).sort((a, b) => a.path.startsWith("Transcode") - b.path.startsWith("Transcode"));
    // A leaf whose name begins so is meant before one whose help holds the word.
    const rank = (leaf) => (words.length && tailOf(leaf.path).toLowerCase().startsWith(words[0]) ? 0 : 1);
    const listed = (words.length ? [...all].sort((a, b) => rank(a) - rank(b)) : all).slice(0, held.length && !words.length ? MOST_FOUND / 2 : MOST_FOUND);
    const now = listed.map((leaf) => leaf.path).join("|");
    if (now !== drawn) {
      drawn = now;
      found.replaceChildren(...listed.map((leaf) => el("li", {}, el("button", {
        type: "button", class: "ci-sleaf", title: leaf.help, onclick: () => { input.value = ""; add(leaf); },
      }, el("span", { text: leaf.name }), el("span", { class: "ci-help", text: `${leaf.stage} · ${leaf.takes}` })))));
    }
    told.textContent = !listed.length ? "No leaf is called so." : all.length > listed.length ? `${all.length - listed.length} more` : "";
  };
  return { node: el("div", { class: "ci-sadd" }, el("label", { for: id, text: "Vary" }), input, found, told), show };
}

// The runs that are to come: only what differs, with what each costs once that is known.
function makeTable() {
  const caption = el("caption"), head = el("tr"), body = el("tbody");
  const scroll = el("div", { class: "ci-sscroll", tabindex: "0", role: "region", "aria-label": "What will be run" }, el("table", {}, caption, el("thead", {}, head), body));
  return {
    node: el("section", { class: "ci-stable" }, scroll),
    show(table, plan) {
      const priced = plan.rows ?? [];
      const money = plan.currency ? [plan.currency] : [];
      const count = table.count ?? 0, shown = (table.rows ?? []).length;
      caption.textContent = `What will be run: ${count} ${count === 1 ? "run" : "runs"}${count > shown ? `, the first ${shown} of them` : ""}`;
      const heads = (table.heads ?? []).map((path) => el("th", { scope: "col", title: path, text: tailOf(path) }));
      head.replaceChildren(el("th", { scope: "col", text: "#" }), ...heads, ...money.map((text) => el("th", { scope: "col", class: "ci-sright", text })), ...(plan.held ? [el("th", { scope: "col", text: "journal" })] : []));
      body.replaceChildren(...(table.rows ?? []).map((row, at) => el(
        "tr", {}, el("th", { scope: "row", text: at + 1 }),
        ...row.map((text) => el("td", { class: text === "left out" || text === "AUTO" ? "ci-sword" : "", text })),
        ...money.map(() => el("td", { class: "ci-sright", text: priced[at] ? priced[at][0].toFixed(4) : "" })),
        ...(plan.held ? [el("td", { class: "ci-sword", text: priced[at]?.[1] ? "held" : "" })] : []),
      )));
    },
  };
}
