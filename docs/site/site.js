// Search in the pages, without a server: the list of sections is a script that is loaded when it is first wanted.
const here = document.currentScript;
const base = here.dataset.base.replace(/\/?$/, "/");
const form = document.querySelector("form[role=search]");
const field = form.querySelector("input");
const found = document.getElementById("found");
const article = document.querySelector("article");
form.hidden = false;

let loading = false;

function load() {
  if (loading) return;
  loading = true;
  const script = document.createElement("script");
  script.src = base + "search/sections.js";
  script.onload = show;
  document.head.append(script);
}

function best(words) {
  const told = [];
  for (const one of window.sections) {
    const title = one.title.toLowerCase(), text = one.text.toLowerCase();
    if (!words.every((word) => title.includes(word) || text.includes(word))) continue;
    const weight = words.reduce((sum, word) => sum + (title.includes(word) ? 10 : 0), 0);
    told.push({ ...one, weight: weight - Math.min(text.length / 2000, 5) });
  }
  return told.sort((a, b) => b.weight - a.weight).slice(0, 15);
}

function line(one, words) {
  const link = document.createElement("a"), title = document.createElement("b"), text = document.createElement("span");
  const at = Math.max(0, one.text.toLowerCase().indexOf(words[0]) - 50);
  link.href = base + one.location;
  title.textContent = one.page === one.title ? one.title : `${one.page} › ${one.title}`;
  text.textContent = (at ? "… " : "") + one.text.slice(at, at + 180);
  link.append(title, text);
  return link;
}

function show() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  found.hidden = !words.length;
  article.hidden = words.length > 0;
  if (!words.length || !window.sections) return;
  const told = best(words);
  found.replaceChildren(...told.map((one) => line(one, words)));
  if (!told.length) found.textContent = `Nothing is said about “${field.value}”.`;
}

field.addEventListener("focus", load);
field.addEventListener("input", show);
form.addEventListener("submit", (event) => { event.preventDefault(); found.querySelector("a")?.click(); });
found.addEventListener("click", () => { field.value = ""; setTimeout(show); });
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== field) { event.preventDefault(); field.focus(); }
  if (event.key === "Escape" && document.activeElement === field) { field.value = ""; show(); field.blur(); }
});
