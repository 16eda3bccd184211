// The deliveries of a message, along an axis of time.

import { make } from "./element.js";
import { makePayload } from "./payload.js";
import { t } from "./texts.js";

export function makeTimeline(record) {
  const end = Math.max(
    ...record.deliveries.map((it) => it.at + (it.took ?? 0)),
    ...record.runs.map((it) => it.at + (it.took ?? 0)),
    // A fetch comes when the user writes again.
    ...record.late.filter((it) => it.kind !== "fetched").map((it) => it.at),
    ...record.calls.map((it) => it.at + it.took),
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
      track(record, run, span),
      make("span", { class: "result" }, make("span", { class: "took" }, run.took === null ? "…" : duration(run.took))),
      run.error ? make("span", { class: "more" }, run.error) : null,
    ));
  const late = record.late.map((it) =>
    make(
      "div", { class: `row late ${it.kind}` },
      make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", { class: "at" }, seconds(it.at)),
      track(record, { at: it.at, took: 0 }, span),
      make("span", { class: "result" }, lateWords(it)),
    ));
  return make(
    "section", { class: "timeline" },
    make("p", { class: "head" }, ...head),
    make("div", { class: "axis", "aria-hidden": "true" }, make("span"), make("span"), axis(span)),
    ...rows, ...runs, ...record.calls.map((call) => makeCall(record, call, span)), ...late,
  );
}

/** Says what becomes of an answer that no delivery gets. */
export function lateWords(late) {
  switch (late.kind) {
    case "kept": return count(late.parts, t.keptParts);
    case "fetched": return t.fetchedPart;
    default: return t.lateFailed;
  }
}

function axis(span) {
  const step = stepOf(span);
  const marks = [];
  for (let at = 0; at <= span; at += step) {
    const mark = make("i", { class: at === span ? "last" : "" }, String(at));
    mark.style.left = `${(at / span) * 100}%`;
    marks.push(mark);
  }
  return make("span", { class: "marks" }, ...marks);
}

/** Returns the seconds between two marks. */
function stepOf(span) {
  return span <= 30 ? 5 : Math.ceil(span / 60) * 10;
}

function track(record, { at, took }, span) {
  const bar = make("i", { class: took === null ? "bar open" : "bar" });
  bar.style.left = `min(${(Math.max(0, at) / span) * 100}%, 100% - .5rem)`;
  bar.style.width = `${((took ?? 0) / span) * 100}%`;
  if (took === null) {
    bar.dataset.at = at;
    bar.dataset.span = span;
    bar.dataset.since = record.clock === "simulated" ? "" : record.sent;
  }
  const element = make("span", { class: "track", "aria-hidden": "true" }, bar);
  element.style.setProperty("--step", `${(span <= 60 ? 500 : stepOf(span) * 100) / span}%`);
  return element;
}

/** Returns the outcome of a delivery: a class, a text and a second text. */
function outcome(record, delivery) {
  const status = delivery.status === null ? "" : `${delivery.status} `;
  if (delivery.took === null) return ["open", `${t.waiting} …`, null];
  if (delivery.rejection) return ["rejected", `${status}${t.rejected}`, delivery.rejection];
  if (delivery.fault) {
    const { kind: fault, message } = delivery.fault;
    const look = fault === "HungUp" || fault === "Lost" ? "missed" : "rejected";
    return [look, `${status}${t.faults[fault] ?? fault}`, look === "missed" ? null : message];
  }
  if (delivery.status === null) return ["missed", t.faults.HungUp, null];
  if (record.content.kind === "verify") return ["right", `${status}${t.echoed}`, null];
  if (delivery.isAcknowledged) return ["acknowledged", `${status}${t.acknowledged}`, null];
  if (delivery.status !== 200) return ["rejected", `${status}${t.faults.Status}`, null];
  const words = record.shown?.isFetched ? t.fetchedReply : delivery.answer?.fields ? t.replied : t.silent;
  return ["right", `${status}${words}`, null];
}

function makeDelivery(record, delivery, index, span) {
  const [look, words, more] = outcome(record, delivery);
  const part = delivery.part ? make("span", { class: `part ${delivery.part}` }, t.part[delivery.part]) : null;
  const took = delivery.took === null ? null : make("span", { class: "took" }, duration(delivery.took));
  return make(
    "details", { class: `delivery ${look}`, "data-key": `delivery-${index}` },
    make(
      "summary", { class: "row" },
      make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", { class: "at" }, seconds(Math.max(0, delivery.at))),
      track(record, delivery, span),
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

/** Returns WeChat's error code for a call, or the status if that is not 200. A media file has no code. */
export function errcode(call) {
  if (call.status !== 200) return call.status;
  try {
    return JSON.parse(call.answer).errcode ?? 0;
  } catch {
    return 0;
  }
}

function makeCall(record, call, span) {
  const code = errcode(call);
  const body = (title, text) => make(
    "section", { class: "payload" }, make("h3", {}, title), make("pre", { class: "raw", tabindex: "0" }, text));
  return make(
    // A moment is the key: the oldest calls are forgotten.
    "details", { class: `delivery call ${code ? "rejected" : "right"}`, "data-key": `call-${call.at}-${call.name}` },
    make(
      "summary", { class: "row" },
      make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", { class: "at" }, seconds(Math.max(0, call.at))),
      track(record, call, span),
      make(
        "span", { class: "result" }, make("span", { class: "part" }, call.name.replace("message/", "")), " ",
        make("span", { class: "status" }, code ? String(code) : "ok"), " ",
        make("span", { class: "took" }, duration(call.took)),
      ),
    ),
    make("div", { class: "inside" },
      call.request ? body(t.botCalls, call.request) : null, body(t.apiAnswers, call.answer)),
  );
}

let isGrowing = false;

/** Makes the bars of open deliveries and runs grow. */
export function grow() {
  if (isGrowing) return;
  const step = () => {
    const bars = document.querySelectorAll(".bar.open");
    for (const bar of bars) {
      const { at, span, since } = bar.dataset;
      // Simulated time stands still between events.
      const now = since === "" ? Number(at) : (Date.now() - Number(since)) / 1000;
      const width = Math.min(Math.max(0, now - at), span - at) / span;
      bar.style.width = `${width * 100}%`;
    }
    isGrowing = bars.length > 0;
    if (isGrowing) requestAnimationFrame(step);
  };
  isGrowing = true;
  requestAnimationFrame(step);
}

export function seconds(value) {
  return `${value.toFixed(1)} ${t.seconds}`;
}

function duration(value) {
  if (value < 0.001) return "< 1 ms";
  return value < 0.0995 ? `${Math.round(value * 1000)} ms` : seconds(value);
}

function count(number, [one, many]) {
  return `${number} ${number === 1 ? one : many}`;
}
