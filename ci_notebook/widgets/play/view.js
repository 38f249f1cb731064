// Players side by side: all videos are fetched when the view is shown.

function renderPlayers({ model, el: root }) {
  const player = makePlayer(model, { fixed: true });
  const items = model.get("items");
  const page = el("div", { class: "ci-root ci-play", role: "group", "aria-label": `Play ${items.map((one) => one.name).join(", ")}` },
    player.node, el("div", { class: "ta-row" }, ...items.map((one) => el("button", {
      type: "button", class: "ta-button", text: items.length > 1 ? `⤓ ${one.name}` : "⤓ Download", title: `Download ${one.name}`, "aria-label": `Download ${one.name}`,
      onclick: ({ detail }) => detail < 2 && player.save(one),
    }))));
  const fit = () => page.style.setProperty("--ta-height", `${model.get("height")}px`);
  fit();
  root.append(page);
  model.on("change:height", fit);
  items.forEach((one) => player.play(one, { start: false }));
  return () => { model.off("change:height", fit); player.close(); };
}

export default { render: mounted(renderPlayers) };
