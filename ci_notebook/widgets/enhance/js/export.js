// A text trait shown as code, with a Copy button.
function makeCode(name, model, trait) {
  const code = el("code");
  const status = el("span", { class: "ci-copied", role: "status" });
  const copy = el("button", {
    type: "button", class: "ci-copy", text: "Copy", "aria-label": `Copy ${name}`,
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(model.get(trait));
        status.textContent = "copied";
      } catch { // the page may not write to the clipboard: select the text, so that the user can copy it
        getSelection().selectAllChildren(code);
        status.textContent = "selected";
      }
      setTimeout(() => { status.textContent = ""; }, 1500);
    },
  });
  const pre = el("pre", { tabindex: "0", role: "region", "aria-label": name }, code);
  return {
    node: el("section", { class: `ci-code ci-${trait}` }, el("div", { class: "ci-code-head" }, el("h4", { text: name }), status, copy), pre),
    show() {
      if (code.textContent !== model.get(trait)) code.textContent = model.get(trait); // an unchanged text keeps the user's selection
    },
  };
}
