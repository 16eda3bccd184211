// Bodies on the wire: decoded, and below that as they were sent.

import { make } from "./element.js";
import { t } from "./texts.js";

/** Shows a body with its title and query. `key` is unique in the message. */
export function makePayload(title, payload, key, query) {
  const parts = [make("h3", {}, title)];
  if (!payload) parts.push(make("p", { class: "hint" }, t.noAnswer));
  else if (payload.fields) parts.push(make("pre", { class: "xml", tabindex: "0" }, ...makeXml([["xml", payload.fields]], 0)));
  else if (payload.raw === "") parts.push(make("p", { class: "hint" }, t.emptyBody));
  else {
    if (payload.error) parts.push(make("p", { class: "error" }, payload.error));
    parts.push(make("pre", { class: "raw", tabindex: "0" }, payload.raw + (payload.isCut ? `\n${t.cut}` : "")));
  }
  if (payload && (payload.fields || query)) {
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

/** Shows fields as indented lines of XML. */
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
