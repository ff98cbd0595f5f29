// Live renewal, keys, and the reader's time zone. Everything can be read without it.
"use strict";
(() => {
  const main = document.getElementById("main");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const asked = /(?:^|; )dogwatch-zone=/.test(document.cookie);
  let busy = false, again = false, at = -1;

  // A part is left alone while somebody reads or writes in it: text selected, a field in use, a question open.
  const inUse = (part) => {
    const chosen = document.getSelection();
    const reading = chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode);
    const writing = part.contains(document.activeElement) &&
      /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
    return reading || writing || part.querySelector("details.ask[open]") !== null;
  };

  const keepOpen = (from, to) => {
    from.querySelectorAll("details[open]").forEach((open) => {
      const name = open.querySelector("summary").textContent;
      to.querySelectorAll("details").forEach((other) => {
        const same = open.id ? other.id === open.id : other.querySelector("summary").textContent === name;
        if (same) other.open = true;
      });
    });
  };

  // What is above the first line that is seen may grow: the page is scrolled by as much, so that nothing moves.
  const anchored = (change) => {
    const seen = [...main.children].find((part) => part.getBoundingClientRect().bottom > 0);
    const before = seen ? seen.getBoundingClientRect().top : 0;
    const id = seen && seen.id;
    change();
    const now = id ? document.getElementById(id) : null;
    if (now && window.scrollY > 0) window.scrollBy(0, now.getBoundingClientRect().top - before);
  };

  const renew = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = fresh.getElementById("main");
      if (!next) return;
      anchored(() => {
        const known = new Set();
        let last = null;
        [...next.children].forEach((part) => {
          const old = part.id ? document.getElementById(part.id) : null;
          if (part.id) known.add(part.id);
          if (old && old.parentElement === main) {
            if (old.innerHTML !== part.innerHTML && !inUse(old)) {
              keepOpen(old, part);
              old.replaceWith(part);
              last = part;
            } else last = old;
          } else if (part.id) {
            if (last) last.after(part); else main.prepend(part);
            last = part;
          }
        });
        [...main.children].forEach((part) => {
          if (part.id && !known.has(part.id) && !inUse(part)) part.remove();
        });
      });
      document.title = fresh.title;
      const foot = fresh.getElementById("foot");
      if (foot) document.getElementById("foot").replaceWith(foot);
      document.body.dataset.renewed = String(Number(document.body.dataset.renewed || 0) + 1);
    } catch { /* the network is away; the next word brings it */ } finally {
      busy = false;
      if (again) { again = false; renew(); }
    }
  };

  if (!asked && zone) {
    document.cookie = `dogwatch-zone=${zone}; path=/; max-age=31536000; samesite=lax`;
    if (zone !== document.body.dataset.zone) renew();
  }

  let pulse = null;
  const word = (event) => {
    if (pulse !== null && pulse !== event.data) renew();
    pulse = event.data;
  };
  const listen = () => {
    const source = new EventSource("/live");
    source.addEventListener("hello", (event) => {
      document.body.dataset.live = "yes";
      word(event);
    });
    source.addEventListener("changed", word);
    window.addEventListener("pagehide", () => source.close());
  };
  if (!location.pathname.startsWith("/sign-in")) listen();

  // Ages in words grow old; once a minute is enough.
  setInterval(() => { if (!document.hidden) renew(); }, 60000);

  const rows = () => [...main.querySelectorAll("a.row, .lane a, .action summary.button")]
    .filter((row) => row.offsetParent !== null);
  let went = "";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const leads = { t: "/", i: "/incidents", a: "/actions", j: "/jobs", p: "/pipelines", l: "/logs", s: "/settings" };
    if (went === "g" && leads[event.key]) { location.assign(leads[event.key]); return; }
    went = event.key;
    if (event.key === "/") {
      event.preventDefault();
      document.querySelector("nav input[type=search]").focus();
    } else if (event.key === "?") {
      location.assign("/help");
    } else if (event.key === "j" || event.key === "k") {
      const all = rows();
      if (!all.length) return;
      at = Math.max(0, Math.min(all.length - 1, at + (event.key === "j" ? 1 : -1)));
      all[at].focus();
      all[at].scrollIntoView({ block: "nearest" });
    }
  });
})();
