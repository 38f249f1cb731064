// Plays a short loop at its real frame rate from memory: frames are fetched and decoded first, within a memory limit,
// and then shown by the clock.

const CV_DECODED_BYTES = 160e6; // all frames of a loop together
const CV_MIN_WIDTH = 240, CV_AT_ONCE = 4;

// `now()` → { keys, at, count, rate, size, wide, mark }: the state of the view; `mark` changes with the shown videos or mode.
function cvLoop({ fetch, now, show, report, ended }) {
  let from = null, to = null, isOn = false, speed = 1, turn = 0, bitmaps = new Map(), bitmapsMark = "";
  const range = () => {
    const { at, count, rate } = now();
    if (from !== null && to !== null) return [Math.min(from, to), Math.min(count - 1, Math.max(from, to))];
    const most = Math.max(2, Math.round(2 * rate));
    const start = from ?? (to !== null ? Math.max(0, to - most + 1) : Math.max(0, Math.min(at, count - most)));
    return [start, to ?? Math.min(count - 1, start + most - 1)];
  };
  // The largest frames that fit into memory; if even small frames do not fit, a shorter loop.
  const plan = () => {
    const { keys, size, wide } = now();
    let [first, last] = range();
    const shape = size[1] / size[0];
    const fits = (length) => Math.floor(Math.sqrt(CV_DECODED_BYTES / (4 * length * keys.length * shape)));
    const longest = Math.floor(CV_DECODED_BYTES / (4 * CV_MIN_WIDTH * CV_MIN_WIDTH * shape * keys.length));
    const isCut = last - first + 1 > longest;
    if (isCut) last = first + longest - 1;
    return { first, last, isCut, width: Math.min(wide, Math.max(CV_MIN_WIDTH, fits(last - first + 1))) };
  };
  const forget = () => {
    for (const bitmap of bitmaps.values()) bitmap.close();
    bitmaps = new Map();
  };
  const fill = async ({ first, last, width }, ownTurn) => {
    const { keys, mark } = now();
    const wantedMark = `${mark}|${width}`;
    if (bitmapsMark !== wantedMark) forget();
    bitmapsMark = wantedMark;
    const place = (key, at) => `${key}|${at}`;
    for (const one of [...bitmaps.keys()]) {
      const at = Number(one.split("|")[1]);
      if (at < first || at > last) { bitmaps.get(one).close(); bitmaps.delete(one); }
    }
    while (isOn && ownTurn === turn) {
      const missing = [];
      for (let at = first; at <= last; at++) if (keys.some((key) => !bitmaps.has(place(key, at)))) missing.push(at);
      if (!missing.length) return true;
      const length = last - first + 1;
      report(`Buffering ${length - missing.length} of ${length} frames`);
      for (const { key, at, blob } of await fetch(keys, missing.slice(0, CV_AT_ONCE), width)) {
        const bitmap = await createImageBitmap(blob);
        if (ownTurn !== turn || bitmapsMark !== wantedMark) bitmap.close();
        else bitmaps.set(place(key, at), bitmap);
      }
    }
    return false;
  };
  const run = ({ first, last, isCut, width }, ownTurn) => {
    const { keys, rate, size } = now();
    const length = last - first + 1, began = performance.now();
    let lastStep = -1, drawn = 0;
    const small = width < Math.min(size[0], now().wide) ? `, ${width} px wide to fit the buffer` : "";
    const cut = isCut ? `, cut to ${length} frames to fit the buffer` : "";
    const tick = (time) => {
      if (!isOn || ownTurn !== turn) return;
      const passed = Math.max(0, time - began) / 1000;
      const step = Math.floor(passed * rate * speed);
      if (step !== lastStep) {
        lastStep = step;
        drawn++;
        const at = first + (step % length);
        show(at, keys.map((key) => bitmaps.get(`${key}|${at}`)));
        if (drawn % 12 === 0) {
          report(`Playing ${((drawn - 1) / passed).toFixed(1)} of ${(rate * speed).toFixed(rate * speed % 1 ? 1 : 0)} frames per second${small}${cut}`);
        }
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  };
  const stop = () => {
    if (!isOn) return;
    isOn = false;
    turn++;
    report("");
    ended();
  };
  return {
    isOn: () => isOn,
    range: () => (from === null && to === null ? null : range()),
    async play() {
      const ownTurn = ++turn;
      isOn = true;
      const planned = plan();
      if (await fill(planned, ownTurn)) run(planned, ownTurn);
    },
    stop,
    mark(which, at) {
      if (which === "in") from = at;
      if (which === "out") to = at;
      if (which === "none") from = to = null;
    },
    speed(to_) { speed = to_; },
    close() { stop(); forget(); },
  };
}
