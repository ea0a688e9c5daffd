// Where a text says what an answer took from it.

const WORD = /[\p{L}\p{N}\p{M}\u200c]+/gu;
const SHORTEST = 4; // words that stand together in both; fewer may be chance

/** A word without what typing varies: Arabic letters, digits of three systems, marks, half-spaces and case. */
function folded(word) {
  return word
    .normalize("NFKD")
    .replace(/[\p{M}\u200c]/gu, "")
    .replace(/ي|ى/g, "ی")
    .replace(/ك/g, "ک")
    .replace(/[۰-۹٠-٩]/g, (digit) => String(digit.charCodeAt(0) & 0xf))
    .toLowerCase();
}

const wordsOf = (text) =>
  [...text.matchAll(WORD)].map((found) => ({
    word: folded(found[0]),
    start: found.index,
    end: found.index + found[0].length,
  }));

/** Return the spans `[start, end]` of `text`, in order and apart, whose words stand together in one of `claims`. */
export function quotedSpans(text, claims) {
  const words = wordsOf(text);
  const marked = new Array(words.length).fill(false);
  for (const claim of claims) {
    const said = wordsOf(claim).map((entry) => entry.word);
    const needed = Math.min(SHORTEST, said.length);
    let above = new Array(words.length + 1).fill(0); // run lengths that end at the word before, of the claim
    for (const one of said) {
      const runs = new Array(words.length + 1).fill(0);
      words.forEach(({ word }, place) => {
        if (word !== one) return;
        const run = (runs[place + 1] = above[place] + 1);
        if (run >= needed) marked.fill(true, place + 1 - run, place + 1);
      });
      above = runs;
    }
  }
  const spans = [];
  words.forEach(({ start, end }, place) => {
    if (!marked[place]) return;
    const last = spans.at(-1);
    if (last && marked[place - 1]) last[1] = end;
    else spans.push([start, end]);
  });
  for (const span of spans) span[1] += /^[.!?؟…]*/.exec(text.slice(span[1]))[0].length; // what ends the sentence
  return spans;
}
