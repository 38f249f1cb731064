// A short loop played at its real rate from memory: pictures are fetched and decoded first, within bounds, and then shown
// by the clock.

const CV_DECODED_BYTES = 160e6; // of all pictures of a loop together
const CV_LEAST_WIDE = 240, CV_AT_ONCE = 4;

// `now()` → { keys, at, count, rate, size, wide, mark }: what a loop is played of; `mark` changes when it is other pictures.
function cvLoop({ fetch, now, show, tell, ended }) {
  let from = null, to = null, isOn = false, speed = 1, turn = 0, held = new Map(), heldMark = "";
  const range = () => {
    const { at, count, rate } = now();
    if (from !== null && to !== null) return [Math.min(from, to), Math.min(count - 1, Math.max(from, to))];
    const most = Math.max(2, Math.round(2 * rate));
    const start = from ?? (to !== null ? Math.max(0, to - most + 1) : Math.max(0, Math.min(at, count - most)));
    return [start, to ?? Math.min(count - 1, start + most - 1)];
  };
  // The largest pictures that fit; when even small ones do not, a shorter loop.
  const plan = () => {
    const { keys, size, wide } = now();
    let [first, last] = range();
    const shape = size[1] / size[0];
    const fits = (length) => Math.floor(Math.sqrt(CV_DECODED_BYTES / (4 * length * keys.length * shape)));
    const longest = Math.floor(CV_DECODED_BYTES / (4 * CV_LEAST_WIDE * CV_LEAST_WIDE * shape * keys.length));
    const isCut = last - first + 1 > longest;
    if (isCut) last = first + longest - 1;
    return { first, last, isCut, width: Math.min(wide, Math.max(CV_LEAST_WIDE, fits(last - first + 1))) };
  };
  const forget = () => {
    for (const bitmap of held.values()) bitmap.close();
    held = new Map();
  };
  const fill = async ({ first, last, width }, mine) => {
    const { keys, mark } = now();
    const wanted = `${mark}|${width}`;
    if (heldMark !== wanted) forget();
    heldMark = wanted;
    const place = (key, at) => `${key}|${at}`;
    for (const one of [...held.keys()]) {
      const at = Number(one.split("|")[1]);
      if (at < first || at > last) { held.get(one).close(); held.delete(one); }
    }
    while (isOn && mine === turn) {
      const missing = [];
      for (let at = first; at <= last; at++) if (keys.some((key) => !held.has(place(key, at)))) missing.push(at);
      if (!missing.length) return true;
      const length = last - first + 1;
      tell(`Buffering ${length - missing.length} of ${length} pictures`);
      for (const { key, at, blob } of await fetch(keys, missing.slice(0, CV_AT_ONCE), width)) {
        const bitmap = await createImageBitmap(blob);
        if (mine !== turn || heldMark !== wanted) bitmap.close();
        else held.set(place(key, at), bitmap);
      }
    }
    return false;
  };
  const run = ({ first, last, isCut, width }, mine) => {
    const { keys, rate, size } = now();
    const length = last - first + 1, began = performance.now();
    let shown = -1, drawn = 0;
    const small = width < Math.min(size[0], now().wide) ? `, ${width} px wide to fit the buffer` : "";
    const cut = isCut ? `, cut to ${length} pictures to fit the buffer` : "";
    const tick = (time) => {
      if (!isOn || mine !== turn) return;
      const passed = Math.max(0, time - began) / 1000;
      const step = Math.floor(passed * rate * speed);
      if (step !== shown) {
        shown = step;
        drawn++;
        const at = first + (step % length);
        show(at, keys.map((key) => held.get(`${key}|${at}`)));
        if (drawn % 12 === 0) {
          tell(`Playing ${((drawn - 1) / passed).toFixed(1)} of ${(rate * speed).toFixed(rate * speed % 1 ? 1 : 0)} pictures a second${small}${cut}`);
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
    tell("");
    ended();
  };
  return {
    isOn: () => isOn,
    range: () => (from === null && to === null ? null : range()),
    async play() {
      const mine = ++turn;
      isOn = true;
      const planned = plan();
      if (await fill(planned, mine)) run(planned, mine);
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
