// A text trait as code to read and to copy.
function makeCode(name, model, trait) {
  const code = el("code");
  const said = el("span", { class: "ci-copied", role: "status" });
  const copy = el("button", {
    type: "button", class: "ci-copy", text: "Copy", "aria-label": `Copy ${name}`,
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(model.get(trait));
        said.textContent = "copied";
      } catch {  // a page that may not write to the clipboard leaves it to the reader's hand
        getSelection().selectAllChildren(code);
        said.textContent = "selected";
      }
      setTimeout(() => { said.textContent = ""; }, 1500);
    },
  });
  const pre = el("pre", { tabindex: "0", role: "region", "aria-label": name }, code);
  return {
    node: el("section", { class: `ci-code ci-${trait}` }, el("div", { class: "ci-code-head" }, el("h4", { text: name }), said, copy), pre),
    show() {
      if (code.textContent !== model.get(trait)) code.textContent = model.get(trait); // what a reader selected stays selected
    },
  };
}
