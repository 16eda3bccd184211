// The form at the side: the conditions of a delivery.

import { byId, make } from "./element.js";
import { t } from "./texts.js";

/** The least time in seconds that the bot thinks about a long story. */
const STORY = 6;

/** The target of the deliveries, as the program reports it. */
export let setup = { target: null };

/** Brings the form to life. */
export function startConditions() {
  byId("settings").addEventListener("input", showConditions);
  byId("settings").addEventListener("submit", (event) => event.preventDefault());
  unfoldWhereThereIsRoom();
  showConditions();
}

/** Turns on the switch of an account without the customer-service API. */
export function makePersonal() {
  byId("settings").elements.isPersonal.checked = true;
  showConditions();
}

/** Returns the conditions in the form that the API takes. */
export function conditions() {
  const form = byId("settings").elements;
  return {
    thinking: Number(form.thinking.value), isLong: form.isLong.checked, isPersonal: form.isPersonal.checked, recognizer: form.recognizer.value, clock: form.isSimulated.checked ? "simulated" : "real",
    mode: form.isSafe.checked ? "safe" : "plain",
    lost: form.lost.value, isSlow: form.isSlow.checked, isDuplicated: form.isDuplicated.checked,
    attack: form.attack.value,
  };
}

function showConditions() {
  const now = conditions();
  byId("thinking-value").textContent = `${now.thinking} ${t.seconds}`;
  byId("thinking").style.setProperty("--fill", `${(now.thinking / 30) * 100}%`);
  const slower = Math.max(now.thinking, now.isLong ? STORY : 0) + (now.isSlow ? 3 : 0);
  byId("thinking-hint").textContent =
    slower < 5 ? t.first : slower < 10 ? t.second : slower < 14 ? t.third : now.isPersonal ? t.lateFetched : t.late;
  byId("attack-hint").textContent =
    now.mode === "safe" ? "" : now.attack === "ciphertext" ? t.plainHint : now.attack === "plaintext" ? t.plainDowngrade : "";
  const active = [
    !setup.target && now.thinking > 0 && `${t.thinks} ${now.thinking} ${t.seconds}`,
    !setup.target && now.isLong && t.long,
    !setup.target && now.isPersonal && t.personal,
    !setup.target && now.recognizer !== "knows" && `${t.recognizer}: ${now.recognizer === "slow" ? t.takes8 : t.fails}`,
    now.mode === "safe" && t.safe,
    now.lost === "first" && `${t.answers}: ${t.lostFirst}`,
    now.lost === "all" && `${t.answers}: ${t.lostAll}`,
    now.isSlow && t.slow,
    now.isDuplicated && t.twice,
    now.attack !== "none" && `${t.attacker} ${t[`attack${now.attack[0].toUpperCase()}${now.attack.slice(1)}`]}`,
  ];
  byId("active").textContent = active.filter(Boolean).join(" · ");
}

/** Stores the target of the deliveries, and adapts the form. */
export function takeSetup(found) {
  setup = found;
  byId("target").textContent = setup.target ?? t.builtIn;
  for (const element of document.querySelectorAll('[data-only="built-in"]')) element.hidden = setup.target !== null;
  for (const element of document.querySelectorAll('[data-only="target"]')) element.hidden = setup.target === null;
  if (setup.api) {
    const settings = { [t.base]: `${location.origin}/api`, AppID: setup.api.appId, AppSecret: setup.api.appSecret };
    byId("api").replaceChildren(...Object.entries(settings).flatMap(([name, value]) =>
      [make("dt", {}, name), make("dd", {}, value)]));
  }
  const safe = byId("settings").elements.isSafe;
  if (setup.target !== null) {
    safe.checked = setup.mode === "safe";
    safe.disabled = true;
  }
  showConditions();
}

function unfoldWhereThereIsRoom() {
  const wide = matchMedia("(min-width: 60rem)");
  const apply = () => { byId("conditions").open = wide.matches; };
  wide.addEventListener("change", apply);
  apply();
}
