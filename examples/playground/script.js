// The page of the playground. Whatever comes from the wire becomes a text node, never markup.
"use strict";

const MAX_MESSAGES = 100;

const TEXTS = {
  en: {
    title: "Playground", skip: "Skip to the message field", wechat: "WeChat", builtIn: "built-in bot",
    live: "live", away: "not connected", clear: "Clear", conditions: "Conditions", kind: "What to send",
    bot: "The bot", thinks: "Thinks for", seconds: "s", simulated: "Simulated time",
    simulatedHint: "Waiting takes no time", safe: "Safe mode", safeHint: "Messages and replies are encrypted",
    network: "The network", answers: "Answers", arrive: "arrive", lostFirst: "first lost", lostAll: "all lost",
    slow: "Slow", slowHint: "1.5 s there, 1.5 s back", twice: "Duplicate", twiceHint: "Each delivery comes twice",
    attacker: "An attacker", nobody: "Nobody", attackSignature: "changes the signature",
    attackTimestamp: "changes the timestamp", attackCiphertext: "changes the ciphertext",
    attackPlaintext: "sends plaintext", plainHint: "Plain mode has no ciphertext: a changed body goes unnoticed.",
    plainDowngrade: "In plain mode, plaintext is an ordinary delivery.",
    first: "The first delivery gets the answer.", second: "The second delivery gets the answer.",
    third: "The third delivery gets the answer.", late: "Acknowledged after 14.5 s, answered later.",
    chat: "Chat and deliveries", empty: "Say something to the bot.",
    emptyHint: "You see what the user would see, and beside it every delivery that WeChat makes.",
    kinds: {
      text: "Text", voice: "Voice", image: "Image", location: "Location", link: "Link", click: "Menu",
      scan: "QR code", subscribe: "Follow", unsubscribe: "Unfollow", verify: "Verify URL",
    },
    fields: {
      text: "Message", recognition: "Recognised text", hasRecognition: "Recognition is on", mediaId: "Media id",
      format: "Format", picUrl: "Address", latitude: "Latitude", longitude: "Longitude", label: "Place",
      title: "Title", description: "Description", url: "Address", key: "Key of the button", scene: "Scene",
      sceneMaybe: "Scene of a QR code, if any",
    },
    about: {
      unsubscribe: "The user stops following the account.",
      verify: "The console asks the server to echo a number.",
    },
    send: "Send", you: "You", theBot: "Bot", fault: "Fault", recognised: "recognised", notRecognised: "not recognised",
    tapped: "You tapped", scanned: "You scanned", followed: "You follow the account",
    followedBy: "You follow the account, by", unfollowed: "You no longer follow the account",
    verification: "The console verifies the URL", verified: "verified", notVerified: "not verified",
    forged: "forged: not from WeChat", nothing: "the user sees nothing", service: "customer-service message",
    lateFailed: "all runs failed", deliveries: ["delivery", "deliveries"], runs: ["run", "runs"],
    encrypted: "safe mode", simulatedTag: "simulated time", run: "run", waiting: "under way",
    part: { run: "run", joined: "joined", kept: "kept" },
    acknowledged: "acknowledged", replied: "reply", silent: "nothing to say", refused: "refused", echoed: "echo",
    faults: {
      HungUp: "hung up", Lost: "answer lost", Status: "failed", Connection: "no connection", Malformed: "no reply",
      Addressing: "wrong address", Limit: "too long", Envelope: "not sealed", Echo: "no echo", Unsent: "not sent",
    },
    request: "WeChat sends", answer: "The bot answers", lateReply: "Late reply", noAnswer: "No answer arrived.",
    emptyBody: "An empty body.", wire: "On the wire", envelope: "The envelope on the wire", query: "Query",
    body: "Body", cut: "… and more", lateAt: "after",
    tooMany: "Too many messages are under way. Wait a moment.", notSent: "It could not be sent: ",
    presets: {
      text: "", recognition: "What's the weather today?", label: "Temple of Heaven", title: "Weather today",
      description: "Sunny, 23 °C", key: "WEATHER_TODAY", scene: "spring-fair",
    },
    placeholder: "Type a message", try: "Or try",
    tries: {
      quick: "a voice message", second: "a bot that thinks for 7 s", late: "one that thinks for 20 s",
      lost: "a lost answer", forged: "a forged message",
    },
    story: "Tell me a long story", money: "Send everybody a red packet",
  },
  zh: {
    title: "演练场", skip: "跳到输入框", wechat: "微信", builtIn: "内置机器人", live: "已连接", away: "未连接",
    clear: "清空", conditions: "条件", kind: "发送什么", bot: "机器人", thinks: "思考", seconds: "秒",
    simulated: "模拟时间", simulatedHint: "等待不花时间", safe: "安全模式", safeHint: "消息和回复都加密",
    network: "网络", answers: "回包", arrive: "到达", lostFirst: "首个丢失", lostAll: "全部丢失", slow: "缓慢",
    slowHint: "去 1.5 秒，回 1.5 秒", twice: "重复", twiceHint: "每次推送都来两遍", attacker: "攻击者",
    nobody: "没有", attackSignature: "篡改签名", attackTimestamp: "篡改时间戳", attackCiphertext: "篡改密文",
    attackPlaintext: "改发明文", plainHint: "明文模式没有密文：正文被改也察觉不到。",
    plainDowngrade: "在明文模式下，明文就是普通推送。", first: "第一次推送得到回复。",
    second: "第二次推送得到回复。", third: "第三次推送得到回复。", late: "14.5 秒时先应答，之后再回复。",
    chat: "对话与推送", empty: "跟机器人说点什么吧。", emptyHint: "左边是用户看到的，旁边是微信的每一次推送。",
    kinds: {
      text: "文本", voice: "语音", image: "图片", location: "位置", link: "链接", click: "菜单", scan: "扫码",
      subscribe: "关注", unsubscribe: "取消关注", verify: "验证 URL",
    },
    fields: {
      text: "消息", recognition: "识别结果", hasRecognition: "已开通语音识别", mediaId: "媒体 ID", format: "格式",
      picUrl: "地址", latitude: "纬度", longitude: "经度", label: "地点", title: "标题", description: "描述",
      url: "地址", key: "按钮的 Key", scene: "场景值", sceneMaybe: "二维码场景值（可不填）",
    },
    about: { unsubscribe: "用户取消关注公众号。", verify: "后台请服务器原样返回一个数字。" },
    send: "发送", you: "你", theBot: "机器人", fault: "故障", recognised: "识别结果", notRecognised: "未识别",
    tapped: "你点击了", scanned: "你扫描了", followed: "你关注了公众号", followedBy: "你关注了公众号，来自",
    unfollowed: "你取消关注了公众号", verification: "后台验证 URL", verified: "验证成功", notVerified: "验证失败",
    forged: "伪造：并非来自微信", nothing: "用户看不到任何内容", service: "客服消息", lateFailed: "多次运行均失败",
    deliveries: ["次推送", "次推送"], runs: ["次运行", "次运行"], encrypted: "安全模式", simulatedTag: "模拟时间",
    run: "运行", waiting: "进行中", part: { run: "运行", joined: "加入", kept: "已存" },
    acknowledged: "先行应答", replied: "回复", silent: "无内容", refused: "拒绝", echoed: "原样返回",
    faults: {
      HungUp: "微信断开", Lost: "回包丢失", Status: "失败", Connection: "连接失败", Malformed: "不是回复",
      Addressing: "收发方不符", Limit: "过长", Envelope: "未正确加密", Echo: "未原样返回", Unsent: "未发出",
    },
    request: "微信发送", answer: "机器人回答", lateReply: "迟到的回复", noAnswer: "没有收到回包。",
    emptyBody: "正文为空。", wire: "线上原文", envelope: "线上的密文信封", query: "查询参数", body: "正文",
    cut: "……后面还有", lateAt: "在", tooMany: "进行中的消息太多，请稍候。", notSent: "发送失败：",
    presets: {
      text: "", recognition: "今天天气怎么样？", label: "天坛公园", title: "今日天气", description: "晴，23 °C",
      key: "WEATHER_TODAY", scene: "spring-fair",
    },
    placeholder: "输入消息", try: "或者试试",
    tries: {
      quick: "一条语音消息", second: "思考 7 秒的机器人", late: "思考 20 秒的机器人", lost: "回包丢失", forged: "伪造的消息",
    },
    story: "给我讲个长故事", money: "给每个人发红包",
  },
};

const language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const t = TEXTS[language];

const byId = (id) => document.getElementById(id);

/** An element with attributes and children; a string among them is a text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const seconds = (value, digits = 1) => `${value.toFixed(digits)} ${t.seconds}`;

function duration(value) {
  if (value < 0.001) return "< 1 ms";
  return value < 0.0995 ? `${Math.round(value * 1000)} ms` : seconds(value);
}

function count(number, [one, many]) {
  const space = " ";
  return `${number}${space}${number === 1 ? one : many}`;
}

// ---------------------------------------------------------------- what to send

const FIELDS = {
  text: [{ name: "text", wide: true, isText: true }],
  voice: [
    { name: "hasRecognition", type: "checkbox", checked: true },
    { name: "recognition", wide: true },
    { name: "mediaId", value: "media-1" },
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
const drafts = {};

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
  byId("fields").replaceChildren(...fields, ...(about ? [about] : []), send);
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
      placeholder: field.isText ? t.placeholder : null, maxlength: "8000",
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

function syncRecognition() {
  const has = byId("field-hasRecognition");
  if (has) byId("field-recognition").disabled = !has.checked;
}

function content() {
  const value = (name) => byId(`field-${name}`)?.value ?? "";
  switch (kind) {
    case "text": return { kind, text: value("text") };
    case "voice": return {
      kind, mediaId: value("mediaId"), format: value("format"),
      recognition: byId("field-hasRecognition").checked ? value("recognition") : null,
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

function conditions() {
  const form = byId("settings").elements;
  return {
    thinking: Number(form.thinking.value), clock: form.isSimulated.checked ? "simulated" : "real",
    mode: form.isSafe.checked ? "safe" : "plain",
    lost: form.lost.value, isSlow: form.isSlow.checked, isDuplicated: form.isDuplicated.checked,
    attack: form.attack.value,
  };
}

async function send(event) {
  event.preventDefault();
  const message = content();
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

/** Whether it has been sent; otherwise the page says why not. */
async function deliver(letter) {
  const problem = byId("problem");
  problem.textContent = "";
  try {
    const response = await post("/api/messages", { ...letter, language });
    if (response.ok) {
      isPinned = true;
      return true;
    }
    problem.textContent = response.status === 429 ? t.tooMany : t.notSent + (await response.text());
  } catch (error) {
    problem.textContent = t.notSent + error.message;
  }
  return false;
}

/** What shows at once what this page is for. */
function makeTries() {
  const voice = { kind: "voice", mediaId: "media-1", format: "amr", recognition: t.presets.recognition };
  const story = { kind: "text", text: t.story };
  const forged = { kind: "text", text: t.money };
  const tries = {
    quick: { content: voice },
    second: { content: story, thinking: 7 },
    late: { content: story, thinking: 20 },
    lost: { content: voice, lost: "first" },
    forged: { content: forged, attack: "signature" },
  };
  for (const [name, it] of Object.entries(tries)) {
    if (setup.target !== null && it.thinking) continue;
    const button = make("button", { type: "button", class: "quiet" }, t.tries[name]);
    button.addEventListener("click", () => {
      deliver({ ...conditions(), clock: "simulated", ...it });
      // The button is about to go.
      (byId("field-text") ?? byId("composer")).focus();
    });
    byId("tries").append(button);
  }
}

function post(path, body) {
  return fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
}

// ---------------------------------------------------------------- conditions

function showConditions() {
  const now = conditions();
  byId("thinking-value").textContent = `${now.thinking} ${t.seconds}`;
  byId("thinking").style.setProperty("--fill", `${(now.thinking / 30) * 100}%`);
  const slower = now.thinking + (now.isSlow ? 3 : 0);
  byId("thinking-hint").textContent =
    slower < 5 ? t.first : slower < 10 ? t.second : slower < 14 ? t.third : t.late;
  byId("attack-hint").textContent =
    now.mode === "safe" ? "" : now.attack === "ciphertext" ? t.plainHint : now.attack === "plaintext" ? t.plainDowngrade : "";
  const active = [
    !setup.target && now.thinking > 0 && `${t.thinks} ${now.thinking} ${t.seconds}`,
    now.mode === "safe" && t.safe,
    now.lost === "first" && `${t.answers}: ${t.lostFirst}`,
    now.lost === "all" && `${t.answers}: ${t.lostAll}`,
    now.isSlow && t.slow,
    now.isDuplicated && t.twice,
    now.attack !== "none" && `${t.attacker} ${t[`attack${now.attack[0].toUpperCase()}${now.attack.slice(1)}`]}`,
  ];
  byId("active").textContent = active.filter(Boolean).join(" · ");
}

let setup = { target: null };

function showSetup(data) {
  setup = JSON.parse(data);
  byId("target").textContent = setup.target ?? t.builtIn;
  for (const element of document.querySelectorAll('[data-only="built-in"]')) element.hidden = setup.target !== null;
  const safe = byId("settings").elements.isSafe;
  if (setup.target !== null) {
    safe.checked = setup.mode === "safe";
    safe.disabled = true;
  }
  showConditions();
  byId("tries").replaceChildren();
  makeTries();
}

// ---------------------------------------------------------------- the chat

const messages = new Map();
let isPinned = true;

function show(record, isNews) {
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
  if (isNews) announce(record, old?.record);
  if (isPinned) byId("feed").scrollTop = byId("feed").scrollHeight;
  tick();
}

/** Once a minute, as chats do. */
function showTime(article) {
  const time = (it) => it?.querySelector(".time")?.textContent;
  article.querySelector(".time").classList.toggle("hidden", time(article.previousElementSibling) === time(article));
}

function forget(id) {
  messages.get(id).article.remove();
  messages.delete(id);
}

function forgetAll() {
  for (const id of [...messages.keys()]) forget(id);
  byId("empty").hidden = false;
}

/** What is unfolded or focused stays so when a message is shown anew. */
function keepOpen(from, to) {
  for (const details of from.querySelectorAll("details[open]")) {
    const same = to.querySelector(`details[data-key="${details.dataset.key}"]`);
    if (same) same.open = true;
  }
  const focused = from.contains(document.activeElement) && document.activeElement.closest("details");
  if (focused) {
    requestAnimationFrame(() => to.querySelector(`details[data-key="${focused.dataset.key}"] > summary`)?.focus());
  }
}

/** For those who hear the page. */
function announce(record, before) {
  const says = [];
  if (record.shown && !before?.shown) says.push(...makeShown(record).map((it) => it.textContent));
  for (const late of record.late.slice(before?.late.length ?? 0)) {
    says.push(`${t.service}: ${textOf(late.reply?.fields) ?? t.lateFailed}`);
  }
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
    make("div", { class: "bubbles" }, makeSent(record), ...makeShown(record), ...record.late.map(makeLate)),
    makeTimeline(record),
  );
}

function field(fields, name) {
  return fields?.find(([found]) => found === name)?.[1] ?? null;
}

function textOf(fields) {
  return field(fields, "MsgType") === "text" ? field(fields, "Content") : null;
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
      make("small", {}, it.recognition ? `${t.recognised}: ${it.recognition}` : t.notRecognised),
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
    case "reply": return [makeReply(shown.fields, null)];
    case "fault": return [make("div", { class: "note fault" }, shown.text)];
    case "verified": return [
      make("div", { class: `note ${shown.isRight ? "right" : "fault"}` }, shown.isRight ? t.verified : t.notVerified),
    ];
    default: return [make("div", { class: "note silent" }, t.nothing)];
  }
}

function makeLate(late) {
  const tag = `${t.service} · ${seconds(late.at)}`;
  if (!late.reply?.fields) return make("div", { class: "note fault" }, `${tag}: ${t.lateFailed}`);
  return makeReply(late.reply.fields, tag);
}

function makeReply(fields, tag) {
  const type = field(fields, "MsgType");
  const inner = (name, key) => field(field(fields, name), key) ?? "";
  let body;
  switch (type) {
    case "text": body = field(fields, "Content") ?? ""; break;
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

// ---------------------------------------------------------------- the timeline

function makeTimeline(record) {
  const end = Math.max(
    ...record.deliveries.map((it) => it.at + (it.took ?? 0)),
    ...record.runs.map((it) => it.at + (it.took ?? 0)),
    ...record.late.map((it) => it.at),
    0,
  );
  const span = Math.max(5, Math.ceil(end / 5 - 0.02) * 5);
  const head = [
    make("b", {}, count(record.deliveries.length, t.deliveries)),
    record.runs.length > 0 ? make("span", {}, count(record.runs.length, t.runs)) : null,
    record.mode === "safe" ? make("span", { class: "pill lock" }, t.encrypted) : null,
    record.clock === "simulated" ? make("span", { class: "pill clock" }, t.simulatedTag) : null,
  ];
  const rows = record.deliveries.map((delivery, index) => makeDelivery(record, delivery, index, span));
  const runs = record.runs.map((run) =>
    make(
      "div", { class: "row run" },
      make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", { class: "at" }, t.run),
      track(run, span),
      make("span", { class: "result" }, make("span", { class: "took" }, run.took === null ? "…" : duration(run.took))),
    ));
  const late = record.late.map((it, index) =>
    make(
      "details", { class: "delivery late", "data-key": `late-${index}` },
      make(
        "summary", { class: "row" },
        make("span", { class: "dot", "aria-hidden": "true" }),
        make("span", { class: "at" }, seconds(it.at)),
        track({ at: it.at, took: 0 }, span),
        make("span", { class: "result" }, t.lateReply),
      ),
      make("div", { class: "inside" }, makePayload(t.lateReply, it.reply, `late-${index}`)),
    ));
  return make(
    "section", { class: "timeline" },
    make("p", { class: "head" }, ...head),
    make("div", { class: "axis", "aria-hidden": "true" }, make("span"), make("span"), axis(span)),
    ...rows, ...runs, ...late,
  );
}

function axis(span) {
  const step = span <= 30 ? 5 : 10;
  const marks = [];
  for (let at = 0; at <= span; at += step) {
    const mark = make("i", { class: at === span ? "last" : "" }, String(at));
    mark.style.left = `${(at / span) * 100}%`;
    marks.push(mark);
  }
  return make("span", { class: "marks" }, ...marks);
}

function track({ at, took }, span) {
  const bar = make("i", { class: took === null ? "bar open" : "bar" });
  bar.style.left = `min(${(Math.max(0, at) / span) * 100}%, 100% - .5rem)`;
  bar.style.width = `${((took ?? 0) / span) * 100}%`;
  if (took === null) {
    bar.dataset.at = at;
    bar.dataset.span = span;
  }
  const element = make("span", { class: "track", "aria-hidden": "true" }, bar);
  element.style.setProperty("--step", `${500 / span}%`);
  return element;
}

/** What became of a delivery: a class, the words, and more words. */
function outcome(record, delivery) {
  const status = delivery.status === null ? "" : `${delivery.status} `;
  if (delivery.took === null) return ["open", `${t.waiting} …`, null];
  if (delivery.refusal) return ["refused", `${status}${t.refused}`, delivery.refusal];
  if (delivery.fault) {
    const { kind: fault, message } = delivery.fault;
    const look = fault === "HungUp" || fault === "Lost" ? "missed" : "refused";
    return [look, `${status}${t.faults[fault] ?? fault}`, look === "missed" ? null : message];
  }
  if (delivery.status === null) return ["missed", t.faults.HungUp, null];
  if (record.content.kind === "verify") return ["right", `${status}${t.echoed}`, null];
  if (delivery.isAcknowledged) return ["acknowledged", `${status}${t.acknowledged}`, null];
  if (delivery.status !== 200) return ["refused", `${status}${t.faults.Status}`, null];
  return ["right", `${status}${delivery.answer?.fields ? t.replied : t.silent}`, null];
}

function makeDelivery(record, delivery, index, span) {
  const [look, words, more] = outcome(record, delivery);
  const part = delivery.part ? make("span", { class: `part ${delivery.part}` }, t.part[delivery.part]) : null;
  const took = delivery.took === null ? null : make("span", { class: "took" }, duration(delivery.took));
  return make(
    "details", { class: `delivery ${look}`, "data-key": `delivery-${index}`, "data-look": look },
    make(
      "summary", { class: "row" },
      make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", { class: "at" }, seconds(Math.max(0, delivery.at))),
      track(delivery, span),
      make("span", { class: "result" }, make("span", { class: "status" }, words), " ", part, " ", took),
      more ? make("span", { class: "more" }, more) : null,
    ),
    make(
      "div", { class: "inside" },
      makePayload(t.request, delivery.request, `delivery-${index}-request`, delivery.query),
      makePayload(t.answer, delivery.answer, `delivery-${index}-answer`),
    ),
  );
}

function makePayload(title, payload, key, query) {
  const parts = [make("h3", {}, title)];
  if (!payload) parts.push(make("p", { class: "hint" }, t.noAnswer));
  else if (payload.fields) parts.push(make("pre", { class: "xml", tabindex: "0" }, ...makeXml([["xml", payload.fields]], 0)));
  else if (payload.raw === "") parts.push(make("p", { class: "hint" }, t.emptyBody));
  else {
    if (payload.error) parts.push(make("p", { class: "error" }, payload.error));
    parts.push(make("pre", { class: "raw", tabindex: "0" }, payload.raw + (payload.isCut ? `\n${t.cut}` : "")));
  }
  if (payload?.fields) {
    const wire = [];
    if (query) {
      wire.push(make("h4", {}, t.query));
      wire.push(make("dl", {}, ...[...new URLSearchParams(query)].flatMap(([name, value]) =>
        [make("dt", {}, name), make("dd", {}, value)])));
      wire.push(make("h4", {}, t.body));
    }
    wire.push(make("pre", { class: "raw", tabindex: "0" }, payload.raw));
    parts.push(make(
      "details", { class: "wire", "data-key": `${key}-wire` },
      make("summary", {}, payload.isSealed ? t.envelope : t.wire), ...wire,
    ));
  }
  return make("section", { class: "payload" }, ...parts);
}

/** Fields as indented lines of XML. */
function makeXml(fields, depth) {
  const mark = (text) => make("span", { class: "mark" }, text);
  const line = (...parts) => {
    const element = make("span", { class: "line-of-xml" }, ...parts);
    element.style.setProperty("--depth", depth);
    return element;
  };
  return fields.flatMap(([name, value]) => {
    const [open, close] = [mark(`<${name}>`), mark(`</${name}>`)];
    if (value === null) return [line(mark(`<${name}/>`))];
    if (typeof value === "string") return [line(open, make("span", { class: "value" }, value), close)];
    return [line(open), ...makeXml(value, depth + 1), line(close)];
  });
}

/** Bars of what is under way grow. */
function tick() {
  if (ticking) return;
  const step = () => {
    const bars = document.querySelectorAll(".bar.open");
    for (const bar of bars) {
      const { record } = messages.get(Number(bar.closest("article").dataset.id)) ?? {};
      if (!record) continue;
      const now = record.clock === "simulated" ? Number(bar.dataset.at) : (Date.now() - record.sent) / 1000;
      const width = Math.max(0, now - Number(bar.dataset.at)) / Number(bar.dataset.span);
      bar.style.width = `${Math.min(width, 1 - Number(bar.dataset.at) / Number(bar.dataset.span)) * 100}%`;
    }
    ticking = bars.length > 0;
    if (ticking) requestAnimationFrame(step);
  };
  ticking = true;
  requestAnimationFrame(step);
}
let ticking = false;

// ---------------------------------------------------------------- the beginning

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
  let heardAll = false;
  events.addEventListener("open", () => connected(true));
  events.addEventListener("error", () => connected(false));
  events.addEventListener("setup", (event) => showSetup(event.data));
  events.addEventListener("cleared", () => {
    forgetAll();
    heardAll = false;
    // What follows at once was there before the page.
    setTimeout(() => { heardAll = true; });
  });
  events.addEventListener("message", (event) => show(JSON.parse(event.data), heardAll));
}

/** Where there is room, the conditions are always there. */
function unfoldConditions() {
  const wide = matchMedia("(min-width: 60rem)");
  const apply = () => { byId("conditions").open = wide.matches; };
  wide.addEventListener("change", apply);
  apply();
}

translate();
makeKinds();
makeFields();
unfoldConditions();
showConditions();
byId("settings").addEventListener("input", showConditions);
byId("settings").addEventListener("submit", (event) => event.preventDefault());
byId("composer").addEventListener("submit", send);
byId("clear").addEventListener("click", () => post("/api/clear", {}));
byId("feed").addEventListener("scroll", () => {
  const feed = byId("feed");
  isPinned = feed.scrollHeight - feed.scrollTop - feed.clientHeight < 80;
});
listen();
// On a telephone it would call up the keyboard.
if (matchMedia("(min-width: 60rem)").matches) byId("field-text").focus({ preventScroll: true });
