// The form at the bottom: makes and sends a message.

import { conditions, makePersonal, setup } from "./conditions.js";
import { byId, make } from "./element.js";
import { pin } from "./chat.js";
import { makeSound, recorded } from "./sound.js";
import { language, t } from "./texts.js";

const FIELDS = {
  text: [{ name: "text", wide: true, isText: true }],
  voice: [
    { name: "hasRecognition", type: "checkbox", checked: true },
    { name: "spoken", wide: true },
    { name: "mediaId", placeholder: "freshId" },
    { name: "format", options: ["amr", "speex", "mp3"] },
  ],
  image: [
    { name: "mediaId", value: "media-2" },
    { name: "picUrl", wide: true, value: "http://mmbiz.qpic.cn/mmbiz_jpg/picture/0" },
  ],
  location: [
    { name: "label", wide: true },
    { name: "latitude", type: "number", value: "39.8822", step: "any", min: "-90", max: "90" },
    { name: "longitude", type: "number", value: "116.4066", step: "any", min: "-180", max: "180" },
  ],
  link: [
    { name: "title" },
    { name: "description" },
    { name: "url", wide: true, value: "https://example.com/weather" },
  ],
  click: [{ name: "key", wide: true }],
  scan: [{ name: "scene", wide: true }],
  subscribe: [{ name: "scene", label: "sceneMaybe", wide: true, value: "" }],
  unsubscribe: [],
  verify: [],
};

let kind = "text";

/** The unsent input of each kind. */
const drafts = {};

/** Brings the form to life. */
export function startComposer() {
  makeKinds();
  makeFields();
  byId("composer").addEventListener("submit", send);
}

function makeKinds() {
  for (const name of Object.keys(FIELDS)) {
    const input = make("input", { type: "radio", name: "kind", value: name, checked: name === kind });
    input.addEventListener("change", () => {
      kind = name;
      makeFields();
    });
    byId("kinds").append(make("label", {}, input, make("span", {}, t.kinds[name])));
  }
}

function makeFields() {
  const fields = FIELDS[kind].map(makeField);
  const send = make("button", { type: "submit", class: "send" }, t.send);
  const about = t.about[kind] ? make("p", { class: "about" }, t.about[kind]) : null;
  const sound = kind === "voice" ? makeSound() : null;
  byId("fields").replaceChildren(...fields, ...[about, sound].filter(Boolean), send);
  byId("fields").dataset.kind = kind;
  syncRecognition();
}

function makeField(field) {
  const draft = (drafts[kind] ??= {});
  const id = `field-${field.name}`;
  const initial = draft[field.name] ?? field.value ?? t.presets[field.name] ?? "";
  let input;
  if (field.options) {
    input = make("select", { id, name: field.name });
    for (const option of field.options) input.append(make("option", { value: option }, option));
    input.value = draft[field.name] ?? field.options[0];
  } else if (field.type === "checkbox") {
    input = make("input", { id, name: field.name, type: "checkbox", role: "switch" });
    input.checked = draft[field.name] ?? field.checked;
  } else {
    input = make("input", {
      id, name: field.name, type: field.type ?? "text", step: field.step, min: field.min, max: field.max,
      placeholder: field.isText ? t.placeholder : t[field.placeholder], maxlength: "8000",
    });
    input.value = initial;
  }
  input.addEventListener("input", () => {
    draft[field.name] = field.type === "checkbox" ? input.checked : input.value;
    syncRecognition();
  });
  const label = make("span", {}, t.fields[field.label ?? field.name]);
  const classes = ["field", field.wide && "wide", field.type === "checkbox" && "switch", field.isText && "bare"];
  const parts = field.type === "checkbox" ? [input, label] : [label, input];
  return make("label", { class: classes.filter(Boolean).join(" "), for: id }, ...parts);
}

/** Only WeChat and the built-in bot recognize speech here. */
function syncRecognition() {
  const has = byId("field-hasRecognition");
  if (has) byId("field-spoken").disabled = setup.target !== null && !has.checked;
}

async function content() {
  const value = (name) => byId(`field-${name}`)?.value ?? "";
  switch (kind) {
    case "text": return { kind, text: value("text") };
    case "voice": return {
      kind, mediaId: value("mediaId"), format: value("format"), spoken: value("spoken"),
      recognition: byId("field-hasRecognition").checked ? value("spoken") : null,
      sound: await recorded(),
    };
    case "image": return { kind, mediaId: value("mediaId"), picUrl: value("picUrl") };
    case "location": return {
      kind, label: value("label"), latitude: Number(value("latitude")), longitude: Number(value("longitude")),
    };
    case "link": return { kind, title: value("title"), description: value("description"), url: value("url") };
    case "click": return { kind, key: value("key") };
    case "scan": return { kind, scene: value("scene") };
    case "subscribe": return { kind, scene: value("scene") || null };
    default: return { kind };
  }
}

async function send(event) {
  event.preventDefault();
  const message = await content();
  if (kind === "text" && message.text === "") {
    byId("field-text").focus();
    return;
  }
  if (await deliver({ content: message, ...conditions() }) && kind === "text") {
    drafts.text = {};
    byId("field-text").value = "";
    byId("field-text").focus();
  }
}

/** Sends a message. Returns whether it was sent; if not, the page says why. */
async function deliver(letter) {
  const problem = byId("problem");
  problem.textContent = "";
  try {
    const response = await post("/api/messages", { ...letter, language });
    if (response.ok) {
      pin();
      return true;
    }
    problem.textContent = response.status === 429 ? t.tooMany : t.notSent + (await response.text());
  } catch (error) {
    problem.textContent = t.notSent + error.message;
  }
  return false;
}

/** Makes the buttons that send the examples. */
export function makeTries() {
  byId("tries").replaceChildren();
  const voice = { kind: "voice", mediaId: "media-1", format: "amr", recognition: t.presets.spoken };
  const story = { kind: "text", text: t.story };
  const forged = { kind: "text", text: t.money };
  const tries = {
    quick: { content: voice },
    second: { content: story, thinking: 7 },
    late: { content: story, thinking: 20 },
    long: { content: story, isLong: true },
    fetched: { content: story, isLong: true, isPersonal: true },
    lost: { content: voice, lost: "first" },
    forged: { content: forged, attack: "signature" },
  };
  for (const [name, it] of Object.entries(tries)) {
    if (setup.target !== null && (it.thinking || it.isLong)) continue;
    const button = make("button", { type: "button", class: "quiet" }, t.tries[name]);
    button.addEventListener("click", () => {
      // The next message fetches the rest.
      if (it.isPersonal) makePersonal();
      deliver({ ...conditions(), clock: "simulated", ...it });
      // The button disappears with the empty chat.
      (byId("field-text") ?? byId("composer")).focus();
    });
    byId("tries").append(button);
  }
}

export function post(path, body) {
  return fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
}
