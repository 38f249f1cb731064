// The jobs in the page: which there are, which are wanted in what order, and the few rows that are in view.

const STATES = ["Running", "Submitted", "Pause", "Success", "Failed", "Cancel"];
const SIGNS = { Running: "▶", Submitted: "•", Pause: "‖", Success: "✓", Failed: "✕", Cancel: "–" };
const OVER = ["Success", "Failed", "Cancel"];
const WAITS = ["Submitted", "Pause"];
const SORTS = {
  clip: (job) => job.clip.toLowerCase(),
  asked: (job) => job.asked.toLowerCase(),
  state: (job) => STATES.indexOf(job.state) * 1000 - (job.pct ?? 0),
  made: (job) => job.made ?? 0,
  cost: (job) => (hasCost(job) ? job.cost : -1),
};

// What failed made nothing; what it would have cost is said only where it is sent again.
function hasCost(job) {
  return job.cost !== null && job.state !== "Failed" && job.state !== "Cancel";
}

function spanText(seconds) {
  if (seconds < 90) return `${seconds < 10 && seconds % 1 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function clockText(seconds) {
  if (!seconds) return "";
  const then = new Date(seconds * 1000);
  const time = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return then.toDateString() === new Date().toDateString() ? time : `${then.toLocaleDateString([], { month: "short", day: "numeric" })}, ${time}`;
}

function timeText(job) {
  if (job.state === "Running") {
    if (job.left === null || job.left === undefined) return "";
    return `about ${spanText(Math.max(1, job.left - (performance.now() - job.leftAt) / 1000))} left`;
  }
  return job.took === null ? "" : `took ${spanText(job.took)}`;
}

// All jobs, kept by their ids. Rows come whole the first time, and then as what is new of them.
function makeJobs() {
  const jobs = new Map();
  const values = new Map(); // path → text → in how many jobs
  const count = (job, by) => {
    for (const [path, text] of Object.entries(job.set)) {
      if (!values.has(path)) values.set(path, new Map());
      const texts = values.get(path);
      texts.set(text, (texts.get(text) ?? 0) + by);
      if (!texts.get(text)) texts.delete(text);
    }
  };
  // Only what differs is worth the room; where nothing does, all that was set.
  const differing = () => {
    const differ = [...values.keys()].filter((path) => {
      const texts = [...values.get(path).values()];
      return texts.length > 1 || texts.reduce((sum, one) => sum + one, 0) < jobs.size;
    });
    const found = differ.length ? differ : [...values.keys()];
    const tail = (path, words) => path.split(".").slice(-words).join(".");
    const twice = (path) => found.some((other) => other !== path && tail(other, 1) === tail(path, 1));
    return new Map(found.map((path) => [path, tail(path, twice(path) ? 2 : 1)]));
  };
  let names = new Map(), named = "";
  const describe = (job) => {
    job.asked = Object.entries(job.set).filter(([path]) => names.has(path)).map(([path, text]) => `${names.get(path)} ${text}`).join(" · ");
    job.words = [job.clip, job.key, job.id, job.asked, ...Object.values(job.set), job.state, job.code, job.why].join(" ").toLowerCase();
  };
  return {
    jobs,
    take({ rows, gone }, anew) {
      if (anew) { jobs.clear(); values.clear(); }
      const touched = [];
      for (const id of gone ?? []) {
        if (jobs.has(id)) count(jobs.get(id), -1);
        jobs.delete(id);
      }
      for (const [id, news] of Object.entries(rows)) {
        const job = { ...(jobs.get(id) ?? { id }), ...news };
        if (news.left !== undefined) job.leftAt = performance.now();
        if (!("set" in job)) continue; // news of a job that was not told of yet: it comes with all the others
        if (news.set) {
          if (jobs.has(id)) count(jobs.get(id), -1);
          count(job, 1);
        }
        jobs.set(id, job);
        touched.push(job);
      }
      names = differing();
      const now = [...names].join("|");
      (now === named ? touched : [...jobs.values()]).forEach(describe);
      named = now;
    },
    counts() {
      const found = {};
      for (const job of jobs.values()) found[job.state] = (found[job.state] ?? 0) + 1;
      return found;
    },
    wanted({ state, words, since, sort, down }) {
      const key = SORTS[sort], asked = words.toLowerCase().split(/\s+/).filter(Boolean);
      const listed = [...jobs.values()].filter((job) => (!state || job.state === state) && (job.made ?? Infinity) >= since && asked.every((word) => job.words.includes(word)));
      const keys = new Map(listed.map((job) => [job, key(job)]));
      const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      return listed.sort((a, b) => (down ? -1 : 1) * order(keys.get(a), keys.get(b)) || order(b.made, a.made));
    },
  };
}

// One row; `act(what, job)` is its button, `mark(job, is)` its box.
function makeJobRow(name, act, mark) {
  const parts = {
    box: el("input", { type: "checkbox", tabindex: "-1", onchange: () => mark(job, parts.box.checked) }),
    clip: el("span", { class: "ci-jclip" }), id: el("span", { class: "ci-jsub" }),
    asked: el("span", { class: "ci-jasked" }),
    sign: el("span", { class: "ci-jsign", "aria-hidden": "true" }), state: el("span"),
    bar: el("progress", { max: "100" }), why: el("span", { class: "ci-jsub ci-jwhy" }),
    time: el("span"), made: el("span", { class: "ci-jsub" }), cost: el("span", { class: "ci-jcost" }),
    button: el("button", { type: "button", class: "ci-plain", tabindex: "-1", onclick: (event) => event.detail < 2 && act(parts.button.dataset.do, job) }),
  };
  const cell = (kind, ...inside) => el("div", { role: "gridcell", class: `ci-j-${kind}` }, ...inside);
  const node = el(
    "div", { role: "row", class: "ci-jrow" },
    cell("box", parts.box), cell("clip", parts.clip, parts.id), cell("asked", parts.asked),
    cell("state", el("span", { class: "ci-jstate" }, parts.sign, parts.state), parts.bar, parts.why),
    cell("time", parts.time, parts.made), cell("cost", parts.cost), cell("do", parts.button),
  );
  const put = (part, text) => { if (part.textContent !== text) part.textContent = text; };
  let job = null;
  return {
    node,
    show(now, { index, top, isActive, isMarked, isBusy, costs }) {
      job = now;
      node.id = `${name}-${job.id}`;
      node.dataset.id = job.id;
      node.dataset.state = job.state;
      node.style.transform = `translateY(${top}px)`;
      node.setAttribute("aria-rowindex", index + 2);
      node.setAttribute("aria-selected", isActive);
      parts.box.checked = isMarked;
      parts.box.setAttribute("aria-label", `Mark ${job.clip} ${job.id}`);
      put(parts.clip, job.clip || "–");
      put(parts.id, job.id);
      put(parts.asked, job.asked || (Object.keys(job.set).length ? "as all others" : "nothing set"));
      parts.asked.title = Object.entries(job.set).map(([path, text]) => `${path} ${text}`).join("\n");
      put(parts.sign, SIGNS[job.state] ?? "?");
      const isMoving = job.state === "Running";
      put(parts.state, isMoving && job.pct !== null ? `${job.state} ${job.pct} %` : job.state);
      parts.bar.hidden = !isMoving;
      parts.bar.setAttribute("aria-label", `Progress of ${job.clip}`);
      if (job.pct === null) parts.bar.removeAttribute("value");
      else parts.bar.value = job.pct;
      put(parts.why, job.code);
      parts.why.title = [job.why, job.hint].filter(Boolean).join("\n");
      put(parts.time, timeText(job));
      put(parts.made, clockText(job.made));
      put(parts.cost, !hasCost(job) ? "" : `${OVER.includes(job.state) ? "" : "≈ "}${job.cost.toFixed(4)}`);
      const what = WAITS.includes(job.state) ? "cancel" : job.state === "Success" ? "open" : OVER.includes(job.state) ? "retry" : "";
      parts.button.hidden = !what;
      parts.button.disabled = isBusy(what, job.id);
      parts.button.dataset.do = what;
      const words = { cancel: "Cancel", open: "Open", retry: costs ? "Retry …" : "Retry" };
      put(parts.button, words[what] ?? "");
      parts.button.setAttribute("aria-label", `${words[what] ?? ""} ${job.clip} ${job.id}`);
    },
  };
}

// The rows that are in view, and as many as fit above and below; a thousand jobs are two dozen nodes.
function makeGrid(name, { heads, act, mark, choose, sortBy }) {
  const space = el("div", { role: "rowgroup", class: "ci-jspace" });
  const sorts = heads.map(([sort, text]) => {
    const button = sort && el("button", { type: "button", class: "ci-jsort", text, onclick: () => sortBy(sort) });
    return { sort, node: el("div", { role: "columnheader", class: sort ? "" : "ci-jhidden" }, button || el("span", { text })) };
  });
  const head = el("div", { role: "row", class: "ci-jrow ci-jhead", "aria-rowindex": "1" }, ...sorts.map((one) => one.node));
  const empty = el("p", { class: "ci-jempty", role: "status" });
  const grid = el(
    "div", { role: "grid", class: "ci-jgrid", tabindex: "0", "aria-label": "Jobs", "aria-colcount": heads.length },
    head, space,
  );
  const rows = new Map();
  let listed = [], look = {};

  const height = () => parseFloat(getComputedStyle(grid).getPropertyValue("--ci-row")) || 48;
  const draw = () => {
    const each = height(), beyond = 6;
    const first = Math.max(0, Math.floor(grid.scrollTop / each) - beyond);
    const last = Math.min(listed.length, Math.ceil((grid.scrollTop + grid.clientHeight) / each) + beyond);
    space.style.height = `${listed.length * each}px`;
    const wanted = new Set(listed.slice(first, last).map((job) => job.id));
    const spare = [];
    for (const [id, row] of rows) if (!wanted.has(id)) { spare.push(row); rows.delete(id); }
    for (let index = first; index < last; index += 1) {
      const job = listed[index];
      let row = rows.get(job.id);
      if (!row) {
        row = spare.pop() ?? makeJobRow(name, act, mark);
        rows.set(job.id, row);
        if (!row.node.isConnected) space.append(row.node);
      }
      row.show(job, { ...look, index, top: index * each, isActive: job.id === look.active, isMarked: look.marked.has(job.id) });
    }
    spare.forEach((row) => row.node.remove());
    // Who has the page read aloud hears the rows as they stand.
    listed.slice(first, last).forEach((job, at) => {
      const { node } = rows.get(job.id);
      if (space.children[at] !== node) space.insertBefore(node, space.children[at] ?? null);
    });
    if (rows.has(look.active)) grid.setAttribute("aria-activedescendant", `${name}-${look.active}`);
    else grid.removeAttribute("aria-activedescendant");
  };
  const reveal = (index) => {
    const each = height(), top = index * each, room = grid.clientHeight - head.offsetHeight;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + each > grid.scrollTop + room) grid.scrollTop = top + each - room;
  };
  const go = (to) => {
    if (!listed.length) return;
    const next = Math.min(listed.length - 1, Math.max(0, to));
    reveal(next);
    choose(listed[next].id);
  };
  const step = (by) => {
    const at = listed.findIndex((job) => job.id === look.active);
    go(at < 0 ? 0 : at + by);
  };
  const page = () => Math.max(1, Math.floor(grid.clientHeight / height()) - 2);
  const keys = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1), PageDown: () => step(page()), PageUp: () => step(-page()),
    Home: () => go(0), End: () => go(listed.length - 1),
    " ": () => { const job = listed.find((one) => one.id === look.active); if (job) mark(job, !look.marked.has(job.id)); },
    Enter: () => look.active && choose(look.active, true),
  };
  grid.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  grid.addEventListener("keydown", (event) => {
    if (event.target !== grid || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  space.addEventListener("click", (event) => {
    const id = event.target.closest(".ci-jrow")?.dataset.id;
    if (id && !event.target.closest("button, input")) choose(id);
  });
  const resized = new ResizeObserver(() => draw());
  resized.observe(grid);
  return {
    node: el("div", { class: "ci-jtable" }, grid, empty),
    show(jobs, how) {
      listed = jobs;
      look = how;
      grid.setAttribute("aria-rowcount", jobs.length + 1);
      empty.textContent = how.empty;
      space.hidden = !jobs.length;
      for (const { sort, node } of sorts) {
        if (sort === how.sort) node.setAttribute("aria-sort", how.down ? "descending" : "ascending");
        else node.removeAttribute("aria-sort");
      }
      draw();
    },
    focus: () => grid.focus(),
    close: () => resized.disconnect(),
  };
}
