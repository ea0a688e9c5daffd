// An answer as elements: paragraphs, lists, bold words, and citations as buttons.

import { h } from "/static/dom.js";
import { count } from "/static/strings.js";

const DIGIT = "[0-9۰-۹٠-٩]";
const CITATION = new RegExp(`\\[\\s*(${DIGIT}{1,3}(?:\\s*[,،]\\s*${DIGIT}{1,3})*)\\s*\\]`, "g");
const BULLET = /^\s*[-*•]\s+/;

const latin = (digits) =>
  Number(digits.replace(/[۰-۹٠-٩]/g, (digit) => String.fromCharCode((digit.charCodeAt(0) & 0xf) + 48)));
const numbersOf = (group) => group.split(/[,،]/).map((digits) => latin(digits.trim()));

/** Return the blocks of `text`. A citation of one of `known` chunks is a button that calls `onCite(number)`. */
export function answerBlocks(text, known, onCite) {
  const blocks = [];
  let list = null;
  for (const line of text.split(/\n+/).filter((entry) => entry.trim())) {
    if (BULLET.test(line)) {
      if (!list) blocks.push((list = h("ul", { dir: "auto" })));
      list.append(h("li", {}, inline(line.replace(BULLET, ""), known, onCite)));
    } else {
      list = null;
      blocks.push(h("p", { dir: "auto" }, inline(line.replace(/^#+\s*/, ""), known, onCite)));
    }
  }
  return blocks;
}

function inline(line, known, onCite) {
  const parts = [];
  let from = 0;
  for (const found of line.matchAll(CITATION)) {
    const numbers = numbersOf(found[1]);
    if (numbers.some((number) => number < 1 || number > known)) continue;
    const before = line.slice(from, found.index).replace(/\s+$/, "\u00a0"); // a number begins no line
    parts.push(...bolded(before), ...numbers.map((number) => citation(number, onCite)));
    from = found.index + found[0].length;
  }
  return [...parts, ...bolded(line.slice(from))];
}

const bolded = (text) => text.split(/\*\*(.+?)\*\*/).map((part, place) => (place % 2 ? h("strong", {}, part) : part));

function citation(number, onCite) {
  const properties = { type: "button", class: "cite", "data-cite": number, onclick: () => onCite(number) };
  return h("button", { ...properties, "aria-label": `منبع ${count(number)}` }, count(number));
}

/** Return what the answer says with citation `number` after it, one string for each place. */
export function claimsOf(text, number) {
  const claims = [];
  for (const paragraph of text.split(/\n+/)) {
    let from = 0;
    let said = "";
    for (const found of paragraph.matchAll(CITATION)) {
      const between = paragraph.slice(from, found.index);
      if (/[\p{L}\p{N}]/u.test(between)) said = between; // else another citation of the same words
      if (numbersOf(found[1]).includes(number) && said) claims.push(said);
      from = found.index + found[0].length;
    }
  }
  return claims;
}
