// The officer's screen: the feed in, touches out. A touch is done when the agent has synced it.
import { SELF, STATUSES } from "./texts.js";
import { buttons, by, drawLight, drawOrder, drawRadio, drawTop, hhmm, name, names, put, say, settings, show, wayOf } from "./draw.js";

const root = document.documentElement.dataset;
const SILENT_MS = 6000, SOS_MS = 1000, UNLOCK_MS = 2000, TILES = 12;
const head = { "x-outrider-token": root.token };
let page = null, panel = null, panelAt = 0, heardMs = 0, sign = "", crew = new Set(), unit = null, digits = "";

async function post(path, body) {
  const response = await fetch(path, { method: "POST", headers: { ...head, "content-type": "application/json" }, body: JSON.stringify(body) });
  if (response.status === 401 || response.status === 403 && path !== "/pair") location.reload();
  return response;
}

// --- touches ---------------------------------------------------------------------------------------

let toastTimer = 0;
function toast(text) { show("toast", text); clearTimeout(toastTimer); toastTimer = setTimeout(() => show("toast", ""), 4000); }

export async function touch(command, button) {
  if (button) button.disabled = true;
  toast(say("saving"));
  try {
    const reply = await (await post("/do", command)).json();
    if (reply.type === "done") { show("toast", ""); return true; }
    toast(`${reply.reason} – ${reply.remedy}`);
  } catch { toast(say("notSaved")); }
  finally { if (button) button.disabled = false; }
  return false;
}

const LOOK = { accept: "go", take: "go", "en-route": "go", "on-scene": "go", read: "go", decline: "no" };
function drawAnswers() {
  const card = page.main;
  const list = (card && page.touch ? card.buttons : []).map((does) => ({
    label: say(does), look: LOOK[does] || "", id: does, act: (button) => answer(card.order, does, button),
  }));
  if (page.status === "emergency" && !page.silent && !page.driving)
    list.push({ label: say("falseAlarm"), look: "no", id: "false-alarm", act: (b) => touch({ type: "set_status", status: "available", reason: "false_alarm" }, b) });
  buttons(by("answers"), list);
  by("answers").hidden = !list.length;
}
function answer(order, does, button) {
  if (does === "decline") return open("decline", order);
  if (does === "clear") return open("clear", order);
  return touch({ type: "answer", order, answer: does === "take" ? "accept" : does }, button);
}

// --- panels ----------------------------------------------------------------------------------------

function open(what, order) { panel = what && { what, order }; panelAt = 0; drawPanel(); }
const tile = (label, id, act, more = {}) => ({ label, id, act, ...more });
const PANELS = {
  menu: () => ["menu", [
    tile(say("status"), "status", () => open("status")), tile(say("self"), "self", () => open("self")),
    tile(`${say("messages")} ${page.messages.length}`, "messages", () => open("messages")), tile(`${say("orders")} ${page.others.length}`, "orders", () => open("orders")),
    page.logon ? tile(say("logoff"), "logoff", (b) => done({ type: "logoff" }, b)) : tile(say("logon"), "logon", () => open("logon")),
    tile(say("settings"), "settings", () => open("settings")),
    ...(page.logon ? [tile(say("logon"), "logon", () => open("logon"))] : []),
  ]],
  status: () => ["status", STATUSES.map((one) => tile(name("statuses", one), one, (b) => done({ type: "set_status", status: one }, b), { pressed: page.status === one }))],
  self: () => ["self", [...SELF.map((one) => tile(name("kinds", one), one, (b) => done({ type: "set_status", status: "busy", reason: one }, b))),
    ...["meal", "fuel", "report"].map((one) => tile(name("reasons", one), one, (b) => done({ type: "set_status", status: "busy", reason: one }, b)))]],
  decline: ({ order }) => ["why", choices("decline").map((one) => tile(name("reasons", one), one, (b) => done({ type: "answer", order, answer: "decline", reason: one }, b)))],
  clear: ({ order }) => ["outcome", choices("clear").map((one) => tile(name("dispositions", one), one, (b) => done({ type: "answer", order, answer: "clear", disposition: one }, b)))],
  messages: () => ["messages", page.messages.length ? [...page.messages].reverse().flatMap((one) => [{ text: `${hhmm(one.time_ms)} ${one.issuer}: ${one.text}` },
    ...(one.state === "shown" ? [tile(say("read"), `read-${one.message}`, (b) => touch({ type: "reply", message: one.message, code: "read" }, b)),
      ...choices("reply").filter((code) => code !== "read").slice(0, 2).map((code) => tile(name("replies", code), code, (b) => touch({ type: "reply", message: one.message, code }, b)))] : [])]) : [{ text: say("none") }]],
  orders: () => ["orders", page.others.length ? page.others.flatMap((card) => [
    { text: `${card.number} ${say(card.kind)} ${name("kinds", card.incident_kind)}, ${card.place.text}, ${wayOf(card)[0]}: ${say(card.state)}` },
    ...card.buttons.filter((does) => does !== "read").map((does) => tile(say(does), does, (b) => answer(card.order, does, b), { look: LOOK[does] }))]) : [{ text: say("none") }]],
  logon: () => {
    const units = [...new Set([page.unit, ...(names.tables.units || [])].filter(Boolean))];
    unit = unit || units[0];
    return ["chooseCrew", [
      ...units.map((one) => tile(one, `unit-${one}`, () => { unit = one; drawPanel(); }, { pressed: unit === one })),
      ...(names.tables.officers || []).map((one) => tile(one, `officer-${one}`, () => { crew.has(one) ? crew.delete(one) : crew.add(one); drawPanel(); }, { pressed: crew.has(one) })),
      ...(unit && crew.size ? [tile(say("confirmLogon"), "logon-now", (b) => done({ type: "logon", unit, crew: [...crew] }, b), { look: "go" })] : [])]];
  },
  settings: () => ["settings", [
    tile(say("language"), "language", () => keep("language", settings.language === "zh" ? "en" : "zh")),
    ...["day", "night", "auto"].map((one) => tile(say(one), one, () => keep("light", one), { pressed: settings.light === one })),
    ...(root.display === "true" ? [tile(say("pair"), "pair", (b) => touch({ type: "show_code" }, b)), tile(say("unpair"), "unpair", (b) => done({ type: "unpair" }, b))] : []),
    ...(page.pairing_code ? [{ text: `${say("code")}: ${page.pairing_code}` }] : [])]],
};
const choices = (use) => names.tables.choices?.[use] || ["other"];
const done = async (command, button) => { if (await touch(command, button)) open(null); };
function keep(key, value) { settings[key] = value; localStorage.setItem(key, value); draw(); }

function drawPanel() {
  if (!page || page.driving) panel = null;
  by("panel").hidden = !panel;
  if (!panel) return;
  const [title, tiles] = PANELS[panel.what](panel);
  put("panel-title", say(title));
  const paged = tiles.length > TILES && !tiles.some((one) => one.text);
  const room = TILES - 2;
  const shown = paged ? tiles.slice(panelAt, panelAt + room) : tiles;
  if (paged) shown.push(tile(say("more"), "more", () => { panelAt = panelAt + room >= tiles.length ? 0 : panelAt + room; drawPanel(); }));
  shown.push(tile(say("back"), "back", () => open(null)));
  buttons(by("tiles"), shown);
}

// --- SOS and unlocking: held, not tapped -----------------------------------------------------------

function hold(element, ms, act) {
  let timer = 0;
  const end = () => { clearTimeout(timer); timer = 0; element.classList.remove("held"); };
  element.addEventListener("pointerdown", () => { end(); element.classList.add("held"); timer = setTimeout(() => { end(); act(); }, ms); });
  for (const event of ["pointerup", "pointerleave", "pointercancel"]) element.addEventListener(event, end);
  element.addEventListener("contextmenu", (event) => event.preventDefault());
}
hold(by("sos"), SOS_MS, async () => {
  if (await touch({ type: "set_status", status: "emergency" })) toast(page?.is_up ? say("sosSent") : say("sosSaved"));
});
hold(by("top"), UNLOCK_MS, () => { if (page?.can_unlock) touch({ type: "unlock" }); });
by("menu").addEventListener("click", () => open(panel ? null : "menu"));
by("again").addEventListener("click", (event) => touch({ type: "again" }, event.currentTarget));

// --- the chime: once for an order's revision, remembered over a restart ----------------------------

function chime() {
  const card = page.main;
  if (!card || page.silent) return;
  const key = `${card.order} ${card.shown_revision} ${card.alarm || ""}`;
  if (!card.alarm && !card.chime || localStorage.getItem("chimed") === key) return;
  localStorage.setItem("chimed", key);
  if (!card.alarm && root.display === "true") // the agent remembers it over a restart of its own
    post("/do", { type: "chimed", order: card.order, revision: card.shown_revision }).catch(() => localStorage.removeItem("chimed"));
  if (card.revision_class === 3 && !card.alarm) return;
  const audio = new AudioContext();
  const tones = card.alarm ? [440, 330, 440, 330] : card.priority <= 1 ? [880, 1175, 880, 1175] : [660, 880];
  tones.forEach((hz, at) => {
    const tone = audio.createOscillator();
    tone.frequency.value = hz;
    tone.connect(audio.destination);
    tone.start(audio.currentTime + at * 0.18);
    tone.stop(audio.currentTime + at * 0.18 + 0.15);
  });
  setTimeout(() => audio.close(), 1500);
}

// --- the feed --------------------------------------------------------------------------------------

function draw() {
  if (!page) return;
  drawLight(page.now_ms);
  document.body.classList.toggle("driving", page.driving);
  put("menu", say("menu")).hidden = page.driving;
  put("again", say("again")).hidden = !page.main || page.driving && !page.touch;
  put("sos-hint", say("sosHint"));
  drawTop(page);
  drawRadio(page, false);
  drawOrder(page);
  drawAnswers();
  drawPanel();
  if (!page.touch && page.driving) put("plan", say("moving"));
}
function take(next) {
  page = next;
  heardMs = performance.now();
  draw();
  chime();
  const now = JSON.stringify([page.main?.order, page.main?.state, page.main?.shown_revision, page.main?.alarm, page.driving, page.is_up, page.status]);
  if (now === sign) return;
  sign = now;
  requestAnimationFrame(() => setTimeout(() => { painted(next.seq); }));
}
async function painted(seq) { // how long it took since the agent made it: for the health entry, and for tests
  try { document.body.dataset.took = `${seq} ${(await (await post("/painted", { seq })).json()).took_ms}`; } catch { /* the watch says so */ }
}
async function follow() {
  const response = await fetch("/feed", { headers: head });
  if (!response.ok) { if (response.status !== 503) location.reload(); return; }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done: over } = await reader.read();
    if (over) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    const last = parts.pop();
    if (last) take(JSON.parse(last.slice(6)));
  }
}
async function live() {
  setInterval(() => { if (page && performance.now() - heardMs > SILENT_MS) drawRadio(page, true); }, 1000);
  for (;;) {
    try { await follow(); } catch { /* the agent is away: the watch above says so */ }
    await new Promise((next) => setTimeout(next, 500));
    if (page && performance.now() - heardMs > SILENT_MS) drawRadio(page, true);
  }
}
async function loadNames() {
  try { names.tables = await (await fetch("/codes", { headers: head })).json(); draw(); } catch { setTimeout(loadNames, 2000); }
}

// --- pairing: ten digits to touch ------------------------------------------------------------------

function pairing() {
  by("pairing").hidden = false;
  put("pair-title", say("enterCode"));
  buttons(by("pad"), [..."1234567890"].map((digit) => tile(digit, `digit-${digit}`, async () => {
    digits += digit;
    put("pair-digits", digits);
    if (digits.length < 6) return;
    const response = await post("/pair", { code: digits });
    digits = "";
    if (response.ok) location.reload();
    else put("pair-digits", say("wrongCode"));
  })));
}

put("sos-hint", say("sosHint")); put("menu", say("menu")); put("again", say("again"));
if (root.paired === "true") { loadNames(); live(); } else pairing();
