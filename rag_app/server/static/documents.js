// The list of what is stored, page by page, with deletion.

import { deleteDocument, documents } from "/static/api.js";
import { announce, byId, fill, h } from "/static/dom.js";
import { count, date, failure } from "/static/strings.js";

let onChange = () => {};
let request = 0; // the newest; an older one that comes late is not shown

/** Wire the list; `changed` is called after a deletion. */
export function startDocuments(changed) {
  onChange = changed;
  byId("source-filter").addEventListener("change", () => listDocuments());
}

/** Offer the sources that the tenant has. */
export function showSources(sources) {
  const filter = byId("source-filter");
  const current = filter.value;
  fill(filter, h("option", { value: "" }, "همهٔ منابع"), ...sources.map((name) => h("option", { value: name }, name)));
  filter.value = sources.includes(current) ? current : "";
  fill(byId("source-names"), ...sources.map((name) => h("option", { value: name })));
}

/** Show the first page, or the next one from the cursor `after`. */
export async function listDocuments(after = null) {
  const own = ++request;
  const list = byId("document-list");
  const state = byId("document-state");
  fill(state, h("p", { class: "muted" }, "در حال خواندن…"));
  let page;
  try {
    page = await documents({ source: byId("source-filter").value, after });
  } catch (error) {
    if (own !== request) return;
    const again = h("button", { type: "button", class: "quiet", onclick: () => listDocuments(after) }, "دوباره");
    return fill(state, h("p", { class: "error" }, failure(error)), again);
  }
  if (own !== request) return;
  if (!after) fill(list);
  list.append(...page.data.map(row));
  const more = () => h("button", { type: "button", class: "link", onclick: () => listDocuments(page.next) }, "بیشتر");
  const nothing = () => h("p", { class: "muted" }, "هنوز سندی نیست. بالا پرونده‌ای بیفزایید.");
  fill(state, ...(page.next ? [more()] : list.children.length ? [] : [nothing()]));
}

function row(document) {
  const name = document.title || document.id;
  const item = h(
    "li",
    {},
    h(
      "span",
      { class: "about" },
      h("span", { class: "name", dir: "auto" }, name),
      h(
        "span",
        { class: "muted small" },
        h("bdi", {}, document.source),
        ` · ${count(document.chunks)} تکه · ${date(document.updated_at)}`,
      ),
    ),
  );
  const first = h(
    "button",
    {
      type: "button",
      class: "quiet small delete",
      "aria-label": `حذف ${name}`,
      onclick: () => {
        first.replaceWith(sure);
        sure.firstChild.focus();
      },
    },
    "حذف",
  );
  const sure = h(
    "span",
    { class: "sure" },
    h("button", { type: "button", class: "danger small", onclick: () => remove(document, item) }, "حذف شود"),
    h(
      "button",
      {
        type: "button",
        class: "quiet small",
        onclick: () => {
          sure.replaceWith(first);
          first.focus();
        },
      },
      "نه",
    ),
  );
  item.append(first);
  return item;
}

async function remove(document, item) {
  try {
    await deleteDocument(document.id);
  } catch (error) {
    if (error.status !== 404) return fill(byId("document-state"), h("p", { class: "error" }, failure(error)));
  }
  item.remove();
  announce("سند حذف شد");
  onChange();
}
