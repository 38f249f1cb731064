// Actions for the whole panel: start from a preset or template, paste, changes, price, copy.

// A row of buttons, each of which opens its drawer below. One drawer is open at a time; Escape closes it.
function makeDrawers(entries, view) {
  const bar = el("div", { class: "ci-bar", role: "group", "aria-label": "Actions for the whole panel" });
  const below = el("div", { class: "ci-drawers" });
  const drawers = entries.map(({ name, content, opened }) => {
    const id = view.id();
    const button = el("button", { type: "button", class: "ci-tool", text: name, "aria-expanded": "false", "aria-controls": id, onclick: () => open(box.hidden ? id : null) });
    const box = el("div", { id, class: "ci-drawer", role: "region", "aria-label": name, hidden: true,
      onkeydown: (event) => { if (event.key === "Escape") { open(null); button.focus(); } } }, content);
    bar.append(button);
    below.append(box);
    return { id, button, box, opened };
  });
  const open = (id) => drawers.forEach((one) => {
    const isOpen = one.id === id;
    if (isOpen && one.box.hidden) one.opened?.();
    one.box.hidden = !isOpen;
    one.button.setAttribute("aria-expanded", String(isOpen));
  });
  return { bar, below, close: () => open(null), buttons: drawers.map((one) => one.button) };
}

// Presets of the package, and templates of the service.
function makeStart(model, view, close) {
  const card = (name, about, onclick) => el("button", { type: "button", class: "ci-card", onclick: () => { onclick(); close(); } },
    el("b", { text: name }), el("span", { text: about }));
  const presets = el("div", { class: "ci-cards" }, ...model.get("presets").map((one) =>
    card(one.name, one.about, () => view.act("preset", { name: one.name }))));
  const node = el("div", {}, el("h4", { text: "Presets" }), presets);
  const list = el("div", { class: "ci-cards" }), note = el("p", { class: "ci-help" });
  const name = el("input", { type: "text", class: "ci-text", maxlength: "64", "aria-label": "Name of the new template", placeholder: "name of a new template",
    onkeydown: (event) => { if (event.key === "Enter") save(); } });
  const save = () => { if (name.value.trim()) { view.act("save_template", { name: name.value }); name.value = ""; } else name.focus(); };
  const hasTemplates = model.get("features").includes("templates");
  if (hasTemplates) node.append(el("h4", { text: "Templates of the service" }), list, note,
    el("div", { class: "ci-line" }, name, el("button", { type: "button", class: "ci-tool", text: "Save as template", onclick: save })));
  let isLoaded = false;
  return {
    node,
    opened: () => { if (hasTemplates) { note.textContent = "Loading"; view.act("load_templates"); } },
    show() {
      const templates = model.get("templates");
      list.replaceChildren(...templates.map((one) => card(one.name, `${one.category} ${one.id}`.trim(), () => view.act("apply_template", { id: one.id }))));
      note.textContent = templates.length || !isLoaded ? "" : "There are no templates yet.";
    },
    showError: (error) => {
      isLoaded = !error;
      if (note.textContent === "Loading") note.textContent = error || model.get("templates").length ? "" : "There are no templates yet.";
    },
  };
}

function makePaste(view) {
  const id = view.id();
  const text = el("textarea", { id, class: "ci-area", rows: "6", spellcheck: "false", autocomplete: "off", placeholder: "<Request>…   or   ci.VideoEnhance(…)",
    onkeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) apply(); } });
  const apply = () => { if (text.value.trim()) view.act("paste", { text: text.value }); else text.focus(); };
  return {
    node: el("div", {},
      el("label", { for: id, class: "ci-help", text: "XML of a request, a reply or a template, or the Python that this panel shows. Pasted code is never executed." }), text,
      el("div", { class: "ci-line" }, el("button", { type: "button", class: "ci-tool", text: "Apply", onclick: apply }))),
    opened: () => setTimeout(() => text.focus()),
    clear: () => { text.value = ""; },
  };
}

// Each changed parameter, with its value at the start and now.
function makeChanges(model, view) {
  const none = el("p", { class: "ci-help", text: "Nothing has changed since the start." });
  const all = el("button", { type: "button", class: "ci-tool", text: "Reset all", onclick: () => view.act("reset") });
  const rows = el("tbody");
  let lastChanges = null; // dragging a slider changes nothing here until Python has validated the value
  const table = el("table", { class: "ci-changes" }, el("thead", {}, el("tr", {},
    ...["Parameter", "At the start", "Now"].map((text) => el("th", { scope: "col", text })), el("td"))), rows);
  return {
    node: el("div", {}, none, table, el("div", { class: "ci-line" }, all)),
    show() {
      const changes = model.get("changes");
      if (changes === lastChanges) return;
      lastChanges = changes;
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
      setText(error, price.error ? `The price is unknown: ${price.error}` : "");
      setText(about, price.about ?? "");
      lines.replaceChildren(...(price.lines ?? []).map((one) => el("tr", {},
        el("th", { scope: "row", text: one.stage }), el("td", { text: one.why }), el("td", { text: one.amount }))));
    },
  };
}

// Changes and losses by the job that its setting does not name; hidden without any.
function makeJobChanges(model) {
  const list = el("ul"), note = el("p", { class: "ci-help" });
  const node = el("div", { class: "ci-job-changes", role: "status", hidden: true }, el("span", { text: "Other changes by this job:" }), list, note);
  return {
    node,
    show() {
      const { lines = [], note: about = "" } = model.get("job_changes");
      list.replaceChildren(...lines.map((text) => el("li", { text })));
      setText(note, about);
      note.hidden = !about;
      node.hidden = !lines.length;
    },
  };
}

// JupyterLab and Notebook give scripts access to their commands only if they were started with that option.
function notebookApp() {
  const app = globalThis.jupyterapp;
  return app?.commands?.hasCommand?.("notebook:insert-cell-below") ? app : null;
}

async function newCell(app, text) {
  await app.commands.execute("notebook:insert-cell-below");
  const cell = app.shell.currentWidget?.content?.activeCell?.model?.sharedModel;
  if (cell?.getSource() !== "") throw new Error("The notebook did not create a new cell.");
  cell.setSource(text);
}

function makeCopies(model, view) {
  const status = el("span", { class: "ci-copied", role: "status" });
  const area = el("textarea", { class: "ci-area", rows: "6", readonly: true, hidden: true, "aria-label": "The text to copy" });
  const say = (text) => { status.textContent = text; setTimeout(() => { if (status.textContent === text) status.textContent = ""; }, 4000); };
  const copy = async (text, confirmation) => {
    area.hidden = true;
    try {
      await navigator.clipboard.writeText(text);
      say(confirmation);
    } catch { // the page may not write to the clipboard: select the text, so that the user can copy it
      area.value = text;
      area.hidden = false;
      area.focus();
      area.select();
      say("Press Ctrl+C to copy the selected text.");
    }
  };
  const button = (text, onclick) => el("button", { type: "button", class: "ci-tool", text, onclick });
  const app = notebookApp();
  const node = el("div", { class: "ci-copies" }, el("div", { class: "ci-line" },
    button("Copy request XML", () => view.act("copy", { what: "xml" })),
    model.get("features").includes("curl") && button("Copy curl", () => view.act("copy", { what: "curl" })),
    app && button("New cell", () => newCell(app, model.get("python")).then(() => say("Added a new cell."), (error) => say(String(error.message)))),
    status), area,
  !app && el("p", { class: "ci-help" }, "To put the Python into a new cell, run ", el("code", { text: "panel.to_cell()" }), "."));
  return {
    node,
    write: ({ what, text }) => copy(text, what === "curl" ? "Copied. The command is not signed and contains no key." : "Copied."),
  };
}
