// What is done to the whole panel: where to start from, what changed, back and forth, paste, copy, price.

// Buttons in a row, each of which opens its drawer below; one is open at a time, Escape closes it.
function makeDrawers(entries, view) {
  const bar = el("div", { class: "ci-bar", role: "group", "aria-label": "For the whole panel" });
  const below = el("div", { class: "ci-drawers" });
  const drawers = entries.map(({ name, content, opened, close: closing }) => {
    const id = view.id();
    const button = el("button", { type: "button", class: "ci-tool", text: name, "aria-expanded": "false", "aria-controls": id, onclick: () => open(box.hidden ? id : null) });
    const box = el("div", { id, class: "ci-drawer", role: "region", "aria-label": name, hidden: true,
      onkeydown: (event) => { if (event.key === "Escape") { open(null); button.focus(); } } }, content);
    bar.append(button);
    below.append(box);
    return { id, button, box, opened, closing };
  });
  const open = (id) => drawers.forEach((one) => {
    const isOpen = one.id === id;
    if (isOpen && one.box.hidden) one.opened?.();
    one.box.hidden = !isOpen;
    one.button.setAttribute("aria-expanded", String(isOpen));
  });
  return { bar, below, close: () => open(null), buttons: drawers.map((one) => one.button) };
}

// Presets of ours, and the templates that the service keeps.
function makeStart(model, view, done) {
  const card = (name, about, onclick) => el("button", { type: "button", class: "ci-card", onclick: () => { onclick(); done(); } },
    el("b", { text: name }), el("span", { text: about }));
  const presets = el("div", { class: "ci-cards" }, ...model.get("presets").map((one) =>
    card(one.name, one.about, () => view.act("preset", { name: one.name }))));
  const node = el("div", {}, el("h4", { text: "Presets" }), presets);
  const listed = el("div", { class: "ci-cards" }), none = el("p", { class: "ci-help" });
  const name = el("input", { type: "text", class: "ci-text", maxlength: "64", "aria-label": "Name of the template", placeholder: "name of a new template",
    onkeydown: (event) => { if (event.key === "Enter") keep(); } });
  const keep = () => { if (name.value.trim()) { view.act("keep", { name: name.value }); name.value = ""; } else name.focus(); };
  const has = model.get("offers").includes("templates");
  if (has) node.append(el("h4", { text: "Templates of the service" }), listed, none,
    el("div", { class: "ci-line" }, name, el("button", { type: "button", class: "ci-tool", text: "Keep this setting", onclick: keep })));
  let read = false;
  return {
    node,
    opened: () => { if (has) { none.textContent = "Reading"; view.act("templates"); } },
    show() {
      const templates = model.get("templates");
      listed.replaceChildren(...templates.map((one) => card(one.name, `${one.category} ${one.id}`.trim(), () => view.act("template", { id: one.id }))));
      none.textContent = templates.length || !read ? "" : "There is none yet.";
    },
    told: (error) => {
      read = !error;
      if (none.textContent === "Reading") none.textContent = error || model.get("templates").length ? "" : "There is none yet.";
    },
  };
}

function makePaste(view) {
  const id = view.id();
  const text = el("textarea", { id, class: "ci-area", rows: "6", spellcheck: "false", autocomplete: "off", placeholder: "<Request>…   or   ci.VideoEnhance(…)",
    onkeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) take(); } });
  const take = () => { if (text.value.trim()) view.act("paste", { text: text.value }); else text.focus(); };
  return {
    node: el("div", {},
      el("label", { for: id, class: "ci-help", text: "XML of a request, of a reply or of a template, or Python as the panel writes it. Nothing in it is run." }), text,
      el("div", { class: "ci-line" }, el("button", { type: "button", class: "ci-tool", text: "Take it", onclick: take }))),
    opened: () => setTimeout(() => text.focus()),
    took: () => { text.value = ""; },
  };
}

// Each leaf that is not as it was at the start, before and now.
function makeChanges(model, view) {
  const none = el("p", { class: "ci-help", text: "All is as at the start." });
  const all = el("button", { type: "button", class: "ci-tool", text: "Reset all", onclick: () => view.act("reset") });
  const rows = el("tbody");
  let shown = null; // a hand on a slider changes nothing here until Python has judged
  const table = el("table", { class: "ci-changes" }, el("thead", {}, el("tr", {},
    ...["Leaf", "At the start", "Now"].map((text) => el("th", { scope: "col", text })), el("td"))), rows);
  return {
    node: el("div", {}, none, table, el("div", { class: "ci-line" }, all)),
    show() {
      const changes = model.get("changes");
      if (changes === shown) return;
      shown = changes;
      none.hidden = changes.length > 0;
      table.hidden = all.hidden = !changes.length;
      rows.replaceChildren(...changes.map(({ path, before, now }) => el("tr", {},
        el("th", { scope: "row" }, ...path.split(".").flatMap((tag, at) => [at && ".", ...(at ? [el("wbr")] : []), ...tagText(tag)]).filter(Boolean)),
        el("td", { text: before }), el("td", { text: now }),
        el("td", {}, el("button", { type: "button", class: "ci-quiet", text: "Reset", "aria-label": `Reset ${path}`, onclick: () => view.act("reset", { path }) })))));
    },
  };
}

function makePrice(model) {
  const label = el("span"), sum = el("b"), lines = el("tbody"), about = el("p", { class: "ci-help" });
  const error = el("div", { class: "ci-error", role: "alert" });
  const details = el("details", { class: "ci-fold" }, el("summary", {}, label, " ", sum),
    el("table", { class: "ci-changes" }, lines), about);
  const node = el("div", { class: "ci-price", hidden: true }, details, error);
  return {
    node,
    show() {
      const price = model.get("price");
      node.hidden = !price.text && !price.error;
      details.hidden = !price.text;
      setText(label, price.label ?? "");
      setText(sum, price.text ?? "");
      setText(error, price.error ? `No price: ${price.error}` : "");
      setText(about, price.about ?? "");
      lines.replaceChildren(...(price.lines ?? []).map((one) => el("tr", {},
        el("th", { scope: "row", text: one.stage }), el("td", { text: one.why }), el("td", { text: one.amount }))));
    },
  };
}

// JupyterLab and Notebook show their own commands to scripts only where they were started so.
function notebookApp() {
  const app = globalThis.jupyterapp;
  return app?.commands?.hasCommand?.("notebook:insert-cell-below") ? app : null;
}

async function newCell(app, text) {
  await app.commands.execute("notebook:insert-cell-below");
  const cell = app.shell.currentWidget?.content?.activeCell?.model?.sharedModel;
  if (cell?.getSource() !== "") throw new Error("no new cell came");
  cell.setSource(text);
}

function makeCopies(model, view) {
  const said = el("span", { class: "ci-copied", role: "status" });
  const area = el("textarea", { class: "ci-area", rows: "6", readonly: true, hidden: true, "aria-label": "The text to copy" });
  const say = (text) => { said.textContent = text; setTimeout(() => { if (said.textContent === text) said.textContent = ""; }, 4000); };
  const hand = async (text, words) => {
    area.hidden = true;
    try {
      await navigator.clipboard.writeText(text);
      say(words);
    } catch {  // a page that may not write to the clipboard leaves it to the reader's hand
      area.value = text;
      area.hidden = false;
      area.focus();
      area.select();
      say("Selected: press Ctrl+C.");
    }
  };
  const button = (text, onclick) => el("button", { type: "button", class: "ci-tool", text, onclick });
  const app = notebookApp();
  const node = el("div", { class: "ci-copies" }, el("div", { class: "ci-line" },
    button("Copy request XML", () => view.act("copy", { what: "xml" })),
    model.get("offers").includes("curl") && button("Copy curl", () => view.act("copy", { what: "curl" })),
    app && button("New cell", () => newCell(app, model.get("python")).then(() => say("In a new cell."), (error) => say(String(error.message)))),
    said), area,
  !app && el("p", { class: "ci-help" }, "For a new cell, run ", el("code", { text: "panel.to_cell()" }), " in one."));
  return {
    node,
    take: ({ what, text }) => hand(text, what === "curl" ? "Copied; it is not signed, and holds no key." : "Copied."),
  };
}
