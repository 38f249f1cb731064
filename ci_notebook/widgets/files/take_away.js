// Buttons that play and save videos. The player (player.js) is large; Python sends it with the first click.

// An item is { item, name }; Python knows the video of `item`. `node` is where the player appears.
function makeTakeAway(model) {
  const node = el("div", { class: "ta-place" });
  let player = null, isClosed = false, waiting = null;
  const receive = (content) => { if (content.do === "take-code") waiting?.(content.code); };
  model.on("msg:custom", receive);
  const load = () => (player ??= new Promise((resolve, reject) => {
    waiting = resolve;
    setTimeout(() => { if (!node.hasChildNodes()) node.append(el("p", { class: "ta-soft", role: "status", text: "Waiting for the kernel" })); }, 3000);
    try { model.send({ do: "take-code" }); } catch { reject(new Error("The kernel is not running. Run the cell again.")); }
  }).then(async (code) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    try {
      const made = (await import(url)).makePlayer(model);
      if (isClosed) made.close(); else node.replaceChildren(made.node);
      return made;
    } finally { URL.revokeObjectURL(url); }
  }));
  const use = async (action) => {
    try { action(await load()); } catch (error) {
      player = null;
      node.replaceChildren(el("p", { class: "ta-error", role: "alert", text: error.message }));
    }
  };
  const button = (text, name, press) => el("button", { type: "button", class: "ta-button", text, title: name, "aria-label": name, onclick: press });
  const buttons = (one) => [
    button("▶ Play", `Play ${one.name}`, ({ currentTarget: opener }) => use((made) => made.play(one, { opener }))),
    button("⤓ Download", `Download ${one.name}`, ({ detail }) => detail < 2 && use((made) => made.save(one))),
  ];
  return {
    node, buttons,
    // One row per item; two to four also get a button that plays them side by side.
    rows: (items) => [
      items.length > 1 && items.length <= 4 && el("div", { class: "ta-row" }, button("▶ Play side by side", "Play side by side", ({ currentTarget: opener }) => use((made) => made.playTogether(items, opener)))),
      ...items.map((one) => el("div", { class: "ta-row" }, el("span", { class: "ta-name", text: one.name }), ...buttons(one))),
    ].filter(Boolean),
    close() {
      isClosed = true;
      model.off("msg:custom", receive);
      player?.then((made) => made.close(), () => {});
    },
  };
}
