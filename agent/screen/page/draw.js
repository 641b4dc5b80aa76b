// Draws a page of the feed: text only, no markup from outside. Buttons are made anew only when they change.
import { TEXTS, WAYS } from "./texts.js";

const root = document.documentElement.dataset;
export const by = (id) => document.getElementById(id);
export const settings = { language: localStorage.getItem("language") || root.language, light: localStorage.getItem("light") || "auto" };
export const names = { tables: {} };
const at = () => (settings.language === "zh" ? 0 : 1);
export const say = (key) => (TEXTS[key] ? TEXTS[key][at()] : key);
export const name = (table, code) => (names.tables[table]?.[code] ? names.tables[table][code][at()] : code);
const local = (ms) => new Date(ms + Number(root.offset) * 60000).toISOString();
export const hhmm = (ms) => local(ms).slice(11, 16);

export function put(id, text) {
  const element = by(id);
  const value = text ?? "";
  if (element.textContent !== value) element.textContent = value;
  return element;
}
export function show(id, text) { put(id, text).hidden = !text; }

export function buttons(parent, list) {
  const sign = JSON.stringify(list.map((one) => [one.label, one.look, one.pressed, one.id]));
  if (parent.dataset.sign === sign) return;
  parent.dataset.sign = sign;
  parent.replaceChildren(...list.map((one) => {
    if (one.text) { const p = document.createElement("p"); p.textContent = one.text; return p; }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = one.label;
    if (one.look) button.className = one.look;
    if (one.id) button.dataset.does = one.id;
    if (one.pressed !== undefined) button.setAttribute("aria-pressed", String(one.pressed));
    button.addEventListener("click", () => one.act(button));
    return button;
  }));
}

export function drawLight(nowMs) {
  const hour = Number(local(nowMs).slice(11, 13));
  const dark = settings.light === "auto" ? hour < 6 || hour >= 19 : settings.light === "night";
  document.body.classList.toggle("night", dark);
  document.documentElement.lang = settings.language === "zh" ? "zh-CN" : "en";
}

export function drawTop(page) {
  put("unit", page.unit ?? "–");
  put("status", page.silent && page.status === "emergency" ? name("statuses", "available") : name("statuses", page.status));
  put("link", page.is_up ? say("linkUp") : say("linkDown")).className = page.is_up ? "up" : "down";
  put("clock", hhmm(page.now_ms));
  const old = page.fix_age_ms !== null && page.fix_age_ms > 10000;
  const unlock = page.can_unlock ? say("unlock") : "";
  put("place", unlock || (!page.has_place ? say("noPlace") : old ? `${say("placeOld")} ${Math.round(page.fix_age_ms / 1000)} ${say("oldBy")}` : page.waiting_orders && !page.driving ? `${say("waitingOrders")} ${page.waiting_orders}` : ""));
}

export function drawRadio(page, silentAgent) {
  const reasons = [];
  if (silentAgent) reasons.push(say("agentSilent"));
  else {
    if (!page.is_up) reasons.push(`${say("linkDown")}${page.link_down_ms ? ` ${say("since")} ${hhmm(page.link_down_ms)}` : ""}`);
    if (page.is_full) reasons.push(say("diskFull"));
    if (!page.is_up && page.waiting) {
      const touched = page.queued.slice(-3).map(([what, ms]) => `${orderNumber(page, what)} ${hhmm(ms)}`).join(" · ");
      reasons.push(`${say("queued")} ${page.waiting} ${say("entries")}${touched ? `: ${touched}` : ""}`);
    }
  }
  by("radio").hidden = reasons.length === 0;
  put("radio-word", say("radio"));
  put("radio-why", reasons.join(" · "));
}

function orderNumber(page, what) {
  const found = [page.main, ...page.others].find((card) => card && card.order === what);
  return found ? found.number : what === "set_status" ? say("status") : what === "logon" ? say("logon") : what;
}

export function wayOf(card) {
  if (card.distance_m === null) return ["", ""];
  const far = card.distance_m < 1000 ? `${card.distance_m} m` : `${(card.distance_m / 1000).toFixed(1)} km`;
  const way = WAYS[at()][Math.round(card.bearing_deg / 45) % 8];
  const s = card.way_s;
  const time = s < 60 ? `${s} ${say("sec")}` : `${Math.round(s / 60)} ${say("min")}`;
  return [`${far} ${way}`, `${say("wayTime")} ${time}`];
}

export function drawOrder(page) {
  const card = page.main;
  by("order").hidden = !card;
  show("idle", card ? "" : page.unit ? say("idle") : say("logonFirst"));
  if (!card) return;
  by("order").className = `p${card.priority} ${card.alarm || ""}`;
  put("number", card.number);
  put("kind", `${card.priority <= 1 ? name("priorities", String(card.priority)) + " " : ""}${name("kinds", card.incident_kind)}`);
  show("order-kind", say(card.kind));
  show("alarm", card.alarm === "cancelled" ? say(card.state) : card.alarm === "stand_down" ? say("stand_down") : card.must_read ? say("newHazard") : "");
  show("hazards", card.hazards.length ? `${say("hazards")}: ${card.hazards.map((code) => name("hazards", code)).join(", ")}` : "");
  const wait = card.plan.wait_for;
  show("wait", wait ? `${say("waitFor")} ${wait}${card.plan.wait_s ? ` (${Math.ceil(card.plan.wait_s / 60)} ${say("min")})` : ""}, ${say("alone")}` : "");
  const [far, time] = wayOf(card);
  put("distance", far || say("placeUnknown"));
  put("eta", time ? `${time}${card.arrow_deg === null ? ` · ${say("clockDial")}` : ""}` : "");
  by("arrow").toggleAttribute("hidden", card.distance_m === null);
  by("needle").setAttribute("transform", `rotate(${card.arrow_deg ?? card.bearing_deg ?? 0} 50 50)`);
  const accuracy = card.place.accuracy_m;
  put("where", `${card.place.text}${accuracy ? ` (${say("accuracy")} ${accuracy} m)` : ""}`);
  show("notes", card.notes);
  const others = card.plan.on_it.filter((unit) => unit !== page.unit).join(", ");
  put("plan", `${say("plan")}: ${card.plan.units} ${say("units")}, ${card.plan.officers} ${say("officers")}${others ? `; ${say("withThem")}: ${others}` : ""}`);
  drawSaid(card);
}

function drawSaid(card) {
  const lines = [];
  let look = "";
  if (card.queued) { lines.push(say("kept")); look = "waiting"; }
  if (card.unconfirmed) { lines.push(say("unconfirmed")); look = "waiting"; }
  else if (card.confirm === "too_late") { lines.push(`${say("too_late")} ${card.by ?? ""}`); look = "waiting"; }
  else if (card.confirm && !card.alarm) { lines.push(`${say(card.confirm)}: ${say(card.state)}`); look = look || "sure"; }
  if (card.answered) lines.push(`${say("answeredBy")} ${card.answered}`);
  show("said", lines.join(" · "));
  by("said").className = look;
}
