// A pane that shows one to four images of the same scene over each other, separated by dividers that the user can drag.
// No dependency; its styles are in wipe.css. The file defines only `wipePane`, so it can come first in a bundle.
//
//   const pane = wipePane({ names: ["Before", "After"], label: "Preview", width: 1920, height: 1080 });
//   parent.append(pane.root);
//   await pane.show(0, blob);          // Blob, blob: or data: URL, ImageBitmap, canvas; null clears the layer.
//                                      // true when it is drawn, false when a newer image replaced it first
//   pane.show(0, sharp, [l, t, w, h])  // a detail at full resolution over a part of the last image, in shares of 1
//   pane.setDivider(0.3)               // share of the pane's width; setDivider(0.6, 1) moves the second of several
//   pane.setZoom("fit")                // or "1:1" (one image pixel on one screen pixel), or a factor: 1 fits
//   pane.setView({ zoom, x, y })       // x, y: the point of the image in the middle of the pane, in shares of 1
//   pane.view()                        // { zoom, x, y, percent, box: [l, t, w, h] of the visible part, in shares of 1,
//                                      //   wide: screen pixels that the whole image would cover }
//   pane.only(1)                       // show only this image; null: show all of them, divided
//   pane.setNames([...]), pane.setSize(width, height), pane.busy(true), pane.canvas(0), pane.close()
//   const off = pane.on("view", fn)    // "view": as view(); "divider": shares; "point": { x, y } under the pointer
//                                      //   in shares of 1, or null when it leaves; "shown": layer number
//
// `width` and `height` are those of the image at full size; a shown image may be smaller and is scaled up. Without them
// the size of the first image is used. All images cover the same rectangle.
//
// Mouse and touch: drag the divider (also from anywhere in the pane, while the whole image is visible), drag the image
// when zoomed in, zoom with Ctrl and wheel or with two fingers, double-click to switch between 1:1 and fit. Keys: on a
// divider arrows, Shift for ten steps, Page, Home and End; on the pane + - 0 (fit) 1 (1:1), and arrows when zoomed in.
// A handled key is default-prevented and still bubbles. Above 100 % pixels are drawn as squares.
function wipePane({ names, label = "Pictures", width = 0, height = 0, divider = null }) {
  const count = names.length;
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const between = (value) => clamp(value, 0, 1);
  const listeners = {};
  const emit = (event, value) => (listeners[event] ?? []).forEach((fn) => fn(value));

  let shares = names.slice(1).map((_, at) => (Array.isArray(divider) ? divider[at] : count === 2 ? divider : null) ?? (at + 1) / count);
  let zoom = 1, x = 0.5, y = 0.5, alone = null, isSized = Boolean(width && height), isClosed = false;

  const layers = names.map(() => {
    const picture = make("canvas", { class: "wp-picture", width: 1, height: 1 });
    const detail = make("canvas", { class: "wp-picture", width: 1, height: 1, hidden: "" });
    const name = make("span", { class: "wp-name", "aria-hidden": "true" });
    const node = make("div", { class: "wp-layer", role: "img" }, picture, detail, name);
    return { node, picture, detail, name, newest: 0, box: null };
  });
  const handles = shares.map((_, at) => {
    const handle = make("div", {
      class: "wp-handle", role: "slider", tabindex: "0", "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal",
    }, make("span", { class: "wp-grip", "aria-hidden": "true" }));
    handle.addEventListener("keydown", (event) => divide(event, at));
    return handle;
  });
  const badge = make("span", { class: "wp-badge", role: "status" });
  const root = make("div", { class: count > 2 ? "wp-pane wp-many" : "wp-pane", role: "group", tabindex: "0" },
    ...layers.map((layer) => layer.node), ...handles, badge, make("span", { class: "wp-bar", "aria-hidden": "true" }));

  // Geometry -----------------------------------------------------------------------------------------------------
  const wide = () => root.clientWidth || 1;
  const exact = () => (width || wide()) / (wide() * (window.devicePixelRatio || 1)); // the zoom at which it is 1:1
  const view = () => {
    const span = Math.min(1, 1 / zoom);
    return {
      zoom, x, y, percent: Math.round((100 * zoom) / exact()), wide: Math.round(wide() * zoom * (window.devicePixelRatio || 1)),
      box: [clamp(x - span / 2, 0, 1), clamp(y - span / 2, 0, 1), span, span],
    };
  };

  const place = (canvas, [left, top, across, down]) => {
    canvas.style.left = `${100 * (0.5 + (left - x) * zoom)}%`;
    canvas.style.top = `${100 * (0.5 + (top - y) * zoom)}%`;
    canvas.style.width = `${100 * across * zoom}%`;
    canvas.style.height = `${100 * down * zoom}%`;
  };
  const draw = () => {
    const isSharp = zoom > exact() * 1.001;
    layers.forEach((layer, at) => {
      const left = alone === null && at ? shares[at - 1] : 0;
      const right = alone === null && at < count - 1 ? shares[at] : 1;
      layer.node.style.clipPath = `inset(0 ${100 * (1 - right)}% 0 ${100 * left}%)`;
      layer.node.hidden = alone !== null && alone !== at;
      const isLast = at && at === count - 1 && alone === null;
      layer.name.style.left = isLast ? "auto" : `calc(${100 * left}% + ${at ? 10 : 8}px)`;
      layer.name.style.right = isLast ? "8px" : "auto";
      if (count > 2) layer.name.style.maxWidth = alone === null ? `calc(${100 * (right - left)}% - 18px)` : "";
      place(layer.picture, [0, 0, 1, 1]);
      if (layer.box) place(layer.detail, layer.box);
      layer.picture.classList.toggle("wp-sharp", isSharp);
      layer.detail.classList.toggle("wp-sharp", isSharp);
    });
    handles.forEach((handle, at) => {
      handle.hidden = alone !== null;
      handle.style.left = `${100 * shares[at]}%`;
      handle.setAttribute("aria-valuenow", Math.round(100 * shares[at]));
      handle.setAttribute("aria-valuetext", `${Math.round(100 * shares[at])} %`);
    });
    root.classList.toggle("wp-zoomed", zoom > 1.001);
    const text = Math.abs(zoom - 1) > 0.001 ? `${view().percent} %` : "";
    if (badge.textContent !== text) badge.textContent = text;
  };

  // Methods ------------------------------------------------------------------------------------------------------
  const setDivider = (share, at = 0) => {
    if (!(at in shares)) return;
    shares = shares.map((one, other) => (other === at ? clamp(share, shares[at - 1] ?? 0, shares[at + 1] ?? 1) : one));
    draw();
    emit("divider", [...shares]);
  };
  const setView = (to) => {
    const least = Math.min(1, exact()), most = Math.max(8, 32 * exact());
    const before = [zoom, x, y];
    zoom = clamp(to.zoom ?? zoom, least, most);
    const half = Math.min(0.5, 0.5 / zoom);
    x = clamp(to.x ?? x, half, 1 - half);
    y = clamp(to.y ?? y, half, 1 - half);
    draw();
    if (before[0] !== zoom || before[1] !== x || before[2] !== y) emit("view", view());
  };
  // The point under the pointer stays under the pointer.
  const zoomTo = (factor, at = [0.5, 0.5]) => {
    const under = [x + (at[0] - 0.5) / zoom, y + (at[1] - 0.5) / zoom];
    const to = clamp(factor, Math.min(1, exact()), Math.max(8, 32 * exact()));
    setView({ zoom: to, x: under[0] - (at[0] - 0.5) / to, y: under[1] - (at[1] - 0.5) / to });
  };
  const setZoom = (to, at) => zoomTo(to === "fit" ? 1 : to === "1:1" ? exact() : to, at);
  const setSize = (across, down) => {
    width = across;
    height = down;
    isSized = true;
    root.style.setProperty("--wp-shape", `${across / down}`);
    draw();
  };
  const setNames = (to) => {
    layers.forEach((layer, at) => {
      layer.name.textContent = to[at] ?? "";
      layer.node.setAttribute("aria-label", to[at] || `Picture ${at + 1}`);
    });
    handles.forEach((handle, at) => handle.setAttribute("aria-label", `Divider between ${to[at]} and ${to[at + 1]}`));
  };
  const decoded = async (picture) => {
    if (picture instanceof Blob) return createImageBitmap(picture);
    if (typeof picture !== "string") return picture;
    const image = new Image();
    image.src = picture;
    await image.decode();
    return image;
  };
  const show = async (at, picture, box = null) => {
    const layer = layers[at];
    const number = ++layer.newest;
    const image = picture === null ? null : await decoded(picture);
    const isLate = isClosed || layer.newest !== number;
    if (image && !isLate) {
      const [across, down] = [image.naturalWidth || image.width, image.naturalHeight || image.height];
      const canvas = box ? layer.detail : layer.picture;
      canvas.width = across; // this also clears it
      canvas.height = down;
      canvas.getContext("2d").drawImage(image, 0, 0);
      if (!isSized && !box) setSize(across, down);
    } else if (!isLate) {
      layer.picture.width = layer.picture.height = 1;
    }
    if (image instanceof ImageBitmap && image !== picture) image.close();
    if (isLate) return false;
    layer.box = image ? box : null;
    layer.detail.hidden = !layer.box;
    draw();
    emit("shown", at);
    return true;
  };

  // Pointers and keys --------------------------------------------------------------------------------------------
  function divide(event, at) {
    const step = event.shiftKey ? 0.1 : 0.01;
    const to = {
      ArrowLeft: shares[at] - step, ArrowDown: shares[at] - step, ArrowRight: shares[at] + step, ArrowUp: shares[at] + step,
      PageDown: shares[at] - 0.1, PageUp: shares[at] + 0.1, Home: 0, End: 1,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    setDivider(Math.round(1000 * to) / 1000, at);
  }
  const onKey = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = (event.shiftKey ? 0.5 : 0.1) / zoom;
    const pan = zoom > 1.001 && event.target === root
      ? { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] : undefined;
    const to = { "+": zoom * 1.25, "=": zoom * 1.25, "-": zoom / 1.25, _: zoom / 1.25, 0: "fit", 1: "1:1" }[event.key];
    if (pan) setView({ x: x + pan[0], y: y + pan[1] });
    else if (to !== undefined) setZoom(to);
    else return;
    event.preventDefault();
  };
  const share = (event) => {
    const around = root.getBoundingClientRect();
    return [(event.clientX - around.left) / around.width, (event.clientY - around.top) / around.height];
  };
  const pointers = new Map();
  let dragged = null; // the number of a divider, or "pan"
  const spread = () => {
    const [one, other] = [...pointers.values()];
    return { far: Math.hypot(one[0] - other[0], (one[1] - other[1]) / (width / height || 1)), middle: [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2] };
  };
  const nearest = (at, reach) => {
    const far = shares.map((one) => Math.abs(one - at[0]) * wide());
    const best = far.indexOf(Math.min(...far));
    return alone === null && best >= 0 && far[best] <= reach ? best : null;
  };
  const onDown = (event) => {
    if (event.button) return;
    const at = share(event);
    emit("point", { x: x + (at[0] - 0.5) / zoom, y: y + (at[1] - 0.5) / zoom }); // a touch also counts as pointing
    pointers.set(event.pointerId, at);
    root.setPointerCapture(event.pointerId);
    const handle = nearest(at, event.pointerType === "touch" ? 28 : 14);
    dragged = handle ?? (zoom > 1.001 ? "pan" : nearest(at, Infinity)) ?? "pan";
    if (dragged === "pan") return;
    event.preventDefault(); // selects no text; the focus is set below
    handles[dragged].focus({ preventScroll: true });
    if (pointers.size === 1) setDivider(between(at[0]), dragged);
  };
  const onMove = (event) => {
    const at = share(event);
    const last = pointers.get(event.pointerId);
    if (!last) return emit("point", { x: x + (at[0] - 0.5) / zoom, y: y + (at[1] - 0.5) / zoom });
    if (pointers.size === 2) {
      const before = spread();
      pointers.set(event.pointerId, at);
      const after = spread();
      const by = [after.middle[0] - before.middle[0], after.middle[1] - before.middle[1]];
      zoomTo((zoom * after.far) / (before.far || 1), after.middle);
      return setView({ x: x - by[0] / zoom, y: y - by[1] / zoom });
    }
    pointers.set(event.pointerId, at);
    if (dragged === "pan") setView({ x: x - (at[0] - last[0]) / zoom, y: y - (at[1] - last[1]) / zoom });
    else setDivider(between(at[0]), dragged);
  };
  const onUp = (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size) dragged = "pan";
  };
  root.addEventListener("keydown", onKey);
  root.addEventListener("pointerdown", onDown);
  root.addEventListener("pointermove", onMove);
  root.addEventListener("pointerup", onUp);
  root.addEventListener("pointercancel", onUp);
  root.addEventListener("pointerleave", () => emit("point", null));
  root.addEventListener("dblclick", (event) => setZoom(zoom > 1.001 ? "fit" : exact() > 1.001 ? "1:1" : 4, share(event)));
  root.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    zoomTo(zoom * Math.exp(-clamp(event.deltaY, -60, 60) / 200), share(event));
  }, { passive: false });
  const resized = new ResizeObserver(() => { setView({}); emit("view", view()); });
  resized.observe(root);

  root.setAttribute("aria-label", label);
  setNames(names);
  if (isSized) setSize(width, height);
  draw();
  return {
    root, show, setDivider, setZoom, setView, view, setSize, setNames,
    canvas: (at) => layers[at].picture,
    only(at) { alone = at; draw(); },
    busy(is) { root.classList.toggle("wp-busy", is); root.setAttribute("aria-busy", String(is)); },
    on(event, fn) {
      (listeners[event] ??= []).push(fn);
      return () => { listeners[event] = listeners[event].filter((one) => one !== fn); };
    },
    close() { isClosed = true; resized.disconnect(); },
  };
}
