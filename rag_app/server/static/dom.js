// Elements are made here, and text is always put in as text: nothing that a model or a document says is read as HTML.

export const byId = (id) => document.getElementById(id);

/**
 * Make an element. `properties`: `class`, functions as `onclick`, true or false for flags, all else as attributes.
 * Children are elements, strings or lists of them; null and false are left out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  return fill(element, ...children);
}

/** Put these children, given as to `h`, in place of what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

/** A bar that fills `share` (0 to 1) of its place. */
export function bar(share, kind = "") {
  const track = h("span", { class: `bar ${kind}`, "aria-hidden": "true" }, h("span", { class: "fill" }));
  setBar(track, share);
  return track;
}

export function setBar(track, share) {
  track.firstChild.style.inlineSize = `${Math.max(0, Math.min(1, share)) * 100}%`;
}

/** Tell a screen reader. */
export function announce(text) {
  byId("status").textContent = text;
}
