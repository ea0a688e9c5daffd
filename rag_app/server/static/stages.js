// The panel that shows how an answer came about: four stages, their times, each candidate's way through them.

import { context, rerank, retrieval } from "/static/candidates.js";
import { bar, byId, fill, h } from "/static/dom.js";
import {
  complexities,
  count,
  decimal,
  intents,
  languages,
  millis,
  named,
  percent,
  reason,
  rerankers,
  stages,
} from "/static/strings.js";

/** Show that nothing was asked yet. */
export function showNoStages() {
  fill(
    byId("stages"),
    h(
      "div",
      { class: "empty" },
      h("h2", {}, "مراحل پاسخ"),
      h(
        "p",
        { class: "muted" },
        "پس از هر پرسش اینجا می‌بینید پاسخ چگونه پیدا شد: تحلیل، بازیابی، بازرتبه‌بندی و بودجه.",
      ),
    ),
  );
}

/** Show the stages of a turn that has its retrieval. */
export function showStages(turn) {
  const { trace } = turn.result;
  const panel = byId("stages");
  fill(
    panel,
    summary(turn),
    ...troubles(trace),
    card(1, stages.query_analysis, analysis(turn)),
    card(2, "بازیابی و ادغام", retrieval(trace)),
    card(3, stages.rerank, rerank(trace)),
    card(4, stages.context, context(turn)),
  );
  panel.scrollTop = 0;
}

function summary({ asked, result }) {
  const { trace } = result;
  const longest = Math.max(...trace.stages.map((stage) => stage.ms), 0.001);
  return h(
    "section",
    { class: "card summary" },
    h("h2", { class: "along", dir: "auto" }, asked),
    h(
      "p",
      { class: "figures" },
      figure(millis(trace.total_ms), "زمان بازیابی"),
      figure(count(result.chunks.length), "تکه در متن"),
      figure(count(result.tokens), "توکن"),
    ),
    h(
      "dl",
      { class: "times", "aria-label": "زمان هر مرحله" },
      trace.stages.map((stage) => [
        h("dt", {}, named(stages, stage.name)),
        h("dd", { "data-stage": stage.name }, bar(stage.ms / longest, stage.name), h("span", {}, millis(stage.ms))),
      ]),
    ),
  );
}

const figure = (value, name) => h("span", {}, h("b", {}, value), h("small", { class: "muted" }, name));

function troubles(trace) {
  const lines = trace.degradations.map((entry) =>
    h(
      "li",
      {},
      `${named(stages, entry.stage)}: `,
      h("bdi", {}, named(rerankers, entry.component)),
      " از کار ماند (",
      h("bdi", {}, entry.reason),
      ")؛ به جای آن: ",
      h("bdi", {}, named(rerankers, entry.fallback)),
    ),
  );
  const warnings = trace.warnings.map((text) => h("li", {}, h("bdi", {}, text)));
  return lines.length + warnings.length
    ? [h("section", { class: "card warn", role: "note" }, h("h3", {}, "کاستی‌ها"), h("ul", {}, lines, warnings))]
    : [];
}

const card = (number, title, content) =>
  h(
    "details",
    { class: "card stage", open: true, "data-stage-card": number },
    h("summary", {}, h("span", { class: "number" }, count(number)), h("h3", {}, title)),
    content,
  );

function analysis({ asked, read, result }) {
  const found = result.analysis;
  return [
    read &&
      read.question !== asked &&
      h(
        "p",
        {},
        "پرسش چنین فهمیده شد: ",
        h("bdi", {}, read.question),
        h("small", { class: "muted block", dir: "auto" }, read.reason),
      ),
    found
      ? h(
          "dl",
          { class: "facts" },
          fact("زبان", named(languages, found.language)),
          fact("پیچیدگی", named(complexities, found.complexity), found.complexity_reason),
          fact("نیت", named(intents, found.intent), found.intent_reason),
          found.preferred_sources.length > 0 && fact("منابع معمول", found.preferred_sources.join("، ")),
        )
      : h("p", { class: "muted" }, "انجام نشد."),
    result.trace.words.length > 0 && h("ul", { class: "words", "aria-label": "واژه‌ها" }, result.trace.words.map(word)),
  ];
}

const fact = (name, value, why) =>
  h(
    "div",
    {},
    h("dt", {}, name),
    h("dd", {}, h("bdi", {}, value), why && h("small", { class: "muted block", dir: "auto" }, reason(why))),
  );

function word({ typed, meant, weight, matches }) {
  const near = Object.entries(matches).filter(([other]) => other !== typed && other !== meant);
  return h(
    "li",
    {},
    h("span", { class: "typed" }, h("bdi", {}, typed), meant !== typed && [" ← ", h("bdi", { class: "meant" }, meant)]),
    h(
      "span",
      { class: "near muted small" },
      near.map(([other, share]) => h("span", { class: "match" }, h("bdi", {}, other), ` ${percent(share)}`)),
    ),
    h("span", { class: "muted small weight", title: "وزن" }, decimal(weight)),
  );
}
