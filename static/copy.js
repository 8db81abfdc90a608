/* A button on every block of code that copies it. Without this script the page is whole; it has no buttons. */
"use strict";
const words = document.currentScript.dataset;
document.addEventListener("DOMContentLoaded", () => {
  if (!navigator.clipboard) return;
  for (const figure of document.querySelectorAll("figure.code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words.copy;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(figure.querySelector("code").textContent);
      button.textContent = words.copied;
      setTimeout(() => { button.textContent = words.copy; }, 2000);
    });
    figure.querySelector("figcaption").append(button);
  }
});
