// The recording of a voice message: from the microphone, from a file, or none.

import { byId, make } from "./element.js";
import { t } from "./texts.js";

/** In bytes, as at WeChat. The program has the same bound. */
const MAX_SOUND = 2 * 1024 * 1024;

/** In milliseconds, as at WeChat. */
const MAX_TIME = 60_000;

/** The recording that the next voice message has, with its `data:` URL. It stays until it is removed. */
let sound = null;
/** The microphone at work: a function that stops it, and a promise that it has stopped. */
let microphone = null;
/** Whether the browser asks the user for the microphone. */
let isAsking = false;

/** Makes the part of the form. */
export function makeSound() {
  const record = make("button", { type: "button", id: "record", class: "quiet" });
  const file = make("input", {
    type: "file", id: "field-sound", hidden: true, accept: "audio/*,.amr,.silk,.spx", "aria-label": t.soundFile,
  });
  const choose = make("button", { type: "button", class: "quiet" }, t.soundFile);
  const remove = make("button", { type: "button", id: "remove-sound", class: "quiet" }, t.removeSound);
  record.addEventListener("click", () => (microphone ? microphone.stop() : listen()));
  choose.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files.length > 0) keep(file.files[0]);
    // So that the same file may be chosen again.
    file.value = "";
  });
  remove.addEventListener("click", () => {
    record.focus();
    keep(null);
  });
  const about = make("p", { class: "hint" }, t.aboutSound);
  const state = make("span", { id: "sound", role: "status" });
  const part = make(
    "div", { class: "sound", role: "group", "aria-label": t.sound },
    record, choose, file, state, remove, about,
  );
  queueMicrotask(draw);
  return part;
}

/** Stops the microphone, and returns the recording as a `data:` URL, or null. */
export async function recorded() {
  microphone?.stop();
  await microphone?.stopped;
  return sound?.url ?? null;
}

async function listen() {
  if (isAsking) return;
  isAsking = true;
  say("");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const recorder = new MediaRecorder(stream);
    const parts = [];
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve)).then(() => {
      clearTimeout(limit);
      for (const track of stream.getTracks()) track.stop();
      microphone = null;
      return keep(new Blob(parts, { type: recorder.mimeType }));
    });
    const stop = () => { if (recorder.state !== "inactive") recorder.stop(); };
    const limit = setTimeout(stop, MAX_TIME);
    microphone = { stop, stopped };
    recorder.start();
    draw();
  } catch (error) {
    say(t.noMicrophone + error.message);
  } finally {
    isAsking = false;
  }
}

/** Reads a recording at once: a file may be gone when the message is sent. */
async function keep(blob) {
  say("");
  try {
    if (blob && (blob.size === 0 || blob.size > MAX_SOUND)) say(t.wrongSize);
    else sound = blob && { type: blob.type, size: blob.size, url: await read(blob) };
  } catch (error) {
    say(t.unreadable + error.message);
  }
  draw();
}

function read(blob) {
  const reader = new FileReader();
  return new Promise((resolve, reject) => {
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(blob);
  });
}

/** Shows the state, if the form of a voice message is there. */
function draw() {
  if (!byId("record")) return;
  byId("record").textContent = microphone ? t.stopRecording : t.record;
  byId("record").classList.toggle("recording", microphone !== null);
  byId("remove-sound").hidden = sound === null;
  const size = (bytes) => `${Math.ceil(bytes / 1024)} KiB`;
  byId("sound").textContent = microphone ? t.recording : sound ? `${sound.type.split(";")[0] || "?"}, ${size(sound.size)}` : t.noSound;
}

function say(problem) {
  byId("problem").textContent = problem;
}
