// Before anything is drawn: whether scripts run, and light or dark as chosen here before (else as the system says).
"use strict";
(() => {
  const KEY = "mtlattack-theme";
  const root = document.documentElement;
  root.classList.add("js");

  // Storage may be switched off or refuse pages from disk.
  const read = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const write = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // It then holds for this page alone.
    }
  };

  const chosen = read();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const name = () => {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", isDark() ? "Switch to light colours" : "Switch to dark colours");
    };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      write(root.dataset.theme);
      name();
    });
    system.addEventListener("change", name);
    name();
  });
})();
