// The jobs on the page: store, filter and order, and a virtual table that draws only the visible rows.

const STATES = ["Running", "Submitted", "Pause", "Success", "Failed", "Cancel"];
const SIGNS = { Running: "▶", Submitted: "•", Pause: "‖", Success: "✓", Failed: "✕", Cancel: "–" };
const OVER = ["Success", "Failed", "Cancel"];
const WAITS = ["Submitted", "Pause"];
const SORTS = {
  clip: (job) => job.clip.toLowerCase(),
  settings: (job) => job.settingsText.toLowerCase(),
  state: (job) => STATES.indexOf(job.state) * 1000 - (job.percent ?? 0),
  created: (job) => job.created ?? 0,
  cost: (job) => (hasCost(job) ? job.cost : -1),
};

// A failed job costs nothing; its price is shown only when it is about to be sent again.
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
  if (job.state === "Submitted") return job.left ? `waits, then ${job.left.replace(/ left$/, "")}` : "waits";
  if (job.state === "Running") {
    if (!job.left) return "time left unknown";
    if (job.left.startsWith("roughly")) return job.left; // no count of seconds: it is an expectation
    return `about ${spanText(Math.max(1, job.left_s - (performance.now() - job.leftAt) / 1000))} left`;
  }
  return job.duration_s === null ? "" : `took ${spanText(job.duration_s)}`;
}

// All jobs by id. A row is complete the first time; later only its changed fields arrive.
function makeJobs() {
  const jobs = new Map();
  const values = new Map(); // path → text → number of jobs
  const count = (job, by) => {
    for (const [path, text] of Object.entries(job.settings)) {
      if (!values.has(path)) values.set(path, new Map());
      const texts = values.get(path);
      texts.set(text, (texts.get(text) ?? 0) + by);
      if (!texts.get(text)) texts.delete(text);
    }
  };
  // Show only the settings that differ between jobs; if none differ, show all.
  const differing = () => {
    const differ = [...values.keys()].filter((path) => {
      const texts = [...values.get(path).values()];
      return texts.length > 1 || texts.reduce((sum, one) => sum + one, 0) < jobs.size;
    });
    const paths = differ.length ? differ : [...values.keys()];
    const tail = (path, words) => path.split(".").slice(-words).join(".");
    const isAmbiguous = (path) => paths.some((other) => other !== path && tail(other, 1) === tail(path, 1));
    return new Map(paths.map((path) => [path, tail(path, isAmbiguous(path) ? 2 : 1)]));
  };
  let names = new Map(), lastNames = "";
  const describe = (job) => {
    job.settingsText = Object.entries(job.settings).filter(([path]) => names.has(path)).map(([path, text]) => `${names.get(path)} ${text}`).join(" · ");
    job.words = [job.clip, job.key, job.id, job.settingsText, ...Object.values(job.settings), job.state, job.code, job.reason, job.note].join(" ").toLowerCase();
  };
  return {
    jobs,
    update({ rows, removed }, isComplete) {
      if (isComplete) { jobs.clear(); values.clear(); }
      const changed = [];
      for (const id of removed ?? []) {
        if (jobs.has(id)) count(jobs.get(id), -1);
        jobs.delete(id);
      }
      for (const [id, fields] of Object.entries(rows)) {
        const job = { ...(jobs.get(id) ?? { id }), ...fields };
        if (fields.left_s !== undefined) job.leftAt = performance.now();
        if (!("settings" in job)) continue; // a change of an unknown job: all jobs are about to arrive
        if (fields.settings) {
          if (jobs.has(id)) count(jobs.get(id), -1);
          count(job, 1);
        }
        jobs.set(id, job);
        changed.push(job);
      }
      names = differing();
      const newNames = [...names].join("|");
      (newNames === lastNames ? changed : [...jobs.values()]).forEach(describe);
      lastNames = newNames;
    },
    counts() {
      const numbers = {};
      for (const job of jobs.values()) numbers[job.state] = (numbers[job.state] ?? 0) + 1;
      return numbers;
    },
    matching({ state, words, since, sort, down }) {
      const key = SORTS[sort], search = words.toLowerCase().split(/\s+/).filter(Boolean);
      const matches = [...jobs.values()].filter((job) => (!state || job.state === state) && (job.created ?? Infinity) >= since && search.every((word) => job.words.includes(word)));
      const keys = new Map(matches.map((job) => [job, key(job)]));
      const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      return matches.sort((a, b) => (down ? -1 : 1) * order(keys.get(a), keys.get(b)) || order(b.created, a.created));
    },
  };
}

// One row; `act(action, job)` is called by its button, `select(job, isSelected)` by its checkbox.
function makeJobRow(name, act, select) {
  const parts = {
    box: el("input", { type: "checkbox", tabindex: "-1", onchange: () => select(job, parts.box.checked) }),
    clip: el("span", { class: "ci-jclip" }), id: el("span", { class: "ci-jsub" }),
    settings: el("span", { class: "ci-jsettings" }),
    sign: el("span", { class: "ci-jsign", "aria-hidden": "true" }), state: el("span"),
    bar: el("progress", { max: "100" }), reason: el("span", { class: "ci-jsub ci-jreason" }),
    time: el("span", { class: "ci-jtime" }), created: el("span", { class: "ci-jsub" }), cost: el("span", { class: "ci-jcost" }),
    button: el("button", { type: "button", class: "ci-plain", tabindex: "-1", onclick: (event) => event.detail < 2 && act(parts.button.dataset.do, job) }),
  };
  const cell = (kind, ...inside) => el("div", { role: "gridcell", class: `ci-j-${kind}` }, ...inside);
  const node = el(
    "div", { role: "row", class: "ci-jrow" },
    cell("box", parts.box), cell("clip", parts.clip, parts.id), cell("settings", parts.settings),
    cell("state", el("span", { class: "ci-jstate" }, parts.sign, parts.state), parts.bar, parts.reason),
    cell("time", parts.time, parts.created), cell("cost", parts.cost), cell("do", parts.button),
  );
  const put = (part, text) => { if (part.textContent !== text) part.textContent = text; };
  let job = null;
  return {
    node,
    show(newJob, { index, top, isActive, isSelected, isBusy, costsMoney }) {
      job = newJob;
      node.id = `${name}-${job.id}`;
      node.dataset.id = job.id;
      node.dataset.state = job.state;
      node.style.transform = `translateY(${top}px)`;
      node.setAttribute("aria-rowindex", index + 2);
      node.setAttribute("aria-selected", isActive);
      parts.box.checked = isSelected;
      parts.box.setAttribute("aria-label", `Select ${job.clip} ${job.id}`);
      put(parts.clip, job.clip || "–");
      put(parts.id, job.id);
      put(parts.settings, job.settingsText || (Object.keys(job.settings).length ? "same as all others" : "no setting"));
      parts.settings.title = Object.entries(job.settings).map(([path, text]) => `${path} ${text}`).join("\n");
      put(parts.sign, SIGNS[job.state] ?? "?");
      const isRunning = job.state === "Running";
      put(parts.state, isRunning && job.percent !== null ? `${job.state} ${job.percent} %` : job.state);
      parts.bar.hidden = !isRunning;
      parts.bar.setAttribute("aria-label", `Progress of ${job.clip}`);
      if (job.percent === null) parts.bar.removeAttribute("value");
      else parts.bar.value = job.percent;
      put(parts.reason, job.code);
      parts.reason.title = [job.reason, job.hint].filter(Boolean).join("\n");
      put(parts.time, timeText(job));
      parts.time.title = parts.time.textContent;
      put(parts.created, clockText(job.created));
      put(parts.cost, !hasCost(job) ? "" : `${OVER.includes(job.state) ? "" : "≈ "}${job.cost.toFixed(4)}`);
      const action = WAITS.includes(job.state) ? "cancel" : job.state === "Success" ? "open" : OVER.includes(job.state) ? "retry" : "";
      parts.button.hidden = !action;
      parts.button.disabled = isBusy(action, job.id);
      parts.button.dataset.do = action;
      const labels = { cancel: "Cancel", open: "Open", retry: costsMoney ? "Retry …" : "Retry" };
      put(parts.button, labels[action] ?? "");
      parts.button.setAttribute("aria-label", `${labels[action] ?? ""} ${job.clip} ${job.id}`);
    },
  };
}

// A virtual table: only the visible rows and a few above and below are in the DOM, so a thousand jobs stay fast.
function makeGrid(name, { heads, act, select, choose, sortBy }) {
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
  let jobs = [], options = {};

  const height = () => parseFloat(getComputedStyle(grid).getPropertyValue("--ci-row")) || 48;
  const draw = () => {
    const each = height(), beyond = 6;
    const first = Math.max(0, Math.floor(grid.scrollTop / each) - beyond);
    const last = Math.min(jobs.length, Math.ceil((grid.scrollTop + grid.clientHeight) / each) + beyond);
    space.style.height = `${jobs.length * each}px`;
    const visibleIds = new Set(jobs.slice(first, last).map((job) => job.id));
    const spare = [];
    for (const [id, row] of rows) if (!visibleIds.has(id)) { spare.push(row); rows.delete(id); }
    for (let index = first; index < last; index += 1) {
      const job = jobs[index];
      let row = rows.get(job.id);
      if (!row) {
        row = spare.pop() ?? makeJobRow(name, act, select);
        rows.set(job.id, row);
        if (!row.node.isConnected) space.append(row.node);
      }
      row.show(job, { ...options, index, top: index * each, isActive: job.id === options.active, isSelected: options.selected.has(job.id) });
    }
    spare.forEach((row) => row.node.remove());
    // DOM order is the visible order, for screen readers.
    jobs.slice(first, last).forEach((job, at) => {
      const { node } = rows.get(job.id);
      if (space.children[at] !== node) space.insertBefore(node, space.children[at] ?? null);
    });
    if (rows.has(options.active)) grid.setAttribute("aria-activedescendant", `${name}-${options.active}`);
    else grid.removeAttribute("aria-activedescendant");
  };
  const reveal = (index) => {
    const each = height(), top = index * each, room = grid.clientHeight - head.offsetHeight;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + each > grid.scrollTop + room) grid.scrollTop = top + each - room;
  };
  const go = (to) => {
    if (!jobs.length) return;
    const next = Math.min(jobs.length - 1, Math.max(0, to));
    reveal(next);
    choose(jobs[next].id);
  };
  const step = (by) => {
    const at = jobs.findIndex((job) => job.id === options.active);
    go(at < 0 ? 0 : at + by);
  };
  const page = () => Math.max(1, Math.floor(grid.clientHeight / height()) - 2);
  const keys = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1), PageDown: () => step(page()), PageUp: () => step(-page()),
    Home: () => go(0), End: () => go(jobs.length - 1),
    " ": () => { const job = jobs.find((one) => one.id === options.active); if (job) select(job, !options.selected.has(job.id)); },
    Enter: () => options.active && choose(options.active, true),
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
    show(newJobs, newOptions) {
      jobs = newJobs;
      options = newOptions;
      grid.setAttribute("aria-rowcount", jobs.length + 1);
      empty.textContent = options.empty;
      space.hidden = !jobs.length;
      for (const { sort, node } of sorts) {
        if (sort === options.sort) node.setAttribute("aria-sort", options.down ? "descending" : "ascending");
        else node.removeAttribute("aria-sort");
      }
      draw();
    },
    focus: () => grid.focus(),
    close: () => resized.disconnect(),
  };
}
