// The rows of controls: which videos, which picture, which keys. Each tells what a hand does and shows what it is told.

const CV_KEYS = [
  [", .  ← →", "a picture back, on"], ["Shift ← →", "ten pictures"], ["Home End", "first, last"], ["Space", "play the loop, stop"],
  ["i o", "loop from here, to here"], ["n b", "next, previous of the worst"], ["m", "next mode"], ["f", "swap in flicker"],
  ["l h", "loupe, scopes"], ["+ − 0 1", "zoom, fit, 1:1"], ["k", "keep this picture"],
];

function cvKeyTable() {
  return el("details", { class: "cv-keys" }, el("summary", { text: "Keys" }),
    el("dl", {}, ...CV_KEYS.flatMap(([keys, what]) => [el("dt", { text: keys }), el("dd", { text: what })])));
}

// Which videos are looked at; `choose(shown)` gets their places.
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
        const drop = shown.length > 2 && cvButton("×", `Leave out ${sides[place].name}`, () => change(shown, one, -1), { class: "cv-button cv-drop" });
        return el("span", { class: "cv-pick" }, el("i", { style: `background:var(--cv-${one + 1})` }), select, drop);
      }), free >= 0 && shown.length < 4 ? cvButton("+", "Add a video", () => change(shown, shown.length, free)) : "");
    },
  };
}

// Where in time: `go(to)` takes any number, `refuse(text)` what cannot be gone to.
function cvTransport({ st, go, refuse, play }) {
  const slider = el("input", { type: "range", class: "cv-slider", min: "0", step: "1", "aria-label": "Picture", oninput: () => go(Number(slider.value)) });
  const number = el("input", { type: "number", class: "cv-number", min: "0", "aria-label": "Number of the picture", onchange: () => typed() });
  const readout = el("span", { class: "cv-readout" });
  const typed = () => {
    const to = Number(number.value);
    const isGood = Number.isInteger(to) && to >= 0 && to < st.line.count && number.value !== "";
    number.toggleAttribute("aria-invalid", false);
    if (!isGood) number.setAttribute("aria-invalid", "true");
    refuse(isGood ? "" : `Pictures go from 0 to ${st.line.count - 1}; there is no ${number.value || "empty number"}.`);
    if (isGood) go(to);
  };
  const jump = (text, name, to) => cvButton(text, name, () => go(to()));
  const node = el("div", { class: "cv-transport" },
    el("span", { class: "cv-group" }, jump("«", "First picture", () => 0), jump("−10", "Ten pictures back", () => st.at - 10),
      jump("−1", "A picture back", () => st.at - 1), play, jump("+1", "A picture on", () => st.at + 1),
      jump("+10", "Ten pictures on", () => st.at + 10), jump("»", "Last picture", () => st.line.count - 1)),
    slider, el("span", { class: "cv-group" }, number, readout));
  return {
    node,
    show() {
      slider.max = number.max = st.line.count - 1;
      slider.value = st.at;
      slider.setAttribute("aria-valuetext", `picture ${st.at} of ${st.line.count}`);
      if (document.activeElement !== number || number.getAttribute("aria-invalid") === null) number.value = st.at;
      cvSay(readout, `of ${st.line.count} · ${(st.line.begin_s + st.at / st.line.rate).toFixed(2)} s`);
    },
  };
}

// Keys of the whole view. Where a key means something to the control that has the focus, it is that control's.
function cvKeys({ st, go, does }) {
  return (event) => {
    event.stopPropagation(); // JupyterLab would take arrows and letters for its own
    const { target, key } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || target.matches("select, input[type=number]")) return;
    const isField = target.matches("input, summary"), isButton = target.matches("button");
    const step = { ",": -1, ".": 1, "<": -10, ">": 10 }[key]
      ?? (isField ? undefined : { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[key]);
    if (step) go(st.at + step * (event.shiftKey && key.startsWith("Arrow") ? 10 : 1));
    else if ((key === "Home" || key === "End") && !isField) go(key === "Home" ? 0 : st.line.count - 1);
    else if (key === " " ? !isField && !isButton : does[key]) does[key]();
    else return;
    event.preventDefault();
  };
}
