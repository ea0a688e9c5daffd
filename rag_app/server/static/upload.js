// The box that adds files to the knowledge base.

import { upload } from "/static/api.js";
import { bar, byId, fill, h, setBar } from "/static/dom.js";
import { count, decimal, failure, percent } from "/static/strings.js";

let chosen = [];

/** Wire the box; `onDone` is called after files were taken in, `onRefusedKey` when the key is not valid. */
export function startUpload({ onDone, onRefusedKey }) {
  const drop = byId("drop");
  const input = byId("files");
  input.addEventListener("change", () => choose([...input.files]));
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    choose([...event.dataTransfer.files]);
  });
  for (const name of ["dragover", "drop"]) {
    addEventListener(name, (event) => event.preventDefault()); // beside the box, a file would replace the page
  }
  byId("upload").addEventListener("submit", async (event) => {
    event.preventDefault();
    byId("upload-send").disabled = true;
    try {
      const report = await upload(chosen, byId("source-name").value.trim(), progress());
      choose([]);
      input.value = "";
      showReport(report);
      onDone();
    } catch (error) {
      byId("upload-send").disabled = false; // the files stay chosen, for another try
      fill(byId("upload-state"), h("p", { class: "error" }, failure(error)));
      if (error.status === 401) onRefusedKey();
    }
  });
}

function choose(files) {
  chosen = files;
  fill(
    byId("chosen"),
    ...files.map((file) => h("li", {}, h("bdi", {}, file.name), h("span", { class: "muted small" }, size(file.size)))),
  );
  byId("upload-send").disabled = files.length === 0;
  if (files.length) fill(byId("upload-state"));
}

const size = (bytes) => (bytes < 1e6 ? `${decimal(bytes / 1e3)} کیلوبایت` : `${decimal(bytes / 1e6)} مگابایت`);

/** Return what is told of each step of the sending; the figure is not read out again and again. */
function progress() {
  const told = h("span", {}, "در حال فرستادن… ");
  const figure = h("span", { "aria-hidden": "true" });
  const track = bar(0);
  fill(byId("upload-state"), track, h("p", { class: "muted small" }, told, figure));
  return (share) => {
    setBar(track, share);
    figure.textContent = percent(share);
    if (share === 1) fill(told.parentElement, "در حال خواندن و نمایه کردن…");
  };
}

function showReport({ added, updated, unchanged, chunks, skipped, seconds }) {
  const parts = [
    [added, "سند تازه"],
    [updated, "سند به‌روز"],
    [unchanged, "بی‌تغییر"],
    [skipped.length, "کنار گذاشته"],
  ].filter(([number]) => number > 0);
  const counts = parts.map(([number, name]) => `${count(number)} ${name}`).join("، ") || "سندی در پرونده‌ها نبود";
  fill(
    byId("upload-state"),
    h("p", { class: skipped.length ? "" : "good" }, `${counts} · ${count(chunks)} تکه در ${decimal(seconds)} ثانیه`),
    skipped.length > 0 &&
      h(
        "ul",
        { class: "skipped" },
        skipped.map(({ origin, reason }) =>
          h("li", {}, h("bdi", {}, origin), h("small", { class: "muted block", dir: "auto" }, reason)),
        ),
      ),
  );
}
