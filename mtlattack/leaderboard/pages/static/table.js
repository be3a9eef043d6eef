// A suite's table: threat and attack, filters, sorting, columns, and rows chosen for comparison. Numbers come printed from the builder.
"use strict";
(() => {
  const state = globalThis.mtlattackState;
  const data = globalThis.mtlattackData;
  const $ = state.$;
  const MOST_COMPARED = 4;
  const DEFAULTS = { sort: "rank", dir: "ascending", eps: data.levels[data.headline] };
  const FILTERS = ["text", "status", "training", "least", "most"];

  const table = $("board");
  const body = table.tBodies[0];
  const headers = [...table.tHead.querySelectorAll("th")];
  const numbersById = new Map(data.rows.map((row, index) => [row.id, { ...row, index }]));
  const lines = [...body.rows].map((tr) => ({ tr, ...numbersById.get(tr.dataset.row), box: tr.querySelector("input") }));
  const column = Object.fromEntries(headers.map((th) => [th.dataset.key, th.cellIndex]));
  const firstNumber = column[data.quantities[0].key];
  const columns = globalThis.mtlattackColumns(table, () => remember());
  const picked = new Set();
  let sort = DEFAULTS.sort;
  let direction = DEFAULTS.dir;

  /** Put the numbers in the chosen threat under the chosen attack, or all of them, into the table. */
  function fill() {
    const level = Math.max(0, data.levels.indexOf($("eps").value));
    const attack = data.attacks.indexOf($("attack").value);
    for (const line of lines) {
      const { rank, attack: names, cells } = line.views[level][attack + 1] ?? { rank: null, attack: ["–", ""], cells: null };
      line.rank = rank;
      line.skill = cells ? cells[0][2] : null;
      set(line.tr.cells[column.rank], rank === null ? "–" : String(rank), "", rank);
      data.quantities.forEach((_, index) => {
        const [text, interval, value] = cells ? cells[index] : ["–", "", null];
        set(line.tr.cells[firstNumber + index], text, interval, value);
      });
      set(line.tr.cells[column.attack], names[0], names[1], cells ? names[0] : null);
    }
    $("shown").textContent = `${data.levels[level]}, ${attack < 0 ? "all attacks of the suite" : data.attacks[attack]}`;
  }

  function set(cell, text, interval, value) {
    cell.replaceChildren(...state.figure(text, interval));
    if (value === null) delete cell.dataset.value;
    else cell.dataset.value = value;
  }

  /** Show the rows that the filters let through, and say how many. */
  function filter() {
    const [least, most] = [bound("least"), bound("most")];
    let shown = 0;
    for (const line of lines) {
      const { status, training, counts, search, degree } = line.tr.dataset;
      line.tr.hidden = !(
        state.finds($("text").value, search) &&
        (!$("status").value || status === $("status").value) &&
        (!$("training").value || training === $("training").value) &&
        (least === null || (degree !== undefined && Number(degree) >= least)) &&
        (most === null || (degree !== undefined && Number(degree) <= most)) &&
        (counts === "1" || $("withdrawn").checked)
      );
      shown += line.tr.hidden ? 0 : 1;
    }
    state.pointsOf(lines.map((line) => line.tr));
    const withdrawn = lines.filter((line) => line.tr.dataset.counts === "0").length;
    const note = withdrawn && !$("withdrawn").checked ? `, ${withdrawn} withdrawn not among them` : "";
    $("count").textContent = `${shown} of ${state.counted(lines.length, "row")} shown${note}`;
  }

  function bound(id) {
    const value = $(id).valueAsNumber;
    return Number.isNaN(value) ? null : value;
  }

  /** Order by one column; equals by place, and what has no value last, whichever the direction. */
  function order() {
    const header = headers.find((th) => th.dataset.key === sort);
    const numeric = header.dataset.kind === "number";
    const sign = direction === "descending" ? -1 : 1;
    const key = (line) => {
      const value = line.tr.cells[header.cellIndex].dataset.value;
      return value === undefined ? null : numeric ? Number(value) : value.toLowerCase();
    };
    const keys = new Map(lines.map((line) => [line, key(line)]));
    const last = lines.length + 1;
    const byPlace = (a, b) =>
      (a.rank ?? last) - (b.rank ?? last) || (b.rank && a.rank && b.skill - a.skill) || a.index - b.index;
    const sorted = [...lines].sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null) || byPlace(a, b);
      return x < y ? -sign : x > y ? sign : byPlace(a, b);
    });
    body.append(...sorted.map((line) => line.tr));
    for (const th of headers) {
      if (th === header) th.setAttribute("aria-sort", direction);
      else th.removeAttribute("aria-sort");
    }
  }

  /** Offer the comparison once two to four rows are ticked; a fifth cannot be. */
  function compare() {
    const ids = [...picked];
    for (const line of lines) {
      line.box.checked = picked.has(line.id);
      line.box.disabled = !line.box.checked && ids.length >= MOST_COMPARED;
    }
    const link = $("compare");
    const ready = ids.length >= 2;
    if (ready) {
      const hash = new URLSearchParams({ suite: data.suite, rows: ids.join(","), eps: $("eps").value });
      link.href = `../compare.html#${hash}`;
      link.removeAttribute("aria-disabled");
    } else {
      link.removeAttribute("href");
      link.setAttribute("aria-disabled", "true");
    }
    link.textContent = ready ? `Compare ${ids.length} rows` : "Choose 2 to 4 rows to compare";
  }

  function remember() {
    const chosen = { rows: [...picked].join(","), columns: columns.value };
    for (const id of ["attack", ...FILTERS]) chosen[id] = $(id).value;
    if ($("eps").value !== DEFAULTS.eps) chosen.eps = $("eps").value;
    if ($("withdrawn").checked) chosen.withdrawn = "1";
    if (sort !== DEFAULTS.sort || direction !== DEFAULTS.dir) Object.assign(chosen, { sort, dir: direction });
    state.write(chosen);
  }

  /** Everything as the address says it; what it says of things that are not there is passed over. */
  function restore() {
    const wanted = state.read();
    state.choose($("eps"), wanted.get("eps"), DEFAULTS.eps);
    for (const id of ["attack", "status", "training"]) state.choose($(id), wanted.get(id), "");
    $("text").value = wanted.get("text") ?? "";
    for (const id of ["least", "most"]) $(id).value = /^[01]?\.?\d*$/.test(wanted.get(id) ?? "") ? wanted.get(id) : "";
    $("withdrawn").checked = wanted.get("withdrawn") === "1";
    sort = headers.some((th) => th.dataset.kind && th.dataset.key === wanted.get("sort")) ? wanted.get("sort") : DEFAULTS.sort;
    direction = wanted.get("dir") === "descending" ? "descending" : "ascending";
    picked.clear();
    for (const id of (wanted.get("rows") ?? "").split(",")) {
      if (numbersById.has(id) && picked.size < MOST_COMPARED) picked.add(id);
    }
    fill();
    filter();
    order();
    compare();
    columns.value = wanted.get("columns");
  }

  /** On an event do all of these, and remember what was chosen. */
  function on(target, event, ...steps) {
    target.addEventListener(event, () => [...steps, remember].forEach((step) => step()));
  }

  for (const id of ["eps", "attack"]) on($(id), "change", fill, order, compare, columns.update);
  for (const id of [...FILTERS, "withdrawn"]) {
    for (const event of ["input", "change"]) on($(id), event, filter);
  }
  for (const th of headers.filter((each) => each.dataset.kind)) {
    const turn = () => {
      direction = sort === th.dataset.key && direction === "ascending" ? "descending" : "ascending";
      sort = th.dataset.key;
    };
    on(th.querySelector("button"), "click", turn, order);
  }
  for (const line of lines) {
    const pick = () => (line.box.checked ? picked.add(line.id) : picked.delete(line.id));
    on(line.box, "change", pick, compare);
  }
  $("reset").addEventListener("click", () => {
    state.write({});
    restore();
  });
  addEventListener("hashchange", restore);
  restore();
})();
