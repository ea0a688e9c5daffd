// The drawer that shows one source with the place that the answer rests on.

import { byId, fill, h } from "/static/dom.js";
import { quotedSpans } from "/static/quotes.js";
import { count, score } from "/static/strings.js";
import { claimsOf } from "/static/text.js";

const drawer = byId("source");
drawer.addEventListener("click", (event) => event.target === drawer && drawer.close()); // beside its content

/** Open source `number` of an answer; `text` is the answer, whose words are marked. */
export function openSource(chunks, number, text) {
  const chunk = chunks[number - 1];
  const spans = quotedSpans(chunk.content, claimsOf(text, number));
  fill(
    drawer,
    h(
      "div",
      { class: "sheet" },
      h(
        "header",
        {},
        h("span", { class: "badge" }, count(number)),
        h("h2", { id: "source-title", dir: "auto" }, chunk.title || chunk.doc_id),
        h("button", { type: "button", class: "icon close", "aria-label": "بستن", onclick: () => drawer.close() }, "×"),
      ),
      h(
        "dl",
        { class: "facts" },
        fact("منبع", h("bdi", {}, chunk.source)),
        fact("سند", h("bdi", { class: "mono" }, chunk.doc_id)),
        fact("امتیاز", score(chunk.score)),
      ),
      spans.length > 0 && h("p", { class: "muted small" }, "جایی که پاسخ از آن آمده نشان‌دار است."),
      h(
        "div",
        { class: "content", tabindex: "0", "aria-label": "متن منبع" },
        chunk.preamble && h("p", { class: "muted" }, chunk.preamble),
        h("p", {}, marked(chunk.content, spans)),
      ),
    ),
  );
  drawer.showModal();
  drawer.querySelector("mark")?.scrollIntoView({ block: "center" });
}

const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

function marked(text, spans) {
  const parts = [];
  let from = 0;
  for (const [start, end] of spans) {
    parts.push(text.slice(from, start), h("mark", {}, text.slice(start, end)));
    from = end;
  }
  return [...parts, text.slice(from)];
}
