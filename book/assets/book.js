// What the theme (sphinx-book-theme 1.3, docutils 0.21) leaves undone for readers who use a keyboard
// or a screen reader. Each line answers one finding of axe-core.
document.addEventListener("DOMContentLoaded", () => {
  const each = (selector, action) => document.querySelectorAll(selector).forEach(action);

  // An aria-label that hides the text a button shows.
  each(".search-button-field, .theme-switch-button", (button) => button.removeAttribute("aria-label"));
  each(".theme-switch-button", (button) => {
    const name = document.createElement("span");
    name.className = "visually-hidden";
    name.textContent = "Colour mode";
    button.append(name);
  });
  // Content outside every landmark.
  each(".sidebar-primary-items__start", (part) => {
    part.setAttribute("role", "region");
    part.setAttribute("aria-label", "Book title and contents");
  });
  // Roles that no longer exist.
  each(".citation-list, .citation", (entry) => entry.removeAttribute("role"));
  // Header cells without text in pandas' tables.
  each("table.dataframe thead th:empty", (cell) => cell.replaceWith(document.createElement("td")));
  // Boxes that scroll sideways can be reached by keyboard.
  const reachable = () =>
    each("pre, .bd-article table, div.math, mjx-container[display]", (box) => {
      if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
    });
  reachable();
  window.addEventListener("load", () => setTimeout(reachable, 500));
  window.addEventListener("resize", reachable);
});
