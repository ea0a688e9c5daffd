// Server-sent events over fetch: EventSource can send neither a key nor a body.

/** The connection ended before the answer did. */
export class CutError extends Error {}

/** Yield `{event, data}` of each event of a response's body. Throws a CutError if the connection breaks. */
export async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read().catch((error) => {
        throw error.name === "AbortError" ? error : new CutError();
      });
      if (done) return;
      rest += value;
      const blocks = rest.split(/\r\n\r\n|\n\n|\r\r/);
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // an aborted request has been cancelled already
  }
}

function parse(block) {
  let event = "message";
  const data = [];
  for (const line of block.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue; // a comment, as servers send to keep a connection
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (line.slice(0, colon) === "event") event = value;
    if (line.slice(0, colon) === "data") data.push(value);
  }
  return data.length ? { event, data: data.join("\n") } : null;
}
