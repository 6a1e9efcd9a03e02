// Reads the page again every few seconds and puts its parts in place of the old ones. Without it everything works.
"use strict";

const EVERY_MS = 5000;
const pause = document.getElementById("pause");
const parts = () => [...document.querySelectorAll("[data-part]")];
// Whoever is at something in a part, by keyboard or with boxes checked, keeps it as it is.
const isBusy = () => parts().some((part) => part.contains(document.activeElement) || part.querySelector(":checked"));

async function refresh() {
  if (document.hidden || isBusy() || pause.getAttribute("aria-pressed") === "true") return;
  try {
    const answer = await fetch(location.href, { headers: { "Console-Live": "1" }, redirect: "error" });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (isBusy()) return;
    for (const part of parts()) {
      const other = fresh.getElementById(part.id);
      if (other) part.replaceWith(other);
    }
  } catch {
    document.getElementById("updated").textContent = "Not up to date: reload the page";
  }
}

// What is under way says for itself how often it is worth looking.
function keepFresh() {
  const every = document.querySelector("[data-every]");
  setTimeout(() => refresh().finally(keepFresh), every ? Number(every.dataset.every) : EVERY_MS);
}

if (pause) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    const isPaused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(isPaused));
    if (!isPaused) refresh();
  });
  keepFresh();
}
for (const all of document.querySelectorAll("[data-checks]")) {
  all.addEventListener("change", () => {
    for (const box of document.querySelectorAll(`input[name="${all.dataset.checks}"]`)) box.checked = all.checked;
  });
}
