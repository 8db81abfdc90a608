// Progressive enhancement of the merchant console: copy buttons, and scrolling the current menu item into view.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.innerText.trim());
    button.textContent = button.dataset.done;
  } catch {
    getSelection().selectAllChildren(source); // without clipboard access: select the text to copy by hand
  }
});
// On a phone the menu is wider than the screen: scroll the current item into view.
const here = document.querySelector(".side [aria-current]");
if (here) here.closest("ul").scrollLeft = here.offsetLeft - innerWidth / 3;
