// The preview pane: a picture of the clip before and after, at any time of it, while a hand moves a slider.
// One question is under way at a time, always with what is held then: so no move is lost, and none queues up.

const SIGHT_PATIENCE_MS = 20000; // a kernel that is busy with a cell answers when it is done

function makeSight(model, view) {
  if (!model.get("offers").includes("preview")) return null;
  const id = view.id();
  const pane = wipePane({ names: ["Before", "After"], label: "Preview" });
  pane.root.style.setProperty("--wp-most", "52vh");
  const error = el("div", { class: "ci-error", role: "alert" });
  const said = el("p", { class: "ci-help", role: "status" });
  const scrub = el("input", {
    type: "range", class: "ci-slider", id: `${id}-t`, min: 0, max: 0, step: 1, value: 0,
    oninput: () => { atS = Number(scrub.value) / rate; name(); look(); },
  });
  const time = el("output", { class: "ci-sight-time", for: `${id}-t` });
  const zoom = (to, text, label) => el("button", { type: "button", class: "ci-quiet", text, "aria-label": label, onclick: () => pane.setZoom(to) });
  const node = el(
    "section", { class: "ci-sight", "aria-label": "Preview" },
    el("div", { class: "ci-sight-head" }, el("h4", { text: "Preview" }), zoom("fit", "Fit", "Fit the preview"), zoom("1:1", "1:1", "Preview pixel by pixel")),
    pane.root,
    el("div", { class: "ci-sight-line" }, el("label", { for: `${id}-t`, text: "Time" }), scrub, time),
    said, error,
  );

  let held = { values: {}, on: [] }, seen = "", rate = 25, atS = null, has = null, size = null;
  let number = 0, underWay = 0, isDue = false, isVisible = false, timer = 0;

  const name = () => {
    const picture = Number(scrub.value);
    setText(time, `${(picture / rate).toFixed(2)} s`);
    scrub.setAttribute("aria-valuetext", `${(picture / rate).toFixed(2)} s, picture ${picture + 1} of ${Number(scrub.max) + 1}`);
  };
  const look = () => {
    isDue = true;
    if (underWay || !isVisible) return;
    isDue = false;
    underWay = ++number;
    const at = pane.view(), isWhole = at.zoom <= 1.001;
    const width = Math.round((pane.root.clientWidth || 320) * Math.min(2, window.devicePixelRatio || 1));
    model.send({ do: "sight", view: id, number, ...held, at_s: atS, width, box: isWhole ? null : at.box, has });
    pane.busy(true);
    timer = setTimeout(() => { underWay = 0; if (isDue) look(); }, SIGHT_PATIENCE_MS);
  };
  const receive = async (message, buffers) => {
    if (message.do !== "sight" || message.view !== id || message.number !== underWay) return;
    clearTimeout(timer);
    setText(error, message.error ?? "");
    if (buffers?.length) await draw(message, buffers);
    underWay = 0;
    pane.busy(isDue);
    if (isDue) look();
  };
  const draw = async (message, buffers) => {
    const [after, before] = buffers.map((one) => new Blob([one], { type: "image/jpeg" }));
    ({ rate } = message);
    has = message.key;
    scrub.max = Math.max(0, Math.round(message.seconds * rate) - 1);
    if (atS === null) {
      atS = message.at_s;
      scrub.value = Math.round(atS * rate);
      name();
    }
    if (`${size}` !== `${message.size}`) pane.setSize(...(size = message.size));
    const box = message.box.join() === "0,0,1,1" ? null : message.box;
    await Promise.all([before && pane.show(0, before, box), pane.show(1, after, box)]);
    marks.show(message.places);
    const unshown = message.unshown.length ? `One picture does not show ${message.unshown.join(" and ")}.` : "";
    setText(said, [message.note, unshown].filter(Boolean).join(" "));
    node.dataset.shown = message.number;
  };
  const marks = makeMarks(pane, view, () => held.values, () => size, (text) => setText(said, text));

  // What lies outside the window is not looked at.
  const watch = new IntersectionObserver(([entry]) => {
    isVisible = entry.isIntersecting;
    if (isVisible && isDue) look();
  });
  watch.observe(node);
  const off = pane.on("view", () => { marks.place(); if (size) look(); });
  model.on("msg:custom", receive);
  return {
    node,
    show({ values, on }) {
      const now = JSON.stringify([values, on]);
      held = { values, on };
      if (now === seen) return;
      seen = now;
      look();
    },
    end() {
      clearTimeout(timer);
      off();
      watch.disconnect();
      pane.close();
      model.off("msg:custom", receive);
    },
  };
}

// The marks' places on the picture, to be dragged or moved by arrows: what Pos leaves free goes into Dx and Dy.
function makeMarks(pane, view, values, size, say) {
  const boxes = [];
  const layer = el("div", { class: "ci-marks" });
  pane.root.append(layer);

  const free = (mark) => {
    const pos = values()[`Watermark.${mark}.Pos`] ?? "TopLeft";
    return { pos, x: /Left|Right/.test(pos), y: /Top|Bottom/.test(pos) };
  };
  // Offsets count from the anchored edges inwards, in px or in percent of the side.
  const offset = (mark, which, to, own) => {
    const across = which === "Dx";
    const side = size()[across ? 0 : 1], { pos } = free(mark);
    const px = pos.includes(across ? "Right" : "Bottom") ? side - own - to : to;
    const isShare = values()[`Watermark.${mark}.LocMode`] === "Relativity";
    return String(isShare ? Math.round((1000 * px) / side) / 10 : Math.round(px));
  };
  const move = (box, left, top, isDone) => {
    const { place, mark } = box, can = free(mark), [wide, high] = size();
    const within = (to, own, side) => Math.min(Math.max(0, side - own), Math.max(0, to));
    if (!can.x && !can.y) say(`Pos ${can.pos} takes no offset: choose another to move the mark.`);
    if (can.x) place[0] = within(left, place[2], wide);
    if (can.y) place[1] = within(top, place[3], high);
    lay(box);
    if (can.x) view.edit(`Watermark.${mark}.Dx`, offset(mark, "Dx", place[0], place[2]), isDone);
    if (can.y) view.edit(`Watermark.${mark}.Dy`, offset(mark, "Dy", place[1], place[3]), isDone);
  };
  const lay = ({ node, place, mark }) => {
    const { zoom, x, y } = pane.view(), [wide, high] = size(), [left, top, own, tall] = place;
    node.style.left = `${100 * (0.5 + (left / wide - x) * zoom)}%`;
    node.style.top = `${100 * (0.5 + (top / high - y) * zoom)}%`;
    node.style.width = `${(100 * own * zoom) / wide}%`;
    node.style.height = `${(100 * tall * zoom) / high}%`;
    const given = values(), unit = given[`Watermark.${mark}.LocMode`] === "Relativity" ? " %" : " px";
    const at = ["Dx", "Dy"].map((one) => `${one} ${given[`Watermark.${mark}.${one}`] ?? 0}${unit}`).join(", ");
    node.setAttribute("aria-label", `Watermark ${mark} at ${free(mark).pos}, ${at}. Arrow keys move it.`);
  };
  const make = (mark) => {
    const box = { mark, place: [0, 0, 1, 1], from: null };
    const px = () => size()[0] / (pane.root.clientWidth * pane.view().zoom);
    const drag = (event, isDone) => {
      if (!box.from) return;
      event.stopPropagation();
      const [x, y, left, top] = box.from;
      move(box, left + (event.clientX - x) * px(), top + (event.clientY - y) * px(), isDone);
      if (isDone) box.from = null;
    };
    box.node = el("button", {
      type: "button", class: "ci-mark",
      onpointerdown: (event) => {
        event.stopPropagation(); // else the divider would come
        box.node.setPointerCapture(event.pointerId);
        box.node.focus({ preventScroll: true });
        box.from = [event.clientX, event.clientY, box.place[0], box.place[1]];
      },
      onpointermove: (event) => drag(event, false),
      onpointerup: (event) => drag(event, true),
      onpointercancel: () => { box.from = null; },
      ondblclick: (event) => event.stopPropagation(),
      onfocus: () => pane.only(1), // a mark is moved on the picture that has it
      onblur: () => pane.only(null),
      onkeydown: (event) => {
        const step = event.shiftKey ? 10 : 1;
        const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
        if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        move(box, box.place[0] + by[0], box.place[1] + by[1], true);
      },
    });
    layer.append(box.node);
    return box;
  };
  return {
    place: () => boxes.filter(({ node }) => !node.hidden).forEach(lay),
    show(places) {
      while (boxes.length < places.length) boxes.push(make(boxes.length + 1));
      boxes.forEach((box, at) => {
        if (!places[at]) box.node.blur(); // what is hidden under the focus does not tell
        box.node.hidden = !places[at];
        if (!places[at] || box.from) return; // under the hand it lies where the hand is
        box.place = [...places[at]];
        lay(box);
      });
    },
  };
}
