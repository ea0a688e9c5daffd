// The HTTP API. The key lives in sessionStorage and in headers, never in an address.

import { readEvents } from "/static/sse.js";

const KEY = "rag_app.key";

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

/** What the server refused, with its status; status 0 if it was not reached. */
export class ApiError extends Error {
  constructor(status, message, { code = null, retryAfter = null } = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

const headers = (more = {}) => ({ Authorization: `Bearer ${key.get() ?? ""}`, ...more });

function refused(status, text, retryAfter) {
  let error = {};
  try {
    error = JSON.parse(text).error ?? {};
  } catch {
    // a proxy's page, for one
  }
  const seconds = Number.parseFloat(retryAfter);
  return new ApiError(status, error.message ?? "", {
    code: error.code,
    retryAfter: Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : null,
  });
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "");
  }
  if (response.ok) return response;
  throw refused(response.status, await response.text().catch(() => ""), response.headers.get("Retry-After"));
}

const getJson = async (path, options = {}) => (await send(path, { headers: headers(), ...options })).json();

export const whoami = () => getJson("/v1/whoami");

export function documents({ source, after, limit = 30 } = {}) {
  const query = new URLSearchParams({ limit });
  if (source) query.set("source", source);
  if (after) query.set("after", after);
  return getJson(`/v1/documents?${query}`);
}

export const deleteDocument = (id) => getJson(`/v1/documents/${encodeURIComponent(id)}`, { method: "DELETE" });

/** Yield `{event, data}` of an answer, with its data parsed. */
export async function* chat(question, history, signal) {
  const response = await send("/v1/chat", {
    method: "POST",
    headers: headers({ "Content-Type": "application/json", Accept: "text/event-stream" }),
    body: JSON.stringify({ question, history }),
    signal,
  });
  for await (const { event, data } of readEvents(response.body)) yield { event, data: JSON.parse(data) };
}

/** Send files; `onProgress` gets the share that was sent. XMLHttpRequest, because fetch tells no progress. */
export function upload(files, source, onProgress) {
  const form = new FormData();
  form.append("source", source);
  for (const file of files) form.append("files", file, file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/documents/upload");
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(refused(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    });
    request.addEventListener("error", () => reject(new ApiError(0, "")));
    request.send(form);
  });
}
