// What a page of the merchant console cannot do without a script, and does without it nearly as well: copying.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.innerText.trim());
    button.textContent = button.dataset.done;
  } catch {
    getSelection().selectAllChildren(source); // where the clipboard is closed to pages: selected, to copy by hand
  }
});
// On a phone the menu is wider than the screen: where one is stands in sight.
const here = document.querySelector(".side [aria-current]");
if (here) here.closest("ul").scrollLeft = here.offsetLeft - innerWidth / 3;
