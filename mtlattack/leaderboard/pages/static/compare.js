// Rows of one suite side by side, named in the address: #suite=quick-v2&rows=id,id.
"use strict";
(() => {
  const state = globalThis.mtlattackState;
  const { $, element } = state;
  const [LEAST, MOST] = [2, 4];

  function say(text) {
    $("message").textContent = text;
  }

  function start() {
    const wanted = state.read();
    $("comparison").hidden = true;
    $("choose").hidden = false;
    $("suite").textContent = "";
    say("");
    if (!wanted.has("rows")) return;
    const suite = [...document.querySelectorAll("[data-suite]")].find((a) => a.dataset.suite === wanted.get("suite"));
    if (!suite) return say("The suite of this address is not on this board.");
    const script = element("script");
    script.src = suite.dataset.script;
    script.addEventListener("load", () => show(globalThis.mtlattackData, suite, wanted));
    script.addEventListener("error", () => say("The suite's numbers could not be read."));
    document.head.append(script);
  }

  function show(data, suite, wanted) {
    const ids = [...new Set(wanted.get("rows").split(","))];
    const rows = ids.map((id) => data.rows.find((row) => row.id === id));
    if (rows.includes(undefined)) return say("A row of this address is not on this board.");
    if (rows.length < LEAST || rows.length > MOST) return say(`Choose ${LEAST} to ${MOST} rows.`);
    $("suite").textContent = suite.textContent;
    $("back").textContent = suite.textContent;
    $("back").href = `${suite.getAttribute("href")}#${new URLSearchParams({ rows: ids.join(",") })}`;
    $("back").hidden = $("back-slash").hidden = false;
    options($("eps"), data.levels.map((level) => [level, level]), wanted.get("eps"), data.levels[data.headline]);
    options($("quantity"), data.quantities.map((each) => [each.key, each.title]), wanted.get("quantity"), data.quantities[0].key);
    const draw = () => {
      $("tables").replaceChildren(compared(data, rows));
      state.write({ suite: data.suite, rows: ids.join(","), eps: $("eps").value, quantity: $("quantity").value });
    };
    $("eps").onchange = $("quantity").onchange = draw;
    $("comparison").hidden = false;
    $("choose").hidden = true;
    draw();
  }

  function options(select, entries, wanted, otherwise) {
    select.replaceChildren(
      ...entries.map(([value, text]) => {
        const option = element("option", text);
        option.value = value;
        return option;
      }),
    );
    state.choose(select, wanted, otherwise);
  }

  function compared(data, rows) {
    const level = data.levels.indexOf($("eps").value);
    const chosen = data.quantities.findIndex((each) => each.key === $("quantity").value);
    const views = rows.map((row) => row.views[level]);
    const together = views.map((each) => each[0]);
    // At one ε an attack may be missing: some run at one alone.
    const attacks = data.attacks.map((_, index) => index + 1).filter((index) => views.some((each) => each[index]));
    const made = element("table", undefined, "numbers compared");
    made.append(element("caption", `${data.suite}, ${data.levels[level]}`, "visually-hidden"));
    made.append(
      head(rows),
      group("What was attacked", rows, data.facts.map((name, index) => words(name, rows.map((row) => row.facts[index])))),
      group(`Under all attacks of the suite, ${data.levels[level]}`, rows, [
        words("attack", together.map((view) => (view ? view.attack.filter(Boolean).join("; ") : "–"))),
        words("rank", together.map((view) => String(view?.rank ?? "–"))),
        ...data.quantities.map((each, index) =>
          numbers(each.title, each.better, together.map((view) => view && view.cells[index])),
        ),
      ]),
      group(
        `Attack by attack, ${data.levels[level]}: ${data.quantities[chosen].title}`,
        rows,
        attacks.map((index) => {
          const cells = views.map((each) => each[index] && each[index].cells[chosen]);
          return numbers(data.attacks[index - 1], data.quantities[chosen].better, cells);
        }),
      ),
    );
    return made;
  }

  function head(rows) {
    const made = element("thead");
    const line = made.insertRow();
    line.append(element("td", "", "first"));
    for (const row of rows) {
      const th = element("th");
      th.scope = "col";
      const link = element("a", row.name);
      link.href = row.page;
      th.append(link, element("span", row.id.slice(0, 8), "interval"));
      line.append(th);
    }
    return made;
  }

  function group(name, rows, lines) {
    const made = element("tbody");
    const line = element("tr", undefined, "group");
    const th = element("th");
    th.scope = "rowgroup";
    th.colSpan = rows.length + 1;
    th.append(element("span", name));
    line.append(th);
    made.append(line, ...lines);
    return made;
  }

  function line(name, differs) {
    const tr = element("tr", undefined, differs ? "differs" : "");
    const th = element("th", name, "text first");
    th.scope = "row";
    if (differs) th.append(signed(" ≠", "differs-sign", "the rows differ"));
    tr.append(th);
    return tr;
  }

  /** A sign that says what it means, to who points at it and to who hears it. */
  function signed(text, className, said) {
    const sign = element("span", text, className);
    sign.title = said;
    sign.setAttribute("role", "img");
    sign.setAttribute("aria-label", said);
    return sign;
  }

  function words(name, texts) {
    const tr = line(name, texts.some((text) => text !== texts[0]));
    tr.append(...texts.map((text) => element("td", text, "words")));
    return tr;
  }

  /** Numbers with intervals; the most robust is marked, and whether its interval lies apart from all the others. */
  function numbers(name, better, cells) {
    const tr = line(name, false);
    const known = cells.filter((cell) => cell && cell[2] !== null);
    const values = known.map((cell) => cell[2]);
    const best = better === "low" ? Math.min(...values) : Math.max(...values);
    for (const cell of cells) {
      const td = element("td");
      const [value, ...interval] = cell ? state.figure(cell[0], cell[1]) : state.figure("–");
      if (known.length > 1 && cell && cell[2] === best && values.some((value) => value !== best)) {
        const settled = known.every((other) => other === cell || apart(cell, other));
        td.className = settled ? "best settled" : "best";
        const said = settled ? "most robust of these, intervals apart" : "most robust of these, but intervals overlap";
        value.prepend(signed(settled ? "◆ " : "◇ ", "best-sign", said));
      }
      td.append(value, ...interval);
      tr.append(td);
    }
    return tr;
  }

  const apart = (a, b) =>
    [a[3], a[4], b[3], b[4]].every((bound) => bound !== null) && (a[4] < b[3] || b[4] < a[3]);

  addEventListener("hashchange", start);
  start();
})();
