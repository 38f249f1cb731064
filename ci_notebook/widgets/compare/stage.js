// The panes of a mode, all with the same zoom and position, and the loupe below them.

const CV_GRID = 17, CV_CROP = 64; // px of the largest video: size of the loupe, and of the area that is fetched around it

// `onView(view)` is called after zoom and pan, `onPoint(point)` for each position of the pointer.
function cvStage({ onView, onPoint }) {
  const node = el("div", { class: "cv-stage" });
  let panes = [], places = [], mode = "", flicker = 0, lit = 0, isFollowing = false;
  const each = (work) => panes.forEach(work);
  const swap = () => {
    lit = (lit + 1) % places.length;
    panes[0].only(lit);
  };
  return {
    node,
    keys: () => places.map((place) => place.key),
    canvases: () => places.map((place) => place.pane.canvas(place.at)),
    view: () => panes[0].view(),
    build(to, names, size) {
      const before = panes.length ? panes[0].view() : null;
      this.stop();
      each((pane) => pane.close());
      mode = to;
      node.dataset.mode = mode;
      const many = mode === "side" || mode === "difference";
      const shown = mode === "difference" ? names.slice(1) : names;
      const make = (own, label) => wipePane({ names: own, label, width: size[0], height: size[1] });
      panes = many ? shown.map((name) => make([name], name)) : [make(names, mode === "wipe" ? "Wipe" : "Flicker")];
      places = shown.map((_, at) => ({ pane: many ? panes[at] : panes[0], at: many ? 0 : at, key: mode === "difference" ? `${at + 1}-0` : `${at}` }));
      node.dataset.panes = panes.length;
      node.replaceChildren(...panes.map((pane) => pane.root));
      lit = 0;
      if (mode === "flicker") panes[0].only(0);
      each((pane) => {
        if (before) pane.setView(before);
        pane.on("view", (view) => {
          if (isFollowing) return;
          isFollowing = true;
          each((other) => { if (other !== pane) other.setView({ zoom: view.zoom, x: view.x, y: view.y }); });
          isFollowing = false;
          onView(view);
        });
        pane.on("point", (point) => { if (point) onPoint(point); });
      });
    },
    draw: (images, box) => Promise.all(places.map((place, at) => images[at] && place.pane.show(place.at, images[at], box))),
    name(names) {
      if (mode === "wipe" || mode === "flicker") panes[0].setNames(names);
      else each((pane, at) => pane.setNames([names[at]]));
    },
    busy: (is) => each((pane) => pane.busy(is)),
    zoom: (to) => panes[0].setZoom(to),
    zoomBy: (factor) => panes[0].setZoom(panes[0].view().zoom * factor),
    swap: () => { if (mode === "flicker") swap(); },
    start(perSecond) {
      clearInterval(flicker);
      flicker = setInterval(swap, 1000 / perSecond);
    },
    stop() { clearInterval(flicker); flicker = 0; },
    isFlickering: () => flicker !== 0,
    close() { this.stop(); each((pane) => pane.close()); },
  };
}

// Size of a frame after padding: Python pads frames to the aspect ratio of the largest.
function cvPadded([wide, high], shape) {
  const wantedRatio = shape[0] / shape[1];
  if (Math.abs((wantedRatio * high) / wide - 1) <= 0.005) return [wide, high];
  return wantedRatio > wide / high ? [Math.round(high * wantedRatio), high] : [wide, Math.round(wide / wantedRatio)];
}

// Single pixels of each video, enlarged, with their values. `fetch(box)` → blobs in the order of the sides.
function cvLoupe({ fetch }) {
  const node = el("section", { class: "cv-loupe", hidden: true, tabindex: "0", "aria-label": "Loupe: arrow keys move it by a pixel, with Shift by ten" });
  let parts = [], sides = [], size = [1, 1], at = [0.5, 0.5], crop = null;
  const spot = (side) => {
    const [wide, high] = cvPadded(side.size, size);
    return [Math.min(wide - 1, Math.floor(at[0] * wide)), Math.min(high - 1, Math.floor(at[1] * high)), wide, high];
  };
  const draw = () => {
    const rows = parts.map((part, one) => {
      const [x, y, wide, high] = spot(sides[one]);
      const grid = Math.max(3, 2 * Math.floor((CV_GRID * wide) / size[0] / 2) + 1);
      const left = x - Math.floor(crop.box[0] * wide + 1e-6), top = y - Math.floor(crop.box[1] * high + 1e-6);
      const to = part.canvas.getContext("2d"), cell = part.canvas.width / grid, half = (grid - 1) / 2;
      to.imageSmoothingEnabled = false;
      to.fillStyle = "#16181b";
      to.fillRect(0, 0, part.canvas.width, part.canvas.height);
      to.drawImage(crop.canvases[one], left - half, top - half, grid, grid, 0, 0, part.canvas.width, part.canvas.height);
      to.strokeStyle = "#000";
      to.strokeRect(half * cell - 0.5, half * cell - 0.5, cell + 1, cell + 1);
      to.strokeStyle = "#fff";
      to.strokeRect(half * cell + 0.5, half * cell + 0.5, cell - 1, cell - 1);
      return { x, y, value: crop.canvases[one].getContext("2d").getImageData(left, top, 1, 1).data };
    });
    rows.forEach(({ x, y, value }, one) => {
      const apart = one ? [0, 1, 2].map((c) => value[c] - rows[0].value[c]).map((by) => (by > 0 ? `+${by}` : `${by}`.replace("-", "−"))) : null;
      cvText(parts[one].value, `R ${value[0]}  G ${value[1]}  B ${value[2]}`);
      cvText(parts[one].apart, apart ? `difference ${apart.join(" ")}` : "");
      cvText(parts[one].place, `x ${x}, y ${y}`);
    });
  };
  const look = cvNewest(async () => {
    if (node.hidden || !sides.length) return;
    const reach = [CV_CROP / size[0] / 2, CV_CROP / size[1] / 2], need = [CV_GRID / size[0] / 2, CV_GRID / size[1] / 2];
    const within = crop && [0, 1].every((d) => Math.max(0, at[d] - need[d]) >= crop.box[d] - 1e-9
      && Math.min(1, at[d] + need[d]) <= crop.box[d] + crop.box[d + 2] + 1e-9);
    if (!within) {
      const start = [0, 1].map((d) => Math.max(0, at[d] - reach[d]));
      const box = [...start, ...[0, 1].map((d) => Math.min(1, at[d] + reach[d]) - start[d])];
      const blobs = await fetch(box);
      if (!blobs) return;
      const canvases = await Promise.all(blobs.map(async (blob) => {
        const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
        canvas.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0);
        bitmap.close();
        return canvas;
      }));
      if (canvases.length !== parts.length) return;
      crop = { box, canvases };
    }
    draw();
  });
  node.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 1;
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!by || event.target !== node) return;
    event.preventDefault();
    at = [0, 1].map((d) => Math.min(1 - 0.5 / size[d], Math.max(0.5 / size[d], at[d] + (by[d] * step) / size[d])));
    look();
  });
  return {
    node,
    build(names, ownSides, ownSize) {
      [sides, size, crop] = [ownSides, ownSize, null];
      parts = names.map((name) => ({
        canvas: el("canvas", { width: 170, height: 170, role: "img", "aria-label": `Pixels of ${name}` }),
        name: el("figcaption", { text: name }), place: el("span", { class: "cv-soft" }),
        value: el("code", { class: "cv-value" }), apart: el("code", { class: "cv-apart" }),
      }));
      node.replaceChildren(...parts.map((part) => el("figure", {}, part.canvas, el("div", {}, part.name, part.value, part.apart, part.place))));
    },
    open(is) { node.hidden = !is; if (is) look(); },
    point(x, y) { at = [x, y]; look(); },
    stale() { crop = null; look(); },
  };
}
