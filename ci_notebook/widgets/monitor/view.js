// The monitor's view: filters above, the table, and below it the job that was chosen.
// Python says what is so; this file filters, sorts and asks.

const HEADS = [["", "Mark"], ["clip", "Job"], ["asked", "Asked for"], ["state", "State"], ["made", "Time"], ["cost", "Cost"], ["", "Act"]];
const SINCES = [["0", "any time"], ["3600", "the last hour"], ["86400", "the last day"], ["604800", "the last week"]];
const LOOK_MS = 15000;
const token = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

function makeFilters(name, filter, changed) {
  const chips = new Map(["", ...STATES].map((state) => [state, el("button", {
    type: "button", class: "ci-chip", onclick: () => { filter.state = filter.state === state ? "" : state; changed(); },
  })]));
  const words = el("input", {
    type: "search", id: `${name}-words`, class: "ci-text ci-jwords", placeholder: "clip, setting, id, error", autocomplete: "off", spellcheck: "false",
    oninput: () => { filter.words = words.value; changed(); },
  });
  const since = el("select", { id: `${name}-since`, class: "ci-select", onchange: () => { filter.span = Number(since.value); changed(); } },
    ...SINCES.map(([value, text]) => el("option", { value, text })));
  return {
    node: el(
      "div", { class: "ci-jtools" },
      el("div", { class: "ci-chips", role: "group", "aria-label": "State" }, ...chips.values()),
      el("label", { for: words.id, class: "ci-jlabel" }, el("span", { text: "Filter" }), words),
      el("label", { for: since.id, class: "ci-jlabel" }, el("span", { text: "Since" }), since),
    ),
    clear() { words.value = ""; since.value = "0"; Object.assign(filter, { words: "", span: 0, state: "" }); changed(); },
    show(counts, total) {
      for (const [state, chip] of chips) {
        const text = state ? `${state} ${counts[state] ?? 0}` : `All ${total}`;
        if (chip.textContent !== text) chip.textContent = text;
        chip.setAttribute("aria-pressed", filter.state === state);
        chip.hidden = Boolean(state) && !counts[state] && filter.state !== state;
      }
    },
  };
}

// What is known of one job, and what can be done with it; what costs money is asked for twice.
function makeDetail(name, facts, { act, isBusy, close }) {
  const title = el("h4", { id: `${name}-d`, tabindex: "-1" });
  const list = el("dl"), fail = el("div", { class: "ci-jfail" }), doing = el("div", { class: "ci-jdoing" });
  const node = el(
    "section", { class: "ci-jdetail", "aria-labelledby": title.id, hidden: true },
    el("div", { class: "ci-jdetail-head" }, title, el("button", { type: "button", class: "ci-quiet", text: "Close", "aria-label": "Close the details", onclick: close })),
    fail, list, doing,
  );
  let shown = "", asking = null;
  const button = (what, text, job, isMain) => el("button", {
    type: "button", class: isMain ? "ci-submit" : "ci-plain", text, disabled: isBusy(what, job.id), "data-do": what,
    onclick: (event) => event.detail < 2 && act(what, [job]),
  });
  const asks = (job) => {
    const known = job.cost === null ? "what its list says" : `about ${job.cost.toFixed(4)} ${facts.currency}`;
    return [
      el("p", { class: "ci-jask", role: "status", text: `A new job will be sent. On the cloud it costs ${known}.` }),
      button("retry", "Send it", job, true),
      el("button", { type: "button", class: "ci-plain", text: "Leave it", onclick: () => { asking = null; shown = ""; api.show(job); title.focus(); } }),
    ];
  };
  const api = {
    node,
    ask(job) { asking = job.id; shown = ""; api.show(job); doing.querySelector("button")?.focus(); },
    done() { asking = null; },
    focus() { (doing.querySelector("button:not(:disabled)") ?? title).focus(); },
    show(job) {
      node.hidden = !job;
      const all = job ? JSON.stringify([job, timeText(job), asking, ["cancel", "retry", "open", "compare"].map((what) => isBusy(what, job.id))]) : "";
      if (all === shown) return;
      const held = node.contains(document.activeElement) ? document.activeElement.dataset?.do : undefined;
      shown = all;
      if (!job) return;
      title.textContent = `${job.clip} · ${job.state}${job.state === "Running" && job.pct !== null ? ` ${job.pct} %` : ""}`;
      fail.replaceChildren(...(job.code ? [el("strong", { text: job.code }), el("span", { text: job.why })] : []), ...(job.hint ? [el("p", { text: job.hint })] : []));
      const facts_ = [
        ["Id", job.id], ["Kind", job.tag], ["Source", job.key], ["Result", job.out],
        ["Asked for", Object.entries(job.set).map(([path, text]) => `${path} ${text}`).join("\n")],
        ["Accepted", clockText(job.made)], ["Time", timeText(job)],
        ["Cost", !hasCost(job) ? "" : `${job.cost.toFixed(4)} ${facts.currency} by the published list${facts.costs ? "" : "; this engine charges nothing"}`],
      ];
      list.replaceChildren(...facts_.filter(([, text]) => text).flatMap(([what, text]) => [el("dt", { text: what }), el("dd", { text })]));
      const isOver = OVER.includes(job.state);
      doing.replaceChildren(...(asking === job.id ? asks(job) : [
        ...(job.state === "Success" ? [button("open", "Open the result", job, true)] : []),
        ...(job.state === "Success" ? [button("compare", "Compare with the source", job)] : []),
        ...(WAITS.includes(job.state) ? [button("cancel", "Cancel the job", job, true)] : []),
        ...(isOver ? [button("retry", facts.costs ? "Send again …" : "Send again", job, job.state !== "Success")] : []),
      ]));
      if (held) (doing.querySelector(`[data-do="${held}"]:not(:disabled)`) ?? title).focus();
    },
  };
  return api;
}

function makeMarks({ act, clear }) {
  const text = el("span", { role: "status" });
  const button = (what, words) => el("button", { type: "button", class: "ci-plain", text: words, onclick: (event) => event.detail < 2 && act(what) });
  const cancel = button("cancel", "Cancel"), open = button("compare", "Compare");
  const node = el("div", { class: "ci-jmarks", hidden: true }, text, open, cancel, el("button", { type: "button", class: "ci-quiet", text: "Unmark", onclick: clear }));
  return {
    node,
    show(jobs) {
      node.hidden = !jobs.length;
      text.textContent = `${jobs.length} marked`;
      cancel.disabled = !jobs.some((job) => WAITS.includes(job.state));
      const done = jobs.filter((job) => job.state === "Success").length;
      open.disabled = done < 2 || done > 4 || done < jobs.length;
    },
  };
}

let views = 0;

function render({ model, el: root }) {
  const name = `ci-m${++views}-${Math.random().toString(36).slice(2, 8)}`;
  const facts = model.get("facts"), store = makeJobs();
  const filter = { state: "", words: "", span: 0, sort: "made", down: true };
  const marked = new Set(), pending = new Map();
  let active = null, drawn = 0, isKnown = false;

  const send = (message) => { try { model.send({ view: name, ...message }); } catch { say("The kernel is gone. Run the cell again."); } };
  const isBusy = (what, id) => [...pending.values()].some((one) => one.what === what && one.ids.includes(id));
  const say = (text) => { error.textContent = text; };
  const act = (what, jobs) => {
    const ids = jobs.map((job) => job.id).filter((id) => !isBusy(what, id));
    if (!ids.length) return;
    const press = token();
    pending.set(press, { what, ids });
    say("");
    told.textContent = { open: "Fetching the result", cancel: "Cancelling", retry: "Sending", compare: "Comparing" }[what];
    send({ do: what, ids, press });
    draw();
  };
  // A row's own button and the details' come here: what costs money is shown and asked for first.
  const begin = (what, jobs) => {
    if (what === "retry" && facts.costs && active === jobs[0].id && detail.node.querySelector(".ci-jask")) return act(what, jobs);
    if (what === "retry" && facts.costs) { choose(jobs[0].id); return detail.ask(jobs[0]); }
    return act(what, jobs);
  };
  const choose = (id, isEntered) => {
    if (active !== id) detail.done();
    active = id;
    show();
    if (isEntered) detail.focus();
  };
  const mark = (job, is) => { if (is) marked.add(job.id); else marked.delete(job.id); draw(); };
  const markedJobs = () => [...marked].map((id) => store.jobs.get(id)).filter(Boolean);

  const filters = makeFilters(name, filter, () => draw());
  const grid = makeGrid(name, {
    heads: HEADS, mark, choose, act: (what, job) => begin(what, [job]),
    sortBy: (sort) => { filter.down = filter.sort === sort ? !filter.down : sort === "made" || sort === "cost"; filter.sort = sort; draw(); },
  });
  const detail = makeDetail(name, facts, { act: begin, isBusy, close: () => { choose(null); grid.focus(); } });
  const marks = makeMarks({
    clear: () => { marked.clear(); draw(); },
    act: (what) => act(what, markedJobs().filter((job) => what !== "cancel" || WAITS.includes(job.state))),
  });
  const told = el("span", { class: "ci-clip ci-jtold", role: "status", "aria-live": "polite" });
  const live = el("span", { class: "ci-jlive" });
  const error = el("div", { class: "ci-error", role: "alert" }), lost = el("div", { class: "ci-error", role: "alert" });

  const show = () => {
    drawn = 0;
    const counts = store.counts(), total = store.jobs.size;
    const since = filter.span ? Date.now() / 1000 - filter.span : -Infinity;
    const listed = store.wanted({ ...filter, since });
    filters.show(counts, total);
    const empty = listed.length ? "" : !isKnown ? "Asking for the jobs" : total ? "No job fits the filters." : "No job yet. A submission or a sweep makes some.";
    grid.show(listed, { active, marked, isBusy, costs: facts.costs, empty, sort: filter.sort, down: filter.down });
    detail.show(store.jobs.get(active) ?? null);
    marks.show(markedJobs());
  };
  const draw = () => { drawn ||= requestAnimationFrame(show); };
  const heard = (message) => {
    if (message.do === "all" || message.do === "rows") {
      if (message.do === "rows" && !isKnown) return; // all of them are on their way
      isKnown = true;
      store.take(message, message.do === "all");
      for (const id of marked) if (!store.jobs.has(id)) marked.delete(id);
      draw();
    } else if (message.do === "answer") {
      const isOurs = pending.delete(message.press);
      if (isOurs || message.error) say(message.error);
      if (isOurs) told.textContent = message.error ? "" : { open: "The result is below", cancel: "Cancelled", retry: "Sent again", compare: "Compared below" }[message.what];
      if (isOurs && !message.error) detail.done();
      if (isOurs && message.made?.length) active = message.made[0];
      draw();
    }
  };
  const follow = () => {
    const status = model.get("status");
    live.textContent = status.live ? "live" : "at rest";
    live.classList.toggle("ci-jon", Boolean(status.live));
    if (lost.textContent !== status.error) lost.textContent = status.error;
  };

  const panel = el(
    "div", { class: "ci-root ci-monitor", role: "group", "aria-label": "Jobs of the lab", "data-lm-suppress-shortcuts": "true",
      onkeydown: (event) => event.stopPropagation() }, // JupyterLab would take arrows and letters for its own
    el("div", { class: "ci-top" }, el("h3", { text: "Jobs" }), live, told), filters.node, lost, error, marks.node, grid.node, detail.node,
  );
  root.append(panel);

  let isSeen = false, isNear = false;
  const look = () => {
    const is = isNear && document.visibilityState === "visible";
    if (is || isSeen) send({ do: "look", on: is });
    isSeen = is;
  };
  const watcher = new IntersectionObserver(([entry]) => { isNear = entry.isIntersecting; look(); });
  watcher.observe(panel);
  document.addEventListener("visibilitychange", look);
  const looking = setInterval(look, LOOK_MS);
  const ticking = setInterval(() => { if (isSeen && store.counts().Running) draw(); }, 1000);
  model.on("msg:custom", heard);
  model.on("change:status", follow);
  send({ do: "hello" });
  follow();
  show();
  return () => {
    isNear = false;
    look();
    watcher.disconnect();
    grid.close();
    clearInterval(looking);
    clearInterval(ticking);
    document.removeEventListener("visibilitychange", look);
    model.off("msg:custom", heard);
    model.off("change:status", follow);
  };
}

export default { render };
