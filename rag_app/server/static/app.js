// The page: who is asking, and which of its parts is shown.

import { documents, key, whoami } from "/static/api.js";
import { clearChat, showEmpty, startChat } from "/static/chat.js";
import { listDocuments, showSources, startDocuments } from "/static/documents.js";
import { byId, fill, h } from "/static/dom.js";
import { showNoStages, showStages } from "/static/stages.js";
import { count, failure } from "/static/strings.js";
import { startUpload } from "/static/upload.js";

const body = document.body;
const wide = matchMedia("(min-width: 68rem)"); // the stages stand beside the chat, as in frame.css
let tenant = null;

function view(name) {
  body.dataset.view = name;
  for (const button of document.querySelectorAll(".views button")) {
    const beside = wide.matches && name === "chat" && button.dataset.view === "stages";
    button.setAttribute("aria-pressed", String(beside || button.dataset.view === name));
  }
}

function askForKey(error = "", tried = "") {
  key.forget();
  body.dataset.state = "signed-out";
  byId("key-view").hidden = false;
  byId("key-error").textContent = error;
  byId("key").value = tried;
  byId("key").focus();
}

async function signIn() {
  body.dataset.state = "starting";
  let who;
  try {
    who = await whoami();
  } catch (error) {
    return askForKey(failure(error), error.status === 401 ? "" : key.get()); // else the key may be right
  }
  byId("key-view").hidden = true;
  byId("key").value = "";
  body.dataset.state = "signed-in";
  if (who.tenant !== tenant) clearChat(); // what was said with one tenant's documents is not shown to another
  tenant = who.tenant;
  showNoStages();
  showWho(who);
  listDocuments();
  await welcome(who);
  byId("question").focus();
}

function showWho({ tenant: name, sources, documents: stored }) {
  fill(byId("whoami"), h("bdi", {}, name), stored ? ` · ${count(stored)} سند` : " · بدون سند");
  byId("whoami").hidden = false;
  showSources(sources);
}

async function welcome(who) {
  if (who.documents === 0) {
    const action = { label: "افزودن سند", run: () => view("documents") };
    return showEmpty("هنوز سندی نیست", "نخست دفترچهٔ راهنما، پرسش‌های پرتکرار یا محصولات خود را بیفزایید.", [], action);
  }
  const { data } = await documents({ limit: 4 }).catch(() => ({ data: [] })); // without them there is nothing to suggest
  const titles = [...new Set(data.map((entry) => entry.title).filter(Boolean))];
  showEmpty(
    "چه می‌خواهید بدانید؟",
    "هر طور راحت‌ترید بنویسید: محاوره‌ای، با غلط املایی یا فینگلیش. پاسخ از اسناد شماست و منبعش را نشان می‌دهد.",
    titles,
  );
}

async function refresh() {
  try {
    const who = await whoami();
    showWho(who);
    await welcome(who);
  } catch {
    // what is shown stays until the next answer of the server
  }
}

const refusedKey = () => askForKey("این کلید پذیرفته نشد.");

startChat({
  onResult: showStages,
  onStages: (turn) => {
    showStages(turn);
    view("stages");
    byId("stages").focus();
  },
  onRefusedKey: refusedKey,
});
startDocuments(refresh);
startUpload({
  onDone: () => {
    listDocuments();
    refresh();
  },
  onRefusedKey: refusedKey,
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key.set(byId("key").value.trim());
  signIn();
});
byId("change-key").addEventListener("click", () => {
  clearChat();
  askForKey();
});
byId("new-chat").addEventListener("click", () => {
  clearChat();
  showNoStages();
  refresh();
  view("chat");
  byId("question").focus();
});
for (const button of document.querySelectorAll(".views button")) {
  button.addEventListener("click", () => view(button.dataset.view));
}
wide.addEventListener("change", () => view(body.dataset.view));
view("chat");
if (key.get()) signIn();
else askForKey();
