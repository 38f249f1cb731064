// The monitor: filters, the table, and the details of one job below it.
// Python sends the jobs; this file filters, sorts, and sends the actions of the user.

const HEADS = [["", "Select"], ["clip", "Job"], ["settings", "Settings"], ["state", "State"], ["created", "Time"], ["cost", "Cost"], ["", "Action"]];
const SINCES = [["0", "any time"], ["3600", "the last hour"], ["86400", "the last day"], ["604800", "the last week"]];
const HEARTBEAT_MS = 15000;
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

// A short name of a result for people: its clip and its settings.
const resultName = (job) => [job.clip, Object.entries(job.settings).slice(0, 3).map(([path, text]) => `${path.split(".").pop()} ${text}`).join(", ")].filter(Boolean).join(": ");

// The details of one job, with its actions. An action that costs money has to be confirmed.
function makeDetail(name, facts, { act, isBusy, close, takeAway }) {
  const title = el("h4", { id: `${name}-d`, tabindex: "-1" });
  const list = el("dl"), fail = el("div", { class: "ci-jfail" }), actions = el("div", { class: "ci-jactions" });
  const node = el(
    "section", { class: "ci-jdetail", "aria-labelledby": title.id, hidden: true },
    el("div", { class: "ci-jdetail-head" }, title, el("button", { type: "button", class: "ci-quiet", text: "Close", "aria-label": "Close the details", onclick: close })),
    fail, list, actions,
  );
  let lastState = "", confirming = null;
  const button = (action, text, job, isMain) => el("button", {
    type: "button", class: isMain ? "ci-submit" : "ci-plain", text, disabled: isBusy(action, job.id), "data-do": action,
    onclick: (event) => event.detail < 2 && act(action, [job]),
  });
  const confirmation = (job) => {
    const price = job.cost === null ? "money; the price is not known" : `about ${job.cost.toFixed(4)} ${facts.currency}`;
    return [
      el("p", { class: "ci-jconfirm", role: "status", text: `This submits a new job. It costs ${price}.` }),
      button("retry", "Submit the job", job, true),
      el("button", { type: "button", class: "ci-plain", text: "Cancel", onclick: () => { confirming = null; lastState = ""; api.show(job); title.focus(); } }),
    ];
  };
  const api = {
    node,
    confirm(job) { confirming = job.id; lastState = ""; api.show(job); actions.querySelector("button")?.focus(); },
    endConfirm() { confirming = null; },
    focus() { (actions.querySelector("button:not(:disabled)") ?? title).focus(); },
    show(job) {
      node.hidden = !job;
      const state = job ? JSON.stringify([job, timeText(job), confirming, ["cancel", "retry", "open", "compare"].map((action) => isBusy(action, job.id))]) : "";
      if (state === lastState) return;
      const focused = node.contains(document.activeElement) ? document.activeElement.dataset?.do : undefined;
      lastState = state;
      if (!job) return;
      title.textContent = `${job.clip} · ${job.state}${job.state === "Running" && job.percent !== null ? ` ${job.percent} %` : ""}`;
      fail.replaceChildren(...(job.code ? [el("strong", { text: job.code }), el("span", { text: job.reason })] : []), ...(job.hint ? [el("p", { text: job.hint })] : []));
      const rows = [
        ["Id", job.id], ["Type", job.tag], ["Source", job.key], ["Output", job.outputs], ["Message", job.note],
        ["Settings", Object.entries(job.settings).map(([path, text]) => `${path} ${text}`).join("\n")],
        ["Created", clockText(job.created)], ["Time", timeText(job)],
        ["Cost", !hasCost(job) ? "" : `${job.cost.toFixed(4)} ${facts.currency} by the price list${facts.costs_money ? "" : "; this engine charges nothing"}`],
      ];
      list.replaceChildren(...rows.filter(([, text]) => text).flatMap(([label, text]) => [el("dt", { text: label }), el("dd", { text })]));
      const isOver = OVER.includes(job.state);
      actions.replaceChildren(...(confirming === job.id ? confirmation(job) : [
        ...(job.state === "Success" ? [button("open", "Open the result", job, true)] : []),
        ...(job.state === "Success" ? [button("compare", "Compare with the source", job)] : []),
        ...(facts.files && job.state === "Success" && job.outputs ? takeAway.buttons({ item: job.id, name: resultName(job) }) : []),
        ...(WAITS.includes(job.state) ? [button("cancel", "Cancel the job", job, true)] : []),
        ...(isOver ? [button("retry", facts.costs_money ? "Submit again …" : "Submit again", job, job.state !== "Success")] : []),
      ]));
      if (focused) (actions.querySelector(`[data-do="${focused}"]:not(:disabled)`) ?? title).focus();
    },
  };
  return api;
}

// The actions for all selected jobs.
function makeSelection({ act, clear }) {
  const text = el("span", { role: "status" });
  const button = (action, label) => el("button", { type: "button", class: "ci-plain", text: label, onclick: (event) => event.detail < 2 && act(action) });
  const cancel = button("cancel", "Cancel"), compare = button("compare", "Compare");
  const node = el("div", { class: "ci-jselection", hidden: true }, text, compare, cancel, el("button", { type: "button", class: "ci-quiet", text: "Clear selection", onclick: clear }));
  return {
    node,
    show(jobs) {
      node.hidden = !jobs.length;
      text.textContent = `${jobs.length} selected`;
      cancel.disabled = !jobs.some((job) => WAITS.includes(job.state));
      const successes = jobs.filter((job) => job.state === "Success").length;
      compare.disabled = successes < 2 || successes > 4 || successes < jobs.length;
    },
  };
}

let views = 0;

function render({ model, el: root }) {
  const name = `ci-m${++views}-${Math.random().toString(36).slice(2, 8)}`;
  const facts = model.get("facts"), store = makeJobs();
  const filter = { state: "", words: "", span: 0, sort: "created", down: true };
  const selected = new Set(), pending = new Map();
  let active = null, scheduled = 0, isLoaded = false;

  const send = (content) => model.send({ view: name, ...content });
  const isBusy = (action, id) => [...pending.values()].some((one) => one.action === action && one.ids.includes(id));
  const showError = (text) => { error.textContent = text; };
  const act = (action, jobs) => {
    const ids = jobs.map((job) => job.id).filter((id) => !isBusy(action, id));
    if (!ids.length) return;
    const press = token();
    pending.set(press, { action, ids });
    showError("");
    message.textContent = { open: "Downloading the result", cancel: "Cancelling", retry: "Sending", compare: "Comparing" }[action];
    send({ do: action, ids, press });
    draw();
  };
  // Called by the button of a row and by the details. An action that costs money is confirmed in the details first.
  const start = (action, jobs) => {
    if (action === "retry" && facts.costs_money && active === jobs[0].id && detail.node.querySelector(".ci-jconfirm")) return act(action, jobs);
    if (action === "retry" && facts.costs_money) { choose(jobs[0].id); return detail.confirm(jobs[0]); }
    return act(action, jobs);
  };
  const choose = (id, isEntered) => {
    if (active !== id) detail.endConfirm();
    active = id;
    show();
    if (isEntered) detail.focus();
  };
  const select = (job, is) => { if (is) selected.add(job.id); else selected.delete(job.id); share(); };
  const share = () => {
    model.set("selection", [...selected]);
    model.save_changes();
    draw();
  };
  const follow = () => {
    selected.clear();
    for (const id of model.get("selection")) selected.add(id);
    draw();
  };
  const selectedJobs = () => [...selected].map((id) => store.jobs.get(id)).filter(Boolean);

  const filters = makeFilters(name, filter, () => draw());
  const grid = makeGrid(name, {
    heads: HEADS, select, choose, act: (action, job) => start(action, [job]),
    sortBy: (sort) => { filter.down = filter.sort === sort ? !filter.down : sort === "created" || sort === "cost"; filter.sort = sort; draw(); },
  });
  const takeAway = makeTakeAway(model);
  const detail = makeDetail(name, facts, { act: start, isBusy, takeAway, close: () => { choose(null); grid.focus(); } });
  const selection = makeSelection({
    clear: () => { selected.clear(); share(); },
    act: (action) => act(action, selectedJobs().filter((job) => action !== "cancel" || WAITS.includes(job.state))),
  });
  const message = el("span", { class: "ci-clip ci-jmessage", role: "status", "aria-live": "polite" });
  const live = el("span", { class: "ci-jlive" });
  const error = el("div", { class: "ci-error", role: "alert" }), serviceError = el("div", { class: "ci-error", role: "alert" });

  const show = () => {
    scheduled = 0;
    const counts = store.counts(), total = store.jobs.size;
    const since = filter.span ? Date.now() / 1000 - filter.span : -Infinity;
    const jobs = store.matching({ ...filter, since });
    filters.show(counts, total);
    const empty = jobs.length ? "" : !isLoaded ? "Loading jobs" : total ? "No job matches the filters." : "There are no jobs yet. Submit a setting or run a sweep.";
    grid.show(jobs, { active, selected, isBusy, costsMoney: facts.costs_money, empty, sort: filter.sort, down: filter.down });
    detail.show(store.jobs.get(active) ?? null);
    selection.show(selectedJobs());
  };
  const draw = () => { scheduled ||= requestAnimationFrame(show); };
  const receive = (content) => {
    if (content.do === "all" || content.do === "rows") {
      if (content.do === "rows" && !isLoaded) return; // all rows are about to arrive
      isLoaded = true;
      store.update(content, content.do === "all");
      if ((content.removed ?? []).filter((id) => selected.delete(id)).length) share();
      draw();
    } else if (content.do === "answer") {
      const isOurs = pending.delete(content.press);
      if (isOurs || content.error) showError(content.error);
      if (isOurs) message.textContent = content.error ? "" : { open: "The result is below", cancel: "Cancelled", retry: "Sent again", compare: "Compared below" }[content.action];
      if (isOurs && !content.error) detail.endConfirm();
      if (isOurs && content.new_ids?.length) active = content.new_ids[0];
      draw();
    }
  };
  const showStatus = () => {
    const status = model.get("status");
    live.textContent = status.live ? "updating" : "paused";
    live.classList.toggle("ci-jon", Boolean(status.live));
    if (serviceError.textContent !== status.error) serviceError.textContent = status.error;
  };

  const panel = el(
    "div", { class: "ci-root ci-monitor", role: "group", "aria-label": "Jobs of the lab", "data-lm-suppress-shortcuts": "true",
      onkeydown: (event) => event.stopPropagation() }, // otherwise JupyterLab handles arrow keys and letters
    el("div", { class: "ci-top" }, el("h3", { text: "Jobs" }), live, message), filters.node, serviceError, error, selection.node, grid.node, detail.node, takeAway.node,
  );
  root.append(panel);

  let isVisible = false, isNear = false;
  const heartbeat = () => {
    const is = isNear && document.visibilityState === "visible";
    if (is || isVisible) send({ do: "heartbeat", visible: is });
    isVisible = is;
  };
  const watcher = new IntersectionObserver(([entry]) => { isNear = entry.isIntersecting; heartbeat(); });
  watcher.observe(panel);
  document.addEventListener("visibilitychange", heartbeat);
  const heartbeats = setInterval(heartbeat, HEARTBEAT_MS);
  const ticks = setInterval(() => { if (isVisible && store.counts().Running) draw(); }, 1000);
  model.on("msg:custom", receive);
  model.on("change:status", showStatus);
  model.on("change:selection", follow);
  follow();
  send({ do: "hello" });
  showStatus();
  show();
  return () => {
    isNear = false;
    heartbeat();
    watcher.disconnect();
    grid.close();
    takeAway.close();
    clearInterval(heartbeats);
    clearInterval(ticks);
    document.removeEventListener("visibilitychange", heartbeat);
    model.off("msg:custom", receive);
    model.off("change:status", showStatus);
    model.off("change:selection", follow);
  };
}

export default { render: mounted(render) };
