// Sets the theme before anything is painted; a choice is remembered, else the system's holds.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("rag_app.theme");
    } catch {
      return null; // storage may be forbidden
    }
  };
  const apply = () => (root.dataset.theme = chosen() ?? (system.matches ? "dark" : "light"));
  apply();
  system.addEventListener("change", apply);
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const tell = () => button.setAttribute("aria-pressed", String(root.dataset.theme === "dark"));
    tell();
    button.addEventListener("click", () => {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem("rag_app.theme", root.dataset.theme);
      } catch {
        // the choice then holds for this page
      }
      tell();
    });
  });
})();
