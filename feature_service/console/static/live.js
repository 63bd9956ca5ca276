// Live: puts what the console sends in place of what is shown. The text is escaped where it is made, and no script runs in it.
"use strict";

const shown = document.querySelector("#live");
const follows = document.querySelector(".follows");
const says = follows.querySelector(".says");
const updates = says.textContent;
const AGAIN_MS = 10000;

function tell(alive) {
  follows.hidden = false;
  follows.classList.toggle("away", !alive);
  says.textContent = alive ? updates : follows.dataset.waiting;
}

function replace(html) {
  const focused = document.activeElement.id;
  const table = shown.querySelector(".scroll");
  const left = table ? table.scrollLeft : 0;
  shown.innerHTML = html;
  if (shown.querySelector(".scroll")) shown.querySelector(".scroll").scrollLeft = left;
  if (focused && document.activeElement.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function follow() {
  const events = new EventSource(shown.dataset.events);
  events.onmessage = (event) => { replace(event.data); tell(true); };
  events.onerror = () => {
    tell(false);
    // The browser asks again by itself, but not after a refusal.
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, AGAIN_MS);
  };
  window.addEventListener("pagehide", () => events.close(), { once: true });
}

follow();
