// Which columns of a table are in sight: those that the reader ticked, or as many as fit, the most telling first.
"use strict";
/** `changed` is called when the reader has chosen. */
globalThis.mtlattackColumns = (table, changed) => {
  const { $, element } = globalThis.mtlattackState;
  const ALWAYS = ["rank", "model"];
  const FIRST = ["skill", "clean", "worst_skill", "training", "degree", "origin", "paper", "log_ratio", "arp"];
  const headers = [...table.tHead.querySelectorAll("th")];
  const names = headers.map((th) => th.dataset.key);
  const free = names.filter((name) => !ALWAYS.includes(name));
  const byWorth = [...FIRST.filter((name) => free.includes(name)), ...free.filter((name) => !FIRST.includes(name))];
  // Null: as many as fit.
  let chosen = null;

  const boxes = new Map();
  for (const name of free) {
    const th = headers[names.indexOf(name)];
    const label = element("label", undefined, "tick");
    const box = element("input");
    box.type = "checkbox";
    box.dataset.column = name;
    label.append(box, ` ${th.textContent.trim().replace(/\s+/g, " ")}`);
    boxes.set(name, box);
    $("fit").before(label);
    box.addEventListener("change", () => choose(free.filter((each) => boxes.get(each).checked)));
  }

  function show(wanted) {
    for (const [name, box] of boxes) {
      box.checked = wanted.has(name);
      const { cellIndex } = headers[names.indexOf(name)];
      for (const tr of table.rows) tr.cells[cellIndex].hidden = !box.checked;
    }
    $("in-sight").textContent = `${headers.length - free.length + wanted.size} of ${headers.length}`;
  }

  /** Measured with all in sight, where none is wider than it must be. */
  function thatFit() {
    show(new Set(free));
    const frame = table.parentElement;
    const width = new Map(names.map((name, index) => [name, headers[index].getBoundingClientRect().width]));
    let room = frame.clientWidth - table.getBoundingClientRect().width;
    const kept = new Set(free);
    for (const name of [...byWorth].reverse()) {
      if (room >= 0) break;
      room += width.get(name);
      kept.delete(name);
    }
    return kept;
  }

  function update() {
    show(chosen === null ? thatFit() : new Set(chosen));
  }

  function choose(columns) {
    chosen = columns;
    update();
    changed();
  }

  // Beside the chart there is room for the list.
  $("columns").open = matchMedia("(min-width: 64rem)").matches;
  $("fit").addEventListener("click", () => choose(null));
  $("all").addEventListener("click", () => choose(free));
  new ResizeObserver(() => chosen === null && update()).observe(table.parentElement);

  return {
    update,
    /** As it stands in an address: null, `all`, or names. */
    get value() {
      return chosen === null ? null : chosen.length === free.length ? "all" : chosen.join(",") || "none";
    },
    /** What an address says; names that are none are passed over. */
    set value(text) {
      chosen = text === null ? null : text === "all" ? free : free.filter((name) => text.split(",").includes(name));
      update();
    },
  };
};
