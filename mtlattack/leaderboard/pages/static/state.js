// What was chosen on a page, kept in the address behind the #.
"use strict";
globalThis.mtlattackState = {
  read: () => new URLSearchParams(location.hash.slice(1)),
  /** Entries without a value are left out. */
  write(entries) {
    const kept = Object.entries(entries).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    const hash = new URLSearchParams(kept).toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  },
  /** An element with text: text alone, never HTML. */
  element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  },
};
