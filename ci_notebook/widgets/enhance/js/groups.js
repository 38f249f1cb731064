// Nodes: a group of leaves below a switch, a stage as a card, and repeated nodes as a list of items.

// One item of a repeated group: `#` is replaced by its number.
function numbered(group, number) {
  return JSON.parse(JSON.stringify(group).replaceAll(".#", `.${number}`));
}

// `remove` is given for an item of a list, which has a Remove button instead of a switch.
function makeGroup(group, depth, view, remove) {
  const id = view.id();
  const body = el("div", { class: "ci-body", id: `${id}-b` });
  const hint = makeHint(group.path, `${id}-e`, view);
  const box = remove ? null : el("input", {
    id, type: "checkbox", role: "switch", class: "ci-switch", "aria-describedby": `${id}-h ${id}-e`,
    onchange: () => view.toggle(group, box.checked),
  });
  const title = [el("span", { text: remove ? `${group.tag} ${group.path.split(".").pop()}` : group.title }),
    remove ? null : el("code", {}, ...tagText(group.tag))];
  const head = el("div", { class: "ci-head" }, box,
    remove ? el("div", { class: "ci-title", id }, ...title) : el("label", { for: id, class: "ci-title" }, ...title),
    remove && el("button", { type: "button", class: "ci-quiet", text: "Remove", "aria-label": `Remove ${group.tag} ${group.path.split(".").pop()}`, onclick: remove }));
  const node = el(depth ? "div" : "section",
    { class: depth ? "ci-group" : "ci-stage", "data-path": group.path, role: remove && "group", "aria-labelledby": remove && id }, head, hint.node, body);
  let showBody = null; // built when the node is first on, because most nodes are never used
  return {
    node,
    focus: () => body.querySelector("input, select")?.focus(),
    show(state) {
      const isOn = state.active.includes(group.path);
      if (box) box.checked = isOn;
      body.hidden = !isOn;
      node.classList.toggle("ci-off", !isOn);
      hint.show(state);
      if (isOn) {
        showBody ??= fillBody(body, group, id, depth, view, Boolean(remove));
        showBody(state);
      }
    },
  };
}

// Common parameters first, the others folded. Without a common one, nothing is folded.
function fillBody(body, group, id, depth, view, isItem) {
  const rows = group.leaves.map((leaf) => ({ leaf, row: makeRow(leaf, view) }));
  const inner = group.groups.map((one) => ({ group: one, part: (one.most ? makeList : makeGroup)(one, depth + 1, view) }));
  const first = (one) => one.common || !group.common;
  const fold = makeFold([
    ...rows.filter(({ leaf }) => !first(leaf)).map(({ leaf, row }) => [leaf.path, row.node]),
    ...inner.filter((one) => !first(one.group)).map((one) => [one.group.path.replace(/\.#$/, ""), one.part.node]),
  ]);
  body.append(
    ...(isItem ? [] : [el("div", { id: `${id}-h`, class: "ci-help", text: group.help })]),
    ...rows.filter(({ leaf }) => first(leaf)).map(({ row }) => row.node),
    ...inner.filter((one) => first(one.group)).map((one) => one.part.node),
    ...(fold ? [fold.node] : []),
  );
  return (state) => {
    rows.forEach(({ row }) => row.show(state));
    inner.forEach((one) => one.part.show(state));
    fold?.show(state);
  };
}

function makeList(group, depth, view) {
  const path = group.path.slice(0, -2), id = view.id(), items = [];
  const hint = makeHint(path, `${id}-e`, view);
  const count = (active) => { let n = 0; while (active.includes(`${path}.${n + 1}`)) n += 1; return n; };
  const list = el("div", { class: "ci-items" });
  const add = el("button", {
    type: "button", class: "ci-quiet ci-add", text: "+ Add", "aria-label": `Add ${group.tag}`, "aria-describedby": `${id}-h`,
    onclick: () => {
      const number = count(view.active()) + 1;
      view.toggle(numbered(group, number), true);
      items[number - 1].focus();
    },
  });
  const head = el("div", { class: "ci-head" },
    el("div", { class: "ci-title" }, el("span", { text: group.title }), el("code", {}, ...tagText(group.tag)),
      el("span", { class: "ci-help", id: `${id}-h`, text: `at most ${group.most}` })), add);
  const node = el(depth ? "div" : "section", { class: depth ? "ci-group" : "ci-stage", "data-path": path }, head, hint.node, list);
  return {
    node,
    show(state) {
      const itemCount = count(state.active);
      while (items.length < itemCount) {
        const one = numbered(group, items.length + 1);
        items.push(makeGroup(one, depth + 1, view, () => { view.act("remove", { path: one.path }); add.focus(); }));
        list.append(items.at(-1).node);
      }
      items.forEach((item, at) => { item.node.hidden = at >= itemCount; item.show(state); });
      add.hidden = itemCount >= group.most;
      node.classList.toggle("ci-off", !itemCount);
      hint.show(state);
    },
  };
}

// Less common parameters, folded. The fold shows how many of them are set, and opens if one is invalid.
function makeFold(entries) {
  if (!entries.length) return null;
  const count = el("span", { class: "ci-count" });
  const node = el(
    "details", { class: "ci-fold" },
    el("summary", {}, el("span", { text: `More (${entries.length})` }), count), ...entries.map(([, one]) => one),
  );
  const below = (paths) => paths.filter((path) => entries.some(([own]) => path === own || path.startsWith(`${own}.`)));
  return {
    node,
    show({ values, active, problems }) {
      const set = below([...Object.keys(values).filter((path) => values[path] !== null), ...active]).length;
      count.textContent = set ? ` · ${set} set` : "";
      if (below(Object.keys(problems)).length) node.open = true;
    },
  };
}
