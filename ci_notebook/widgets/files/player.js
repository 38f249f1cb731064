// Plays and saves videos of the kernel: files come in pieces over the widget channel, a few at a time.

const TA_WINDOW = 4; // pieces that are on their way at the same time
const TA_FORMATS = {
  h264: 'video/mp4; codecs="avc1.64001f, mp4a.40.2"', hevc: 'video/mp4; codecs="hvc1.1.6.L93.B0"',
  vp8: 'video/webm; codecs="vp8"', vp9: 'video/webm; codecs="vp9"', av1: 'video/mp4; codecs="av01.0.04M.08"',
};
const TA_SLOW_MS = 5000; // without an answer for so long, the progress says so
const TA_NO_KERNEL = "The kernel is not running. Run the cell again.";
const taSize = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`);

function taFormats() {
  const probe = document.createElement("video");
  return Object.keys(TA_FORMATS).filter((name) => probe.canPlayType(TA_FORMATS[name]));
}

// Files from Python: `fetch(item, purpose, onProgress, formats)` → { done: Promise<{ blob, name, note }>, cancel() }.
function taFiles(model) {
  const open = new Map();
  const send = (content) => { try { model.send(content); return true; } catch { return false; } };
  const receive = (content, buffers) => {
    const one = open.get(content.take);
    one?.wait();
    one?.[content.do]?.(content, buffers);
  };
  model.on("msg:custom", receive);
  const fetch = (item, purpose, onProgress, formats = taFormats()) => {
    const take = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    const pieces = [];
    let facts = null, asked = 0, received = 0, fail = null, timer = 0;
    const wait = () => { clearTimeout(timer); timer = setTimeout(() => onProgress("Waiting for the kernel", null), TA_SLOW_MS); };
    const forget = () => { clearTimeout(timer); open.delete(take); };
    const end = () => { forget(); send({ do: "take-end", take }); };
    const ask = () => {
      if (asked * facts.piece < facts.size && !send({ do: "take-next", take, offset: asked++ * facts.piece })) fail(new Error(TA_NO_KERNEL));
    };
    const done = new Promise((resolve, reject) => {
      fail = (error) => { forget(); reject(error); };
      const finish = () => { end(); resolve({ ...facts, blob: new Blob(pieces, { type: facts.mime }) }); };
      open.set(take, {
        "take-progress": ({ text, share }) => onProgress(`${text}${share ? ` ${Math.round(100 * share)} %` : ""}`, share || null),
        "take-ready": (content) => {
          facts = content;
          onProgress(`0 of ${taSize(facts.size)}`, 0);
          if (!facts.size) finish();
          for (let one = 0; one < TA_WINDOW; one++) ask();
        },
        "take-piece": ({ offset }, [data]) => {
          pieces[offset / facts.piece] = new Blob([data]); // a blob may move to the disk, an array may not
          received += data.byteLength;
          onProgress(`${taSize(received)} of ${taSize(facts.size)}`, received / facts.size);
          if (received >= facts.size) finish(); else ask();
        },
        "take-error": ({ error }) => fail(new Error(error)),
        wait,
      });
      wait();
      if (!send({ do: "take-open", take, item, purpose, formats })) fail(new Error(TA_NO_KERNEL));
    });
    return { done, cancel: () => { if (open.has(take)) { end(); fail(null); } } };
  };
  return { fetch, close: () => { model.off("msg:custom", receive); [...open.keys()].forEach((take) => send({ do: "take-end", take })); open.clear(); } };
}

// The progress of one transfer, with a button that ends it.
function taProgress(name, cancel) {
  const bar = el("progress", { max: "1", "aria-label": `Progress of ${name}` }), text = el("span", { class: "ta-soft", text: "Preparing" });
  const node = el("div", { class: "ta-progress" }, bar, text, el("button", { type: "button", class: "ta-button", text: "Cancel", "aria-label": `Cancel ${name}`, onclick: () => cancel() }));
  return { node, show(what, share) { text.textContent = what; if (share === null) bar.removeAttribute("value"); else bar.value = share; } };
}

// `node` is the region with the players. An item is { item, name }; Python knows the video of `item`. A `fixed` player
// is the whole view and cannot be closed.
function makePlayer(model, { fixed = false } = {}) {
  const files = taFiles(model), players = new Map(), urls = new Set();
  const status = el("p", { class: "ta-soft", role: "status" });
  const clips = el("div", { class: "ta-clips" }), saves = el("div", {});
  const button = (text, name, onclick, more = {}) => el("button", { type: "button", class: "ta-button", text, "aria-label": name, title: name, onclick, ...more });
  const all = button("▶ Play all", "Play all", () => playAll()), mute = button("Mute", "Mute", () => setMute(mute.getAttribute("aria-pressed") !== "true"), { "aria-pressed": "false" });
  const closeAll = button("Close", "Close the player", () => [...players.keys()].forEach(drop));
  const bar = el("div", { class: "ta-bar" }, all, mute, !fixed && closeAll);
  // Space and arrows belong to the player, neither to the view nor to the notebook.
  const node = el("section", { class: "ta", role: "region", "aria-label": "Player", hidden: true, "data-lm-suppress-shortcuts": "true", onkeydown: (event) => event.stopPropagation() }, bar, clips, saves, status);
  const videos = () => [...players.values()].map((one) => one.video).filter((one) => one.src);
  const isPlaying = () => videos().some((one) => !one.paused && !one.ended);
  const showBar = () => {
    bar.hidden = !players.size;
    all.hidden = players.size < 2;
    const text = isPlaying() ? "Pause all" : "Play all";
    if (all.title !== text) { all.textContent = `${isPlaying() ? "■" : "▶"} ${text}`; all.setAttribute("aria-label", text); all.title = text; }
    node.hidden = !players.size && !saves.children.length && !status.textContent;
  };
  const say = (text) => { status.textContent = text; showBar(); };
  const setMute = (is) => { mute.setAttribute("aria-pressed", String(is)); videos().forEach((one) => { one.muted = is; }); };
  const playAll = () => {
    const shown = videos();
    if (isPlaying()) return shown.forEach((one) => one.pause());
    const start = shown.some((one) => one.ended) ? 0 : Math.min(...shown.map((one) => one.currentTime));
    return shown.forEach((one) => { one.currentTime = start; one.play().catch(() => {}); });
  };
  const url = (blob) => { const made = URL.createObjectURL(blob); urls.add(made); return made; };
  const revoke = (made) => { if (urls.delete(made)) URL.revokeObjectURL(made); };
  const drop = (item) => {
    const player = players.get(item);
    players.delete(item);
    player?.job?.cancel();
    if (player?.video.src) { player.video.pause(); revoke(player.video.src); player.video.removeAttribute("src"); }
    const hadFocus = player?.node.contains(document.activeElement);
    player?.node.remove();
    showBar();
    if (hadFocus) (clips.querySelector("button") ?? player.opener)?.focus?.();
  };
  // Returns when the video can be played, or cannot.
  const play = ({ item, name }, { start = true, opener = null } = {}) => {
    drop(item);
    const video = el("video", { controls: true, playsinline: true, hidden: true, "aria-label": name }), note = el("p", { class: "ta-soft" });
    const error = el("p", { class: "ta-error", role: "alert" }), place = el("div");
    const own = el("figure", { class: "ta-clip", "data-item": item }, el("figcaption", {}, el("b", { text: name }), !fixed && button("×", `Close ${name}`, () => drop(item))), place, video, error, note);
    const player = { node: own, video, job: null, opener };
    players.set(item, player);
    clips.append(own);
    const get = async (formats) => {
      const progress = taProgress(name, () => (fixed ? player.job.cancel() : drop(item)));
      error.textContent = "";
      place.replaceChildren(progress.node);
      player.job = files.fetch(item, "play", progress.show, formats);
      try {
        const file = await player.job.done;
        if (players.get(item) !== player) return;
        note.textContent = file.note;
        revoke(video.src);
        const canPlay = new Promise((resolve) => {
          video.onloadeddata = () => resolve(video.videoWidth > 0);
          video.onerror = () => resolve(false);
        });
        video.src = url(file.blob);
        video.hidden = false;
        video.muted = mute.getAttribute("aria-pressed") === "true";
        if (await canPlay) {
          if (start) await video.play().catch(() => {}); // the page may want a click first
        } else if (formats?.includes("proxy")) {
          video.hidden = true;
          throw new Error("The browser cannot play this video. Download it.");
        } else if (players.get(item) === player) {
          await get([...taFormats(), "proxy"]); // it said that it could, and it cannot: it gets a copy
        }
      } catch (problem) {
        if (problem) error.textContent = problem.message;
        if (players.get(item) === player) place.replaceChildren(button("▶ Load again", `Load ${name} again`, () => get(formats)));
      } finally {
        if (!video.hidden) place.replaceChildren();
        showBar();
      }
    };
    for (const event of ["play", "pause", "ended"]) video.addEventListener(event, showBar);
    say("");
    if (opener) own.scrollIntoView({ block: "nearest" });
    return get();
  };
  const playTogether = async (items, opener) => {
    [...players.keys()].forEach(drop);
    await Promise.all(items.map((one) => play(one, { start: false, opener })));
    if (players.size && !isPlaying()) playAll();
  };
  const save = async ({ item, name }) => {
    const progress = taProgress(name, () => job.cancel());
    saves.append(progress.node);
    say("");
    const job = files.fetch(item, "download", progress.show);
    try {
      const file = await job.done;
      const made = url(file.blob);
      el("a", { href: made, download: file.name }).click();
      setTimeout(() => revoke(made), 60000);
      progress.node.remove();
      say(`Saved ${file.name} (${taSize(file.blob.size)}) in the browser's download folder.`);
    } catch (problem) {
      progress.node.remove();
      say("");
      if (problem) saves.replaceChildren(...[...saves.children].filter((one) => one.className !== "ta-error"), el("p", { class: "ta-error", role: "alert", text: `${name}: ${problem.message}` }));
      showBar();
    }
  };
  return {
    node, play, playTogether, save,
    close() { files.close(); [...players.keys()].forEach(drop); [...urls].forEach(revoke); },
  };
}
