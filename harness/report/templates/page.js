"use strict";
// Nothing here is needed to read the page: it adds copy buttons, opens what a link leads to, and opens for print
// what mends the findings, and of one server the findings themselves.
for (const code of document.querySelectorAll("code.command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy the command");
  button.addEventListener("click", async () => {
    let done = true;
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // pages that were opened as files may not use the clipboard in every browser
      getSelection().selectAllChildren(code);
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  code.after(button);
}
function reveal() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const details = target && target.closest("details");
  if (details) {
    details.open = true;
    details.querySelector("summary").focus({ preventScroll: true });
    // after the browser's own jump, which leads behind the summary
    requestAnimationFrame(() => requestAnimationFrame(() => details.scrollIntoView()));
  }
}
addEventListener("hashchange", reveal);
reveal();
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll(".mends, .one details.failed, .one details.warned")) details.open = true;
});
