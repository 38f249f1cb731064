// What is looked at is asked of Python, kept for a while, and drawn: all pictures of a moment at once.

const CV_SHELF_BYTES = 48e6;

// `st` is the view's state: line, at, mode, gain, direction, apart. `drawn(isOld)` is told when a moment is drawn.
function cvLooker({ asker, stage, loop, st, drawn }) {
  const shelf = cvShelf(CV_SHELF_BYTES);
  let detailing = 0, isGone = false;
  const wide = () => {
    const pixels = Math.max(...[...stage.node.children].map((pane) => pane.clientWidth), 320) * (window.devicePixelRatio || 1);
    return Math.min(st.line.size[0], Math.ceil(pixels / 160) * 160);
  };
  // Names what is looked at, whenever that is: other videos, another mode, another gain are other pictures.
  const mark = () => `${st.line.shown}|${stage.keys()}|${st.mode === "difference" ? st.gain : ""}`;
  const shelved = (key, when, width) => `${mark()}|${key}|${when}|${width}`;
  const fetch = async (what, keys, ats, width, more = {}) => {
    const answer = await asker.ask(what, { keys, ats, width, gain: st.gain, shown: st.line.shown, ...more });
    return (answer.pictures ?? []).map((told, one) => ({ ...told, blob: new Blob([answer.buffers[one]]) }));
  };
  const store = (found, width) => {
    for (const one of found) shelf.put(shelved(one.key, one.at, width), Object.assign(one.blob, { told: one }));
  };
  const look = cvNewest(async (_, isOld) => {
    const [when, keys, width, asked] = [st.at, stage.keys(), wide(), mark()];
    const missing = keys.filter((key) => !shelf.has(shelved(key, when, width)));
    if (missing.length) {
      stage.busy(true);
      const found = await fetch("look", missing, [when], width);
      if (asked === mark()) store(found, width);
    }
    const blobs = keys.map((key) => shelf.get(shelved(key, when, width)));
    if (isGone || asked !== mark() || blobs.some((blob) => !blob)) return stage.busy(false);
    // All are decoded before the first is drawn: no pane is ever a picture ahead.
    const bitmaps = await Promise.all(blobs.map((blob) => createImageBitmap(blob)));
    if (asked === mark() && !loop.isOn()) {
      await stage.draw(bitmaps);
      st.apart = Object.fromEntries(blobs.map((blob, one) => [keys[one], blob.told]));
      drawn(when, isOld());
      stage.busy(isOld());
      if (!isOld()) { sharpen(); ahead([keys, width]); }
    }
    bitmaps.forEach((bitmap) => bitmap.close());
  });
  const ahead = cvNewest(async ([keys, width]) => {
    const next = [st.at + st.direction, st.at + 2 * st.direction].filter((one) => one >= 0 && one < st.line.count
      && keys.some((key) => !shelf.has(shelved(key, one, width))));
    if (!next.length || loop.isOn()) return;
    const asked = mark();
    const found = await fetch("ahead", keys, next, width);
    if (asked === mark()) store(found, width);
  });
  // Zoomed in beyond what travelled: that stretch once more, at full resolution.
  const sharpen = () => {
    clearTimeout(detailing);
    const { zoom, box } = stage.view();
    if (zoom <= 1.05 || wide() >= st.line.size[0] || loop.isOn()) return;
    detailing = setTimeout(async () => {
      const [when, asked, keys] = [st.at, mark(), stage.keys()];
      const start = [0, 1].map((d) => Math.max(0, box[d] - 0.05 * box[2 + d]));
      const around = [...start, ...[0, 1].map((d) => Math.min(1, box[d] + 1.05 * box[2 + d]) - start[d])];
      const found = await fetch("detail", keys, [when], Math.min(2400, Math.ceil(around[2] * st.line.size[0])), { box: around });
      const bitmaps = await Promise.all(found.map((one) => createImageBitmap(one.blob)));
      const isStill = when === st.at && asked === mark() && !loop.isOn() && !isGone;
      if (isStill && bitmaps.length === keys.length) await stage.draw(bitmaps, around);
      bitmaps.forEach((bitmap) => bitmap.close());
    }, 120);
  };
  return { look, sharpen, fetch, wide, mark, clear: () => shelf.clear(), close: () => { isGone = true; clearTimeout(detailing); } };
}
