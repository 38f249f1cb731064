// The rows of controls: videos, position, keys. Each has a `show` method, and reports what the user does.

const CV_KEYS = [
  [", .  ← →", "previous, next frame"], ["Shift ← →", "ten frames"], ["Home End", "first, last frame"], ["Space", "play or stop the loop"],
  ["i o", "start, end of the loop"], ["n b", "next, previous worst frame"], ["m", "next mode"], ["f", "swap (flicker)"],
  ["l h", "loupe, scopes"], ["+ − 0 1", "zoom, fit, 1:1"], ["k", "keep this frame"],
];

function cvKeyTable() {
  return el("details", { class: "cv-keys" }, el("summary", { text: "Keys" }),
    el("dl", {}, ...CV_KEYS.flatMap(([keys, what]) => [el("dt", { text: keys }), el("dd", { text: what })])));
}

// The shown videos; `choose(shown)` receives their numbers.
function cvPicks(choose) {
  const node = el("div", { class: "cv-picks" });
  const change = (shown, place, to) => {
    const next = [...shown], other = shown.indexOf(to);
    if (to === -1) next.splice(place, 1);
    else if (other >= 0 && place < shown.length) [next[place], next[other]] = [next[other], next[place]];
    else next[place] = to;
    choose(next);
  };
  return {
    node,
    show(sides, shown) {
      const choices = sides.map((side, one) => [String(one), side.name]);
      const free = sides.findIndex((_, one) => !shown.includes(one));
      node.replaceChildren(...shown.map((place, one) => {
        const select = cvSelect(`Video ${one + 1}`, choices, (to) => change(shown, one, Number(to)));
        select.value = String(place);
        const drop = shown.length > 2 && cvButton("×", `Remove ${sides[place].name}`, () => change(shown, one, -1), { class: "cv-button cv-drop" });
        return el("span", { class: "cv-pick" }, el("i", { style: `background:var(--cv-${one + 1})` }), select, drop);
      }), free >= 0 && shown.length < 4 ? cvButton("+", "Add a video", () => change(shown, shown.length, free)) : "");
    },
  };
}

// The position in time: `go(at)` accepts any number; `refuse(text)` shows why a typed number is wrong.
function cvTransport({ st, go, refuse, play }) {
  const slider = el("input", { type: "range", class: "cv-slider", min: "0", step: "1", "aria-label": "Frame", oninput: () => go(Number(slider.value)) });
  const number = el("input", { type: "number", class: "cv-number", min: "0", "aria-label": "Frame number", onchange: () => typed() });
  const readout = el("span", { class: "cv-readout" });
  const typed = () => {
    const to = Number(number.value);
    const isGood = Number.isInteger(to) && to >= 0 && to < st.timeline.count && number.value !== "";
    number.toggleAttribute("aria-invalid", false);
    if (!isGood) number.setAttribute("aria-invalid", "true");
    refuse(isGood ? "" : `The frame number must be 0 to ${st.timeline.count - 1}${number.value ? ` (got ${number.value})` : ""}.`);
    if (isGood) go(to);
  };
  const jump = (text, name, to) => cvButton(text, name, () => go(to()));
  const node = el("div", { class: "cv-transport" },
    el("span", { class: "cv-group" }, jump("«", "First frame", () => 0), jump("−10", "Ten frames back", () => st.at - 10),
      jump("−1", "Previous frame", () => st.at - 1), play, jump("+1", "Next frame", () => st.at + 1),
      jump("+10", "Ten frames forward", () => st.at + 10), jump("»", "Last frame", () => st.timeline.count - 1)),
    slider, el("span", { class: "cv-group" }, number, readout));
  return {
    node,
    show() {
      slider.max = number.max = st.timeline.count - 1;
      slider.value = st.at;
      slider.setAttribute("aria-valuetext", `frame ${st.at} (0 to ${st.timeline.count - 1})`);
      if (document.activeElement !== number || number.getAttribute("aria-invalid") === null) number.value = st.at;
      cvText(readout, `(0 to ${st.timeline.count - 1}) · ${(st.timeline.begin_s + st.at / st.timeline.rate).toFixed(2)} s`);
    },
  };
}

// Keys of the whole view. A key that the focused control uses itself is left to it.
function cvKeys({ st, go, actions }) {
  return (event) => {
    event.stopPropagation(); // otherwise JupyterLab handles arrow keys and letters
    const { target, key } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || target.matches("select, input[type=number]")) return;
    const isField = target.matches("input, summary"), isButton = target.matches("button");
    const step = { ",": -1, ".": 1, "<": -10, ">": 10 }[key]
      ?? (isField ? undefined : { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[key]);
    if (step) go(st.at + step * (event.shiftKey && key.startsWith("Arrow") ? 10 : 1));
    else if ((key === "Home" || key === "End") && !isField) go(key === "Home" ? 0 : st.timeline.count - 1);
    else if (key === " " ? !isField && !isButton : actions[key]) actions[key]();
    else return;
    event.preventDefault();
  };
}
