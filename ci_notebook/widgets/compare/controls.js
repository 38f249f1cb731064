// Native controls with names, and what asks Python for pictures.

const cvSay = (node, text) => { if (node.textContent !== text) node.textContent = text; };

// What is read out begins with what is seen: a sign alone is replaced by its meaning.
function cvButton(text, name, press, attributes = {}) {
  const spoken = /[a-z]/i.test(text) ? text : /\d/.test(text) ? `${text}: ${name}` : name;
  return el("button", { type: "button", class: "cv-button", "aria-label": spoken, title: name, text, onclick: press, ...attributes });
}

// Radios that look like one bar; `show(value)` sets it without a word to anybody.
function cvSegments(id, name, choices, pick) {
  const inputs = choices.map(([value]) => el("input", {
    type: "radio", name: id, id: `${id}-${value}`, value, onchange: () => pick(value),
  }));
  const node = el("div", { class: "cv-segments", role: "radiogroup", "aria-label": name },
    ...choices.flatMap(([value, text], at) => [inputs[at], el("label", { for: `${id}-${value}`, text })]));
  return { node, show: (value) => inputs.forEach((input) => { input.checked = input.value === value; }) };
}

function cvSelect(name, choices, pick, attributes = {}) {
  const select = el("select", { class: "cv-select", "aria-label": name, title: name, onchange: () => pick(select.value), ...attributes },
    ...choices.map(([value, text]) => el("option", { value, text })));
  return select;
}

function cvToggle(text, name, flip) {
  const button = el("button", { type: "button", class: "cv-button cv-toggle", "aria-pressed": "false",
    "aria-label": /[a-z]/i.test(text) ? text : name, title: name, text,
    onclick: () => { set(button.getAttribute("aria-pressed") !== "true"); flip(is()); } });
  const is = () => button.getAttribute("aria-pressed") === "true";
  const set = (to) => button.setAttribute("aria-pressed", String(to));
  return { node: button, is, set };
}

// Questions to Python, each with its answer: ask("look", {...}) → { pictures, buffers, … }.
function cvAsker(model, view) {
  const open = new Map();
  let number = 0;
  const hear = (content, buffers) => {
    if (content.view !== view || !open.has(content.re)) return;
    const answer = open.get(content.re);
    open.delete(content.re);
    answer({ ...content, buffers: buffers ?? [] });
  };
  model.on("msg:custom", hear);
  return {
    ask: (what, content) => new Promise((answer) => {
      open.set(++number, answer);
      model.send({ do: what, ask: number, view, ...content });
    }),
    close: () => model.off("msg:custom", hear),
  };
}

// What was sent lately, so that a step back costs nothing; the oldest goes when there is too much of it.
function cvShelf(mostBytes) {
  const held = new Map();
  let bytes = 0;
  return {
    get(key) {
      const blob = held.get(key);
      if (blob) { held.delete(key); held.set(key, blob); }
      return blob;
    },
    put(key, blob) {
      bytes += blob.size - (held.get(key)?.size ?? 0);
      held.delete(key);
      held.set(key, blob);
      for (const [oldest, one] of held) {
        if (bytes <= mostBytes) break;
        held.delete(oldest);
        bytes -= one.size;
      }
    },
    has: (key) => held.has(key),
    clear() { held.clear(); bytes = 0; },
  };
}

// One at a time: while `work` runs, only the newest of what is wanted waits.
function cvNewest(work) {
  let isBusy = false, next = null;
  return async function want(value) {
    next = [value];
    if (isBusy) return;
    isBusy = true;
    try {
      while (next) {
        const [now] = next;
        next = null;
        await work(now, () => next !== null);
      }
    } finally {
      isBusy = false;
    }
  };
}
