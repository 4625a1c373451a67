// Keeps the part of a page that is marked data-live fresh: the server says that something changed, the page fetches itself.
"use strict";
(() => {
  const status = document.querySelector("[data-live-status]");
  let waiting = false, asking = false, again = false;

  // Nobody's place is taken from under their keyboard: wait until the focus is elsewhere.
  function held(region) {
    if (!region.contains(document.activeElement)) return false;
    if (!waiting) {
      waiting = true;
      status.textContent = "There is news. It shows when you leave this list, or when you reload.";
      region.addEventListener("focusout", () => { waiting = false; setTimeout(refresh, 0); }, { once: true });
    }
    return true;
  }

  async function once() {
    const region = document.querySelector("[data-live]");
    if (region === null) return;
    const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
    if (fresh === null || fresh.outerHTML === region.outerHTML || held(region)) return;
    region.replaceWith(fresh);
    status.textContent = "Updated just now.";
  }

  // One question at a time: of two, the older answer might come last.
  async function refresh() {
    again = true;
    if (asking) return;
    asking = true;
    try {
      while (again) {
        again = false;
        await once();
      }
    } finally {
      asking = false;
    }
  }

  const news = new EventSource("/live");
  news.addEventListener("change", refresh);
  news.addEventListener("open", refresh);  // what changed before the stream was there, or while it was broken
})();
