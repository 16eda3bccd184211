// The page of the playground: receives the events, and starts all parts.

import { followScrolling, forgetAll, show } from "./chat.js";
import { makeTries, post, startComposer } from "./composer.js";
import { startConditions, takeSetup } from "./conditions.js";
import { byId } from "./element.js";
import { language, t } from "./texts.js";

function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = `${t.title} · tower-wechat`;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t[element.dataset.t];
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t[element.dataset.label]);
  }
}

function listen() {
  const events = new EventSource("/api/events");
  const connected = (is) => {
    byId("connection").classList.toggle("away", !is);
    byId("connection-text").textContent = is ? t.live : t.away;
  };
  connected(false);
  events.addEventListener("open", () => connected(true));
  events.addEventListener("error", () => connected(false));
  events.addEventListener("setup", (event) => {
    takeSetup(JSON.parse(event.data));
    makeTries();
  });
  events.addEventListener("cleared", forgetAll);
  events.addEventListener("message", (event) => show(JSON.parse(event.data)));
}

translate();
startConditions();
startComposer();
followScrolling();
listen();
byId("clear").addEventListener("click", () => post("/api/clear", {}));
// On a phone, focus would open the keyboard.
if (matchMedia("(min-width: 60rem)").matches) byId("field-text").focus({ preventScroll: true });
