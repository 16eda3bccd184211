// The chat: what the user would see.

import { byId, make } from "./element.js";
import { errcode, grow, lateWords, makeTimeline, seconds } from "./timeline.js";
import { language, t } from "./texts.js";

/** The program keeps the same number. */
const MAX_MESSAGES = 100;

/** Screen readers announce only messages after this time. */
const LOADED = Date.now();

const messages = new Map();
/** Whether the chat scrolls to its end when it grows. */
let isPinned = true;

export function pin() {
  isPinned = true;
}

/** Keeps the position of a reader who has scrolled up. */
export function followScrolling() {
  const feed = byId("feed");
  feed.addEventListener("scroll", () => {
    isPinned = feed.scrollHeight - feed.scrollTop - feed.clientHeight < 80;
  });
}

/** Shows a message, or its new state. */
export function show(record) {
  const old = messages.get(record.id);
  const article = makeArticle(record);
  messages.set(record.id, { article, record });
  if (old) {
    keepOpen(old.article, article);
    old.article.replaceWith(article);
  } else {
    const next = [...byId("feed").querySelectorAll("article")].find((it) => Number(it.dataset.id) > record.id);
    byId("feed").insertBefore(article, next ?? null);
    if (messages.size > MAX_MESSAGES) forget(Math.min(...messages.keys()));
  }
  byId("empty").hidden = true;
  showTime(article);
  if (article.nextElementSibling) showTime(article.nextElementSibling);
  announce(record, old?.record);
  if (isPinned) byId("feed").scrollTop = byId("feed").scrollHeight;
  grow();
}

/** Shows the time only if it differs from the previous message's, as chats do. */
function showTime(article) {
  const time = (it) => it?.querySelector(".time")?.textContent;
  article.querySelector(".time").classList.toggle("hidden", time(article.previousElementSibling) === time(article));
}

function forget(id) {
  messages.get(id).article.remove();
  messages.delete(id);
}

export function forgetAll() {
  for (const id of [...messages.keys()]) forget(id);
  byId("empty").hidden = false;
}

/** Keeps open and focused parts when a message is drawn again. */
function keepOpen(from, to) {
  for (const details of from.querySelectorAll("details[open]")) {
    const same = to.querySelector(`details[data-key="${details.dataset.key}"]`);
    if (same) same.open = true;
  }
  const focused = from.contains(document.activeElement) && document.activeElement.closest("details");
  // A recording that plays goes on.
  const audio = from.querySelector("audio");
  if (audio) to.querySelector("audio")?.replaceWith(audio);
  if (focused) {
    requestAnimationFrame(() => to.querySelector(`details[data-key="${focused.dataset.key}"] > summary`)?.focus());
  }
}

/** Announces news to screen readers. */
function announce(record, before) {
  if (record.sent < LOADED) return;
  const says = [];
  if (record.shown && !before?.shown) says.push(...makeShown(record).map((it) => it.textContent));
  const known = before ? sends(before).map((it) => it.at) : [];
  for (const sent of sends(record)) {
    if (!known.includes(sent.at)) says.push(makeSend(sent).textContent);
  }
  // The message that has fetched a part announces it.
  const late = record.late.slice(before?.late.length ?? 0).filter((it) => it.kind !== "fetched");
  says.push(...late.map(lateWords));
  if (says.length > 0) byId("news").textContent = says.join(" ");
}

function makeArticle(record) {
  const time = new Date(record.sent).toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB", {
    hour: "2-digit", minute: "2-digit",
  });
  return make(
    "article",
    { "data-id": String(record.id), "data-over": record.isOver, "aria-label": `${t.kinds[record.content.kind]}, ${time}` },
    make("p", { class: "time" }, time),
    make("div", { class: "bubbles" }, makeSent(record), ...makeAnswers(record)),
    makeTimeline(record),
  );
}

function field(fields, name) {
  return fields?.find(([found]) => found === name)?.[1] ?? null;
}

function makeSent(record) {
  const it = record.content;
  const bubble = (...children) =>
    make(
      "div", { class: `message sent ${record.isForged ? "forged" : ""}` },
      make("div", { class: "bubble" }, make("span", { class: "hidden" }, `${t.you}: `), ...children),
      record.isForged ? make("small", { class: "tag" }, t.forged) : null,
    );
  const note = (...words) =>
    make("div", { class: `note ${record.isForged ? "forged" : ""}` }, words.join(" "),
      record.isForged ? make("small", { class: "tag" }, t.forged) : null);
  switch (it.kind) {
    case "text": return bubble(it.text);
    case "voice": return bubble(
      make("span", { class: "wave", "aria-hidden": "true" }, make("i"), make("i"), make("i")),
      make("span", {}, t.kinds.voice),
      make("small", {}, it.recognition ? `${t.recognized}: ${it.recognition}` : t.notRecognized),
      it.sound ? makePlayer(record) : null,
    );
    case "image": return bubble(card("image", t.kinds.image, it.mediaId));
    case "location": return bubble(card("place", it.label || t.kinds.location, `${it.latitude}, ${it.longitude}`));
    case "link": return bubble(card("link", it.title || it.url, it.description || it.url));
    case "click": return note(t.tapped, it.key);
    case "scan": return note(t.scanned, it.scene);
    case "subscribe": return it.scene ? note(t.followedBy, it.scene) : note(t.followed);
    case "unsubscribe": return note(t.unfollowed);
    default: return note(t.verification);
  }
}

function makePlayer(record) {
  const source = `/api/messages/${record.id}/sound`;
  const audio = make("audio", { controls: true, preload: "metadata", src: source, "aria-label": t.sound });
  audio.addEventListener("error", () => audio.replaceWith(make("small", { class: "unplayable" }, t.unplayable)));
  return audio;
}

function card(picture, title, text) {
  return make(
    "span", { class: "card" },
    make("span", { class: `picture ${picture}`, "aria-hidden": "true" }),
    make("span", { class: "words" }, make("b", {}, title), make("small", {}, text)),
  );
}

function makeShown(record) {
  const shown = record.shown;
  if (!shown) return [];
  switch (shown.kind) {
    case "reply": return [makeReply(shown.fields, shown.isFetched ? t.fetchedReply : null)];
    case "fault": return [make("div", { class: "note fault" }, shown.text)];
    case "verified": return [
      make("div", { class: `note ${shown.isRight ? "right" : "fault"}` }, shown.isRight ? t.verified : t.notVerified),
    ];
    default: return [make("div", { class: "note silent" }, t.nothing)];
  }
}

/** What the bot says, in the order in which the user sees it. */
function makeAnswers(record) {
  const ends = record.deliveries.map((it) => it.at + (it.took ?? 0));
  const answers = [
    ...makeShown(record).map((element) => ({ at: Math.max(0, ...ends), element })),
    ...record.late.filter((it) => it.kind !== "fetched").map((it) => ({ at: it.at, element: makeLate(it) })),
    ...sends(record).map((it) => ({ at: it.at, element: makeSend(it) })),
  ];
  return answers.sort((one, other) => one.at - other.at).map((it) => it.element);
}

/** The customer-service messages that WeChat has accepted. */
function sends(record) {
  return record.calls.filter((it) => it.name === "message/custom/send" && errcode(it) === 0);
}

/** Shows a customer-service message as the reply that it would be. */
function makeSend(call) {
  const message = JSON.parse(call.request);
  const content = message[message.msgtype] ?? {};
  const inner = [["MediaId", content.media_id], ["Title", content.title], ["Description", content.description]];
  const articles = (Array.isArray(content.articles) ? content.articles : []).map((it) =>
    ["item", [["Title", it?.title], ["Description", it?.description], ["Url", it?.url]]]);
  const fields = [["MsgType", message.msgtype], ["Content", content.content], ["Articles", articles]];
  for (const name of ["Image", "Voice", "Video", "Music"]) fields.push([name, inner]);
  return makeReply(fields, `${t.service} · ${seconds(call.at)}`);
}

function makeLate(late) {
  return make("div", { class: `note ${late.kind === "failed" ? "fault" : "kept"}` }, `${lateWords(late)} · ${seconds(late.at)}`);
}

function makeReply(fields, tag) {
  const type = field(fields, "MsgType");
  const inner = (name, key) => field(field(fields, name), key) ?? "";
  let body;
  switch (type) {
    case "text": {
      const words = field(fields, "Content") ?? "";
      // The deliveries beside it stay in sight.
      body = words.length > 500 ? make("span", { class: "long", tabindex: "0" }, words) : words;
      break;
    }
    case "image": body = card("image", t.kinds.image, inner("Image", "MediaId")); break;
    case "voice": body = card("sound", t.kinds.voice, inner("Voice", "MediaId")); break;
    case "video": body = card("film", inner("Video", "Title") || "video", inner("Video", "MediaId")); break;
    case "music": body = card("sound", inner("Music", "Title") || "music", inner("Music", "Description")); break;
    case "news": {
      const articles = (field(fields, "Articles") ?? []).map(([, article]) => article);
      body = make("span", { class: "articles" }, ...articles.map((article) =>
        card("link", field(article, "Title") ?? "", field(article, "Description") || field(article, "Url") || "")));
      break;
    }
    default: body = `[${type}]`;
  }
  return make(
    "div", { class: `message got ${tag ? "late" : ""}` },
    make("span", { class: "face", "aria-hidden": "true" }),
    make("div", { class: "bubble" }, make("span", { class: "hidden" }, `${t.theBot}: `), body),
    tag ? make("small", { class: "tag" }, tag) : null,
  );
}
