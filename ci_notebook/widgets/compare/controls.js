// Named native controls, requests to Python, a frame cache and a latest-only queue.

const cvText = (node, text) => { if (node.textContent !== text) node.textContent = text; };

// A screen reader reads the visible text first; a symbol alone is replaced by its name.
function cvButton(text, name, press, attributes = {}) {
  const spoken = /[a-z]/i.test(text) ? text : /\d/.test(text) ? `${text}: ${name}` : name;
  return el("button", { type: "button", class: "cv-button", "aria-label": spoken, title: name, text, onclick: press, ...attributes });
}

// Radio buttons that look like one bar; `show(value)` sets the value without calling `pick`.
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

// Requests to Python with their answers: request("frames", {...}) → { frames, buffers, … }.
function cvRequests(model, view) {
  const open = new Map();
  let number = 0;
  const receive = (content, buffers) => {
    if (content.view !== view || !open.has(content.reply_to)) return;
    const resolve = open.get(content.reply_to);
    open.delete(content.reply_to);
    resolve({ ...content, buffers: buffers ?? [] });
  };
  model.on("msg:custom", receive);
  return {
    request: (kind, content) => new Promise((resolve) => {
      open.set(++number, resolve);
      model.send({ do: kind, request: number, view, ...content });
    }),
    close: () => model.off("msg:custom", receive),
  };
}

// LRU cache of received frames, so that a step back needs no request.
function cvFrameCache(maxBytes) {
  const blobs = new Map();
  let bytes = 0;
  return {
    get(key) {
      const blob = blobs.get(key);
      if (blob) { blobs.delete(key); blobs.set(key, blob); }
      return blob;
    },
    put(key, blob) {
      bytes += blob.size - (blobs.get(key)?.size ?? 0);
      blobs.delete(key);
      blobs.set(key, blob);
      for (const [oldest, one] of blobs) {
        if (bytes <= maxBytes) break;
        blobs.delete(oldest);
        bytes -= one.size;
      }
    },
    has: (key) => blobs.has(key),
    clear() { blobs.clear(); bytes = 0; },
  };
}

// Latest-only queue: while `work` runs, only the newest value waits.
function cvNewest(work) {
  let isBusy = false, next = null;
  return async function submit(value) {
    next = [value];
    if (isBusy) return;
    isBusy = true;
    try {
      while (next) {
        const [current] = next;
        next = null;
        await work(current, () => next !== null);
      }
    } finally {
      isBusy = false;
    }
  };
}
