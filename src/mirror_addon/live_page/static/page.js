"use strict";

// Updates the page: loads its parts every two seconds, and replaces those that changed. A part in which a person is
// typing is not replaced. Details that are open stay open.

const EVERY = 2000;
const updated = document.getElementById("updated");
const said = document.getElementById("said");
const button = document.getElementById("updates");
const shown = new Map();
let stopped = false;

function busy(part) {
  const focused = document.activeElement;
  return part.contains(focused) && focused.matches("input:not([type=hidden])");
}

function put(fresh) {
  for (const part of fresh.querySelectorAll("section")) {
    const old = document.getElementById(part.id);
    const html = part.innerHTML;
    if (!old || shown.get(part.id) === html || busy(old)) continue;
    shown.set(part.id, html);
    const open = new Set(Array.from(old.querySelectorAll("details[open]"), (details) => details.dataset.id));
    const focused = path(old, document.activeElement);
    const scrolled = Array.from(old.querySelectorAll(".scroll"), (region) => region.scrollLeft);
    old.replaceChildren(...Array.from(part.childNodes, (node) => document.importNode(node, true)));
    for (const details of old.querySelectorAll("details")) details.open = open.has(details.dataset.id);
    old.querySelectorAll(".scroll").forEach((region, index) => { region.scrollLeft = scrolled[index] || 0; });
    if (focused) old.querySelector(focused)?.focus({ preventScroll: true });
  }
}

// A selector for the focused element, which still finds it when the part was replaced.
function path(part, element) {
  if (!part.contains(element)) return "";
  const details = element.closest("details");
  if (details) return `details[data-id="${CSS.escape(details.dataset.id)}"] ${element.localName}`;
  const form = element.closest("form");
  return form ? `form[action="${form.getAttribute("action")}"] button` : "";
}

async function update() {
  try {
    const response = await fetch("/parts", { cache: "no-store" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    put(new DOMParser().parseFromString(await response.text(), "text/html"));
    updated.textContent = `Updated at ${new Date().toLocaleTimeString("en-GB")}`;
    updated.classList.remove("lost");
  } catch (error) {
    updated.textContent = `Not updated: the proxy does not respond (${error.message})`;
    updated.classList.add("lost");
  }
}

async function loop() {
  if (!stopped && !document.hidden) await update();
  // The page is open before a person: whole responses are compared from now on. Only this script can say so, because any
// other web page can have a browser load this one, as an image for example.
async function compare() {
  const form = document.getElementById("compare");
  if (!form) return;
  const body = new URLSearchParams(new FormData(form));
  await fetch(form.action, { method: "POST", body, headers: { Accept: "text/plain" } });
}

compare().catch(() => {});
setTimeout(loop, EVERY);
}

button.hidden = false;
button.addEventListener("click", () => {
  stopped = !stopped;
  button.setAttribute("aria-pressed", String(stopped));
  if (stopped) updated.textContent = "Updates are stopped";
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && !stopped) update(); });
// Whether a percentage is one; what to write is said beside the field.
function accepted(form, field) {
  const valid = field.checkValidity();
  field.setAttribute("aria-invalid", String(!valid));
  form.querySelector("[role=alert]").textContent = valid ? "" : "0 to 100";
  if (!valid) field.focus();
  return valid;
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const percent = form.elements.percent;
  if (percent && percent.type !== "hidden" && !accepted(form, percent)) return;
  const body = new URLSearchParams(new FormData(form));
  document.activeElement?.blur();
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/plain" } });
    said.textContent = (await response.text()).trim();
    said.classList.toggle("lost", !response.ok);
  } catch (error) {
    said.textContent = `Not done: the proxy does not respond (${error.message})`;
    said.classList.add("lost");
  }
  await update();
});
setTimeout(loop, EVERY);
