// Keeps the part of a page that is marked data-live fresh: the server says that something changed, the page fetches itself.
"use strict";
(() => {
  const status = document.querySelector("[data-live-status]");
  let waiting = false;

  async function refresh() {
    const region = document.querySelector("[data-live]");
    if (region === null) return;
    if (region.contains(document.activeElement)) {
      // Nobody's place is taken from under their keyboard: wait until the focus is elsewhere.
      if (!waiting) {
        waiting = true;
        status.textContent = "There is news. It shows when you leave this list, or when you reload.";
        region.addEventListener("focusout", () => { waiting = false; setTimeout(refresh, 0); }, { once: true });
      }
      return;
    }
    const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
    if (fresh !== null) {
      region.replaceWith(fresh);
      status.textContent = "Updated just now.";
    }
  }

  new EventSource("/live").addEventListener("change", refresh);
})();
