// What was chosen on a page, kept in the address behind the #.
"use strict";
globalThis.mtlattackState = {
  $: (id) => document.getElementById(id),
  read: () => new URLSearchParams(location.hash.slice(1)),
  /** Entries without a value are left out. */
  write(entries) {
    const kept = Object.entries(entries).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    const hash = new URLSearchParams(kept).toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  },
  /** `1 row`, `2 rows`. */
  counted: (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`,
  /** An element with text: text alone, never HTML. */
  element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  },
  /** A number above its interval, if it has one. */
  figure(text, interval) {
    const value = this.element("span", text, "value");
    return interval ? [value, this.element("span", interval, "interval")] : [value];
  },
  /** Whether all the words that were typed stand in a row's. */
  finds(typed, search) {
    return typed.toLowerCase().split(/\s+/).every((word) => search.includes(word));
  },
  /** Of the charts' points show those of rows in sight alone: both lead to the same page. */
  pointsOf(rows) {
    const page = (element) => element.querySelector("th a").getAttribute("href");
    const hidden = new Set(rows.filter((tr) => tr.hidden).map(page));
    for (const a of document.querySelectorAll(".chart a")) a.toggleAttribute("hidden", hidden.has(a.getAttribute("href")));
  },
  /** Choose what a list offers, or else the other. */
  choose(select, value, otherwise) {
    select.value = [...select.options].some((option) => option.value === value) ? value : otherwise;
  },
};
