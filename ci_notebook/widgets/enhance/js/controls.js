// One row per leaf, with native inputs, so that names, keys and focus work as everywhere in the browser.
// A row shows text and reports text. Only Python validates it.

const AUTO = "AUTO";
const DEBOUNCE_MS = 150;

// Line breaks are allowed between the words of a long name: EnableScaleUp → Enable|Scale|Up.
function tagText(tag) {
  const words = tag.split(/(?<=[a-z0-9])(?=[A-Z])/);
  return words.flatMap((word, at) => (at ? [el("wbr"), word] : [word]));
}

// The error and the advice at a path, and a button if there is a remedy.
function makeHint(path, id, view) {
  const error = el("div", { id, class: "ci-error", role: "alert" });
  const advice = el("span", { role: "status" });
  const fix = el("button", { type: "button", class: "ci-fix", onclick: () => view.act("remedy", { path }) });
  const more = el("div", { class: "ci-advice", hidden: true }, advice, fix);
  return {
    node: el("div", { class: "ci-hint" }, error, more),
    show({ problems, advice: advices, remedies }) {
      setText(error, problems[path] ?? "");
      setText(advice, advices[path] ?? "");
      setText(fix, remedies[path] ? capital(remedies[path]) : "");
      fix.hidden = !remedies[path];
      more.hidden = !advices[path] && !remedies[path];
    },
  };
}

// An unchanged text is not written again: that would clear the user's selection and repeat it in a screen reader.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

// `view.edit(path, text, now)` receives an edit; `now` is false while the user is still typing or dragging.
function makeRow(leaf, view) {
  const id = view.id();
  const ids = { input: `${id}-i`, help: `${id}-h`, error: `${id}-e`, label: `${id}-l` };
  const described = { "aria-describedby": `${ids.help} ${ids.error}` };
  const send = (text, now = true) => {
    const switches = text !== null && leaf.switches; // the choice and the nodes that it switches are one edit
    view.edit(leaf.path, text, now && !switches);
    if (switches) view.choose(switches, text);
  };
  const makers = { number: numberControl, text: textControl, color: textControl };
  const control = (makers[leaf.kind] ?? choiceControl)(leaf, ids, described, send);
  const hint = makeHint(leaf.path, ids.error, view);
  const label = el("label", { id: ids.label, for: ids.input, class: "ci-label" }, ...tagText(leaf.tag));
  const help = el("div", { id: ids.help, class: "ci-help", text: leaf.help });
  const node = el("div", { class: "ci-row", "data-path": leaf.path }, label, control.node, help, hint.node);
  return {
    node,
    show(state) {
      const text = state.values[leaf.path] ?? null, problem = state.problems[leaf.path];
      control.show(text);
      hint.show(state);
      node.classList.toggle("ci-set", text !== null);
      node.classList.toggle("ci-wrong", Boolean(problem));
      if (problem) control.target.setAttribute("aria-invalid", "true");
      else control.target.removeAttribute("aria-invalid");
    },
  };
}

function choiceControl(leaf, ids, described, send) {
  const choices = leaf.kind === "bool" ? ["true", "false"] : leaf.choices;
  const select = el(
    "select",
    { id: ids.input, class: "ci-select", ...described, onchange: () => send(select.value === "-" ? null : select.value) },
    el("option", { value: "-", text: leaf.absent }),
    ...choices.map((choice) => el("option", { value: choice, text: choice })),
  );
  return {
    node: el("div", { class: "ci-inputs" }, select),
    target: select,
    show(text) {
      // An unknown choice comes from a saved or pasted setting. It is shown, so that the user can correct it.
      if (text !== null && !choices.includes(text) && ![...select.options].some((one) => one.value === text))
        select.append(el("option", { value: text, text: text }));
      select.value = text ?? "-";
    },
  };
}

function textControl(leaf, ids, described, send) {
  const read = () => (input.value === "" ? null : input.value);
  const input = el("input", {
    id: ids.input, type: "text", class: "ci-text", placeholder: leaf.absent, autocomplete: "off", spellcheck: "false",
    ...described, oninput: () => send(read(), false), onchange: () => send(read()),
  });
  // The color picker of the browser has no "left out", so the text box is authoritative.
  const picker = leaf.kind === "color" && el("input", {
    type: "color", class: "ci-color", "aria-label": `${leaf.tag}, color picker`, oninput: () => send(wire(picker.value), false),
    onchange: () => send(wire(picker.value)),
  });
  const wire = (color) => `0x${color.slice(1).toUpperCase()}`;
  return {
    node: el("div", { class: "ci-inputs" }, input, picker),
    target: input,
    show(text) {
      if (input.value !== (text ?? "")) input.value = text ?? "";
      if (picker && /^0x[0-9A-Fa-f]{6}$/.test(text ?? "")) picker.value = `#${text.slice(2)}`;
    },
  };
}

function numberControl(leaf, ids, described, send) {
  const words = [...(leaf.auto ? [AUTO] : []), ...leaf.choices];
  const modes = words.length ? segments(leaf, ids, [["-", "left out"], ...words.map((word) => [word, word]), ["#", "value"]]) : null;
  const slider = leaf.slider && el("input", {
    type: "range", class: "ci-slider", min: leaf.slider.low, max: leaf.slider.high, step: leaf.slider.step,
    value: leaf.slider.low, "aria-label": leaf.tag, ...described,
    oninput: () => slide(false), onchange: () => slide(true),
  });
  const number = el("input", {
    id: ids.input, type: "number", class: "ci-number", step: leaf.step, min: leaf.slider?.low, max: leaf.slider?.high,
    placeholder: modes ? "" : "–", inputmode: "decimal", ...described,
    oninput: () => send(read(), false), onchange: () => send(read()),
    // Scrolling the page must not change a focused number box.
    onwheel: () => number.blur(),
  });
  const clear = !modes && el("button", {
    type: "button", class: "ci-clear", title: "Leave out", "aria-label": `Leave out ${leaf.tag}`, text: "×",
    onclick: () => { send(null); number.focus(); },
  });
  const absent = !modes && el("span", { class: "ci-absent", text: leaf.absent });

  // The DOM gives no value for a text that is not a number; NaN reports it to Python.
  const read = () => (number.validity.badInput ? "NaN" : number.value !== "" ? number.value : modes ? "" : null);
  const slide = (now) => {
    number.value = slider.value;
    modes?.choose("#");
    send(slider.value, now);
  };
  modes?.onchoose((mode) => {
    if (mode === "-") return send(null);
    if (mode !== "#") return send(mode);
    send(number.value || slider?.value || "");
    number.focus();
  });
  return {
    node: el("div", { class: "ci-inputs" }, modes?.node, slider, el("span", { class: "ci-value" }, number, leaf.unit && el("span", { class: "ci-unit", text: leaf.unit })), clear, absent),
    target: number,
    show(text) {
      const mode = text === null ? "-" : words.includes(text) ? text : "#";
      modes?.choose(mode);
      slider?.classList.toggle("ci-dim", mode !== "#");
      if (clear) clear.hidden = mode !== "#";
      if (absent) absent.hidden = mode === "#";
      if (mode !== "#") number.value = "";
      else if (!(number.validity.badInput && text === "NaN") && (number.value === "" || Number(number.value) !== Number(text))) number.value = text;
      if (slider && mode === "#" && text !== "") slider.value = text;
    },
  };
}

// A small choice as one bar of radio buttons, so that arrow keys and screen readers work.
function segments(leaf, ids, choices) {
  let listener = () => {};
  const radios = choices.map(([value]) => el("input", {
    type: "radio", name: `${ids.input}-mode`, id: `${ids.input}-${value}`, value, onchange: () => listener(value),
  }));
  const labels = choices.map(([value, text]) => el("label", { for: `${ids.input}-${value}`, text }));
  const node = el(
    "div", { class: "ci-segments", role: "radiogroup", "aria-labelledby": ids.label },
    ...radios.flatMap((radio, at) => [radio, labels[at]]),
  );
  return {
    node,
    onchoose: (action) => { listener = action; },
    choose: (value) => radios.forEach((radio) => { radio.checked = radio.value === value; }),
  };
}
