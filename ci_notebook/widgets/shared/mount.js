// Mounts a view in its page: shows its results if it is inside another widget, and takes no input without its kernel.

const GONE = ["restarting", "autorestarting", "terminating", "dead"]; // states of a kernel that no longer knows the view
const RECONNECT_MS = 3000; // a connection that is back sooner is not reported

// Calls `show(isLive)` when the kernel of a model goes, or comes back into reach. A busy kernel is not asked anything,
// so it is never reported. Front ends without kernel signals report only closed comms.
function watchKernel(model, show) {
  const twin = () => model.get("layout"); // a plain model of the same kernel: a view sees only a proxy of its own
  const manager = model.widget_manager, signals = ["statusChanged", "connectionStatusChanged", "disposed"];
  let kernel = null, isGone = false, isOff = false, timer = 0;
  const update = () => show(!isGone && !isOff && twin()?.comm_live !== false && !kernel?.isDisposed);
  // A new process on the old connection does not have the comm.
  const ask = async () => {
    try {
      const { content } = await kernel.requestCommInfo({ target_name: "jupyter.widget" });
      if (content.comms && twin()?.model_id && !(twin().model_id in content.comms)) isGone = true;
    } catch { /* the connection is lost again, which is reported by itself */ }
    update();
  };
  const change = () => {
    const isBack = isOff;
    if (GONE.includes(kernel?.status)) isGone = true;
    clearTimeout(timer);
    if (!kernel || kernel.isDisposed || kernel.connectionStatus === "connected") isOff = false;
    else if (!isOff) timer = setTimeout(() => { isOff = true; update(); }, RECONNECT_MS);
    if (kernel && !kernel.isDisposed && !isOff && !isGone && (isBack || kernel.status === "starting")) ask();
    update();
  };
  const layout = twin();
  layout?.on?.("comm_live_update", update);
  try { kernel = manager?.kernel ?? null; } catch { kernel = null; }
  for (const signal of signals) kernel?.[signal]?.connect(change);
  change();
  return () => {
    clearTimeout(timer);
    layout?.off?.("comm_live_update", update);
    for (const signal of signals) kernel?.[signal]?.disconnect(change);
  };
}

// HTML that Python has made and escaped. Scripts in it do not run.
function fillHtml(node, html) {
  node.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
}

// The model without the exception that a message raises while the kernel restarts; the note says it.
function quiet(model) {
  return {
    get: (name) => model.get(name), set: (name, value) => model.set(name, value), save_changes: () => model.save_changes(),
    on: (event, fn) => model.on(event, fn), off: (event, fn) => model.off(event, fn), widget_manager: model.widget_manager,
    send(...message) { try { model.send(...message); } catch (error) { console.warn("Not sent:", error); } },
  };
}

function mounted(render) {
  return (context) => {
    const { el: root } = context, model = quiet(context.model);
    let shown = "";
    const note = el("div", { class: "ci-gone", role: "alert" });
    const results = el("section", { class: "ci-results", "aria-label": "Results", hidden: true });
    root.classList.add("ci-view");
    root.append(note);
    const end = render({ ...context, model });
    const compared = el("div");
    root.append(results, compared);
    const parts = () => [...root.children].filter((one) => ![note, results, compared].includes(one));
    const stop = watchKernel(model, (isLive) => {
      const text = document.body.dataset.voila ? "Disconnected. Reload the page." : "Disconnected. Run the cell again.";
      note.textContent = isLive ? "" : text;
      parts().forEach((one) => { one.inert = !isLive; });
    });
    const show = () => {
      const html = model.get("is_inside") ? model.get("results") : "";
      results.hidden = !html || !isInside();
      if (!results.hidden && shown !== html) fillHtml(results, (shown = html));
    };
    // The view that a monitor compares jobs with.
    const showCompared = async () => {
      const id = model.get("compared_model"), manager = model.widget_manager;
      if (!id || !isInside()) return;
      try {
        const view = await manager.create_view(await manager.get_model(id));
        if (id === model.get("compared_model")) compared.replaceChildren(view.el);
      } catch { compared.replaceChildren(); } // it was closed meanwhile
    };
    // Known only when the view is in the page, and it may be moved later.
    const isInside = () => Boolean(root.parentElement?.closest(".jupyter-widgets"));
    const place = () => {
      if (isInside() && !model.get("is_inside")) {
        model.set("is_inside", true);
        model.save_changes();
      }
      show();
      if (!compared.hasChildNodes()) showCompared();
    };
    const sized = new ResizeObserver(place);
    sized.observe(root);
    model.on("change:results", show);
    model.on("change:is_inside", show);
    model.on("change:compared_model", showCompared);
    return () => {
      stop();
      sized.disconnect();
      model.off("change:results", show);
      model.off("change:is_inside", show);
      model.off("change:compared_model", showCompared);
      end?.();
    };
  };
}
