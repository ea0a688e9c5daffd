// What stages 2, 3 and 4 of the panel say about the candidates.

import { bar, h } from "/static/dom.js";
import { openSource } from "/static/sources.js";
import { count, named, reason, rerankers, score } from "/static/strings.js";

const SHOWN = 8; // rows of a list before the rest is folded away

/** Stage 2: every candidate with its rank and score on each leg and after fusion. */
export function retrieval(trace) {
  const found = trace.chunks.filter((chunk) => Object.keys(chunk.legs).length);
  if (!found.length) return h("p", { class: "muted" }, "نامزدی پیدا نشد.");
  const of = (leg) => found.filter((chunk) => chunk.legs[leg]).length;
  const rows = [...found].sort((a, b) => (a.fusion?.rank ?? 1e4) - (b.fusion?.rank ?? 1e4));
  return [
    h(
      "p",
      { class: "muted small" },
      `معنایی ${count(of("dense"))} · BM25 ${count(of("bm25"))} · پس از ادغام ${count(found.filter((chunk) => chunk.fusion).length)}`,
      h("span", { class: "legend" }, "در متن نهایی آمد"),
    ),
    folded(rows.map(candidate), (shown) =>
      h(
        "table",
        { class: "candidates" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["نامزد", "معنایی", "BM25", "ادغام"].map((name) => h("th", { scope: "col" }, name)),
          ),
        ),
        h("tbody", {}, shown),
      ),
    ),
  ];
}

const candidate = (chunk) =>
  h(
    "tr",
    { class: chunk.context ? "kept" : "" },
    h("th", { scope: "row" }, title(chunk)),
    place(chunk.legs.dense),
    place(chunk.legs.bm25),
    place(chunk.fusion),
  );

const title = (chunk) => [
  h("span", { class: "name", dir: "auto" }, chunk.title || chunk.doc_id),
  h("bdi", { class: "muted small" }, chunk.source),
];

const place = (ranked) =>
  ranked
    ? h("td", {}, h("b", {}, count(ranked.rank)), h("small", { class: "muted block" }, score(ranked.score)))
    : h("td", { class: "muted" }, h("span", { "aria-label": "نیست" }, "–"));

/** Stage 3: the new order, who made it, and how far each candidate moved. */
export function rerank(trace) {
  const ranked = trace.chunks.filter((chunk) => chunk.rerank).sort((a, b) => a.rerank.rank - b.rerank.rank);
  const best = Math.max(...ranked.map((chunk) => chunk.rerank.score), 1e-9);
  return [
    trace.reranker
      ? h(
          "p",
          {},
          h("b", {}, named(rerankers, trace.reranker)),
          h("span", { class: "muted" }, " · ", h("bdi", {}, reason(trace.reranker_reason ?? ""))),
        )
      : h("p", { class: "muted" }, "انجام نشد."),
    ranked.length > 0 &&
      folded(
        ranked.map((chunk) => moved(chunk, best)),
        (shown) => h("ol", { class: "ranked" }, shown),
      ),
  ];
}

function moved(chunk, best) {
  const by = chunk.fusion ? chunk.fusion.rank - chunk.rerank.rank : 0;
  const step = by > 0 ? `▲ ${count(by)}` : by < 0 ? `▼ ${count(-by)}` : "–";
  const told = by > 0 ? "بالاتر رفت" : by < 0 ? "پایین‌تر رفت" : "همان جا";
  return h(
    "li",
    { class: chunk.context ? "kept" : "" },
    h("b", {}, count(chunk.rerank.rank)),
    h("span", { class: "who" }, title(chunk), bar(chunk.rerank.score / best, "rerank")),
    h("span", { class: `step ${by > 0 ? "up" : by < 0 ? "down" : ""}`, title: told }, step),
    h("span", { class: "muted small" }, score(chunk.rerank.score)),
  );
}

/** Stage 4: the chunks of the context, and why the others are not in it. */
export function context(turn) {
  const { chunks, reason: empty, tokens, token_counter: counter, trace } = turn.result;
  const dropped = new Map();
  for (const chunk of trace.chunks.filter((one) => one.dropped)) {
    const text = reason(chunk.dropped.replace(/^\w+: /, "")); // without the name of the stage
    dropped.set(text, [...(dropped.get(text) ?? []), chunk]);
  }
  return [
    h("p", { class: "muted small" }, `${count(tokens)} توکن، شمارنده: `, h("bdi", {}, counter)),
    chunks.length === 0 && h("p", { dir: "auto" }, empty ?? "تکه‌ای در متن نیست."),
    h(
      "ol",
      { class: "context" },
      chunks.map((chunk, at) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", class: "source-chip", onclick: () => openSource(chunks, at + 1, turn.text) },
            h("span", { class: "badge" }, count(at + 1)),
            h(
              "span",
              { class: "about" },
              title(chunk)[0],
              h("span", { class: "snippet along", dir: "auto" }, snippet(chunk)),
            ),
            title(chunk)[1],
          ),
        ),
      ),
    ),
    dropped.size > 0 && h("h4", {}, "کنار گذاشته‌ها"),
    [...dropped].map(([text, group]) =>
      h(
        "details",
        { class: "dropped" },
        h("summary", {}, h("span", { dir: "auto" }, text), h("span", { class: "count" }, count(group.length))),
        h(
          "ul",
          {},
          group.map((chunk) => h("li", {}, title(chunk))),
        ),
      ),
    ),
  ];
}

/** The first words of a chunk, beyond its title where it begins with that. */
function snippet({ content, title: name }) {
  const text = content.startsWith(name) ? content.slice(name.length) : content;
  return text
    .replace(/[#|*\s-]+/g, " ")
    .trim()
    .slice(0, 120);
}

function folded(rows, wrap) {
  const element = wrap(rows.slice(0, SHOWN));
  if (rows.length <= SHOWN) return element;
  const list = element.querySelector("tbody") ?? element;
  const more = h(
    "button",
    {
      type: "button",
      class: "link more",
      onclick: () => {
        list.append(...rows.slice(SHOWN));
        more.remove();
      },
    },
    `همهٔ ${count(rows.length)} تا`,
  );
  return [element, more];
}
