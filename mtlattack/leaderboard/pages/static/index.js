// The index: of all suites at once the rows, and points of the charts, that hold what is typed.
"use strict";
(() => {
  const state = globalThis.mtlattackState;
  const field = state.$("text");
  if (!field) return;
  const rows = [...document.querySelectorAll("tr[data-search]")];
  const cards = [...document.querySelectorAll(".card")];

  function filter() {
    for (const tr of rows) tr.hidden = !state.finds(field.value, tr.dataset.search);
    for (const card of cards) card.hidden = field.value !== "" && !card.querySelector("tr[data-search]:not([hidden])");
    state.pointsOf(rows);
    state.$("count").textContent = `${rows.filter((tr) => !tr.hidden).length} of ${state.counted(rows.length, "row")} shown`;
  }

  function restore() {
    field.value = state.read().get("text") ?? "";
    filter();
  }

  field.addEventListener("input", () => {
    filter();
    state.write({ text: field.value });
  });
  addEventListener("hashchange", restore);
  restore();
})();
