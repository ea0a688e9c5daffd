// The conversation: questions, answers as they stream in, and what to do when one does not come whole.

import { ApiError, chat } from "/static/api.js";
import { announce, byId, fill, h } from "/static/dom.js";
import { openSource } from "/static/sources.js";
import { CutError } from "/static/sse.js";
import { count, decimal, failure, named, outcomes, writers } from "/static/strings.js";
import { answerBlocks } from "/static/text.js";

const REMEMBERED = 6; // turns that are sent as history
const TRIES = 4; // of a question that is told to wait
const log = byId("log");
const question = byId("question");

let turns = [];
let running = null; // the AbortController of the answer that is coming
let listeners = {};

/** Wire the chat. Listeners: `onResult(turn)`, `onStages(turn)`, `onRefusedKey()`. */
export function startChat(given) {
  listeners = given;
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const asked = question.value.trim();
    if (!asked || running) return;
    question.value = "";
    fitHeight();
    ask(asked);
  });
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId("composer").requestSubmit();
  });
  question.addEventListener("input", fitHeight);
  byId("stop").addEventListener("click", () => running?.abort());
}

function fitHeight() {
  question.dir = question.value ? "auto" : "rtl"; // an empty one would show the hint from the left
  question.style.blockSize = "auto";
  question.style.blockSize = `${question.scrollHeight + 2}px`;
}

/** Forget the conversation. */
export function clearChat() {
  running?.abort();
  turns = [];
  fill(log, byId("empty") ?? h("div", { id: "empty", class: "empty" }));
}

/** Show what an empty conversation says; `suggestions` are questions to begin with. */
export function showEmpty(title, text, suggestions = [], action = null) {
  if (turns.length) return;
  fill(
    byId("empty"),
    h("h2", {}, title),
    h("p", { class: "muted" }, text),
    h(
      "div",
      { class: "chips" },
      suggestions.map((entry) => chip(entry, () => suggest(entry))),
    ),
    action && h("button", { type: "button", class: "primary", onclick: action.run }, action.label),
  );
}

const chip = (text, onclick) => h("button", { type: "button", class: "chip", dir: "auto", onclick }, text);

function suggest(text) {
  question.value = text;
  fitHeight();
  question.focus();
}

function ask(asked) {
  byId("empty")?.remove();
  const answer = h("div", { class: "answer" });
  const element = h("article", { class: "turn" }, h("div", { class: "asked", dir: "auto" }, asked), answer);
  const history = turns.filter((turn) => turn.outcome === "answered").slice(-REMEMBERED);
  const turn = { asked, answer, history: history.flatMap(asMessages) };
  turns.push(turn);
  log.append(element);
  element.scrollIntoView({ block: "start" });
  return run(turn);
}

const asMessages = (turn) => [
  { role: "user", content: turn.asked },
  { role: "assistant", content: turn.text },
];

async function run(turn) {
  running = new AbortController();
  busy(true);
  Object.assign(turn, { text: "", result: null, read: null, citations: [], outcome: null, ...layOut(turn) });
  turn.answer.setAttribute("aria-busy", "true");
  phase(turn, "در حال جست‌وجو در اسناد…");
  announce("در حال جست‌وجو در اسناد");
  try {
    await answered(turn, running.signal);
  } catch (error) {
    broken(turn, error);
  } finally {
    running = null;
    busy(false);
    turn.answer.removeAttribute("aria-busy");
    turn.phase.hidden = true;
    paint(turn);
  }
}

function layOut(turn) {
  const parts = {
    understood: h("p", { class: "understood muted small", hidden: true }),
    phase: h("p", { class: "phase" }),
    body: h("div", { class: "text" }),
    note: h("div", { class: "note", hidden: true }),
    sources: h("div", { class: "sources", hidden: true }),
    foot: h("div", { class: "foot", hidden: true }),
  };
  fill(turn.answer, ...Object.values(parts));
  return parts;
}

async function answered(turn, signal) {
  const started = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      for await (const { event, data } of chat(turn.asked, turn.history, signal)) take(turn, event, data, started);
      break;
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 429) || turn.result || attempt === TRIES) throw error;
      await waitFor(turn, error.retryAfter ?? 5, signal);
    }
  }
  if (turn.outcome === null) throw new CutError(); // an end without the last event
}

function take(turn, event, data, started) {
  if (event === "retrieval") {
    turn.result = data.result;
    turn.read = { question: data.question, reason: data.question_reason };
    if (data.question !== turn.asked) {
      fill(turn.understood, "پرسش چنین فهمیده شد: ", h("bdi", {}, data.question));
      turn.understood.hidden = false;
    }
    phase(
      turn,
      data.result.chunks.length ? `${count(data.result.chunks.length)} تکه پیدا شد؛ در حال نوشتن…` : "در حال نوشتن…",
    );
    listeners.onResult(turn);
  } else if (event === "delta") {
    turn.text += data.text;
    turn.phase.hidden = true;
    paintSoon(turn);
  } else if (event === "done") {
    Object.assign(turn, { text: data.text, citations: data.citations, llm: data.llm, outcome: data.outcome });
    finish(turn, performance.now() - started);
  } else if (event === "error") {
    throw new ApiError(data.error.status ?? 500, data.error.message ?? "", { code: data.error.code });
  }
}

function finish(turn, total) {
  const cited = turn.citations.filter((number) => number <= turn.result.chunks.length);
  fill(turn.sources, ...cited.map((number) => sourceChip(turn, number)));
  turn.sources.hidden = cited.length === 0;
  const told = ["answered", "no context"].includes(turn.outcome); // the latter by the text itself
  if (!told) note(turn, named(outcomes, turn.outcome), true);
  fill(
    turn.foot,
    h("button", { type: "button", class: "link", onclick: () => listeners.onStages(turn) }, "مراحل این پاسخ"),
    h("span", { class: "muted" }, `${named(writers, turn.llm)} · ${decimal(total / 1000)} ثانیه`),
  );
  turn.foot.hidden = false;
  announce(turn.text);
}

function sourceChip(turn, number) {
  const chunk = turn.result.chunks[number - 1];
  return h(
    "button",
    { type: "button", class: "source-chip", "data-source": number, onclick: () => open(turn, number) },
    h("span", { class: "badge" }, count(number)),
    h("span", { class: "name", dir: "auto" }, chunk.title || chunk.doc_id),
    h("bdi", { class: "muted small" }, chunk.source),
  );
}

const open = (turn, number) => openSource(turn.result.chunks, number, turn.text);

function paintSoon(turn) {
  turn.frame ??= requestAnimationFrame(() => paint(turn));
}

function paint(turn) {
  if (turn.frame) cancelAnimationFrame(turn.frame);
  turn.frame = null;
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const known = turn.result?.chunks.length ?? 0;
  fill(turn.body, ...answerBlocks(turn.text, known, (number) => open(turn, number)));
  if (follows) log.scrollTop = log.scrollHeight;
}

function broken(turn, error) {
  if (error.name === "AbortError") return note(turn, "متوقف شد.", true);
  if (error instanceof ApiError && [401, 403].includes(error.status)) {
    note(turn, failure(error), true);
    return listeners.onRefusedKey();
  }
  if (error instanceof CutError) {
    return note(turn, turn.text ? "پیوند با سرور قطع شد؛ پاسخ ناتمام است." : "پیوند با سرور قطع شد.", true);
  }
  note(turn, error instanceof ApiError ? failure(error) : "صفحه با خطا روبه‌رو شد.", true);
  if (!(error instanceof ApiError)) throw error;
}

function note(turn, text, again) {
  const retry = () => !running && run(turn);
  fill(
    turn.note,
    h("span", {}, text),
    again && h("button", { type: "button", class: "quiet retry", onclick: retry }, "دوباره بپرس"),
  );
  turn.note.hidden = false;
  announce(text);
}

async function waitFor(turn, seconds, signal) {
  for (let left = seconds; left > 0; left--) {
    phase(turn, `سرور شلوغ است؛ ${count(left)} ثانیهٔ دیگر دوباره می‌پرسم.`);
    if (left === seconds) announce(turn.phase.textContent);
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, 1000);
      signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
    });
  }
  phase(turn, "در حال جست‌وجو در اسناد…");
}

function phase(turn, text) {
  turn.phase.textContent = text;
  turn.phase.hidden = false;
}

function busy(is) {
  byId("send").hidden = is;
  byId("stop").hidden = !is;
}
