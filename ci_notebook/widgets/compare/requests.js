// Fetches the shown frames from Python, caches them, and draws all frames of a moment at once.

const CV_CACHE_BYTES = 48e6;

// `st` is the state of the view: timeline, at, mode, gain, direction, drawn. `onDraw(at, isOld)` is called after drawing.
function cvFrameLoader({ requests, stage, loop, st, onDraw }) {
  const cache = cvFrameCache(CV_CACHE_BYTES);
  let detailTimer = 0, isClosed = false;
  const wide = () => {
    const pixels = Math.max(...[...stage.node.children].map((pane) => pane.clientWidth), 320) * (window.devicePixelRatio || 1);
    return Math.min(st.timeline.size[0], Math.ceil(pixels / 160) * 160);
  };
  // Identifies the shown videos, mode and gain: a change makes cached frames of other marks useless.
  const mark = () => `${st.timeline.shown}|${stage.keys()}|${st.mode === "difference" ? st.gain : ""}`;
  const cacheKey = (key, when, width) => `${mark()}|${key}|${when}|${width}`;
  const fetch = async (kind, keys, ats, width, more = {}) => {
    const answer = await requests.request(kind, { keys, ats, width, gain: st.gain, shown: st.timeline.shown, ...more });
    return (answer.frames ?? []).map((frame, one) => ({ ...frame, blob: new Blob([answer.buffers[one]]) }));
  };
  const store = (frames, width) => {
    for (const one of frames) cache.put(cacheKey(one.key, one.at, width), Object.assign(one.blob, { frame: one }));
  };
  const load = cvNewest(async (_, isOld) => {
    const [when, keys, width, startMark] = [st.at, stage.keys(), wide(), mark()];
    const missing = keys.filter((key) => !cache.has(cacheKey(key, when, width)));
    if (missing.length) {
      stage.busy(true);
      const frames = await fetch("frames", missing, [when], width);
      if (startMark === mark()) store(frames, width);
    }
    const blobs = keys.map((key) => cache.get(cacheKey(key, when, width)));
    if (isClosed || startMark !== mark() || blobs.some((blob) => !blob)) return stage.busy(false);
    // All frames are decoded before the first is drawn, so that no pane is ahead of the others.
    const bitmaps = await Promise.all(blobs.map((blob) => createImageBitmap(blob)));
    if (startMark === mark() && !loop.isOn()) {
      await stage.draw(bitmaps);
      st.drawn = Object.fromEntries(blobs.map((blob, one) => [keys[one], blob.frame]));
      onDraw(when, isOld());
      stage.busy(isOld());
      if (!isOld()) { sharpen(); prefetch([keys, width]); }
    }
    bitmaps.forEach((bitmap) => bitmap.close());
  });
  const prefetch = cvNewest(async ([keys, width]) => {
    const next = [st.at + st.direction, st.at + 2 * st.direction].filter((one) => one >= 0 && one < st.timeline.count
      && keys.some((key) => !cache.has(cacheKey(key, one, width))));
    if (!next.length || loop.isOn()) return;
    const startMark = mark();
    const frames = await fetch("prefetch", keys, next, width);
    if (startMark === mark()) store(frames, width);
  });
  // When zoomed in beyond the fetched resolution, fetch the visible part again at full resolution.
  const sharpen = () => {
    clearTimeout(detailTimer);
    const { zoom, box } = stage.view();
    if (zoom <= 1.05 || wide() >= st.timeline.size[0] || loop.isOn()) return;
    detailTimer = setTimeout(async () => {
      const [when, startMark, keys] = [st.at, mark(), stage.keys()];
      const start = [0, 1].map((d) => Math.max(0, box[d] - 0.05 * box[2 + d]));
      const around = [...start, ...[0, 1].map((d) => Math.min(1, box[d] + 1.05 * box[2 + d]) - start[d])];
      const frames = await fetch("detail", keys, [when], Math.min(2400, Math.ceil(around[2] * st.timeline.size[0])), { box: around });
      const bitmaps = await Promise.all(frames.map((one) => createImageBitmap(one.blob)));
      const isStill = when === st.at && startMark === mark() && !loop.isOn() && !isClosed;
      if (isStill && bitmaps.length === keys.length) await stage.draw(bitmaps, around);
      bitmaps.forEach((bitmap) => bitmap.close());
    }, 120);
  };
  return { load, sharpen, fetch, wide, mark, clear: () => cache.clear(), close: () => { isClosed = true; clearTimeout(detailTimer); } };
}
