// Asks the bench's page for what changed, and draws it: map, supply, registers, faults, ladder. Knows nothing of the bench itself.
"use strict";
(() => {
  const EVERY_MS = 1000, MOST = 2000;
  const at = (id) => document.getElementById(id);
  const hops = [];
  let last = 0, lanes = [], chosen = null;

  function made(name, text, attributes = {}) {
    const element = document.createElement(name);
    if (text !== null) element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  function drawn(name, attributes, text = null) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== null) element.textContent = text;
    return element;
  }

  // Elements that a user may stand on are only made anew where they say something else.
  function put(place, told, build) {
    const key = JSON.stringify(told);
    if (place.dataset.told === key) return;
    place.dataset.told = key;
    place.replaceChildren(...build(told));
  }

  function list(values) {
    return Object.entries(values).flatMap(([name, value]) => [made("dt", name), made("dd", shown(value))]);
  }

  function shown(value) {
    if (value === null || value === "") return "-";
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value === "object") return Object.entries(value).map(([name, one]) => (Array.isArray(value) ? shown(one) : `${name} ${shown(one)}`)).join(", ");
    return String(value);
  }

  function map({ members, links }) {
    const svg = drawn("svg", { viewBox: "0 0 540 260", role: "img", "aria-label": "Map of the HAN; the table below says the same" });
    const place = Object.fromEntries(members.map((one, number) => {
      const angle = Math.PI * (2 * number + 1) / members.length;
      return [one.name, { x: 270 + 190 * Math.cos(angle), y: 130 + 90 * Math.sin(angle) }];
    }));
    for (const [from, to] of links) {
      const one = place[from], other = place[to], bend = 0.35;  // a bow: a straight one may lie under the hub and its links
      const x = (one.x + other.x) / 2 + bend * (other.y - one.y), y = (one.y + other.y) / 2 - bend * (other.x - one.x);
      svg.append(drawn("path", { d: `M${one.x} ${one.y}Q${x} ${y} ${other.x} ${other.y}`, class: "link between" }));
    }
    for (const one of members) {
      const { x, y } = place[one.name], off = one.state === "not on the HAN", asleep = one.state === "asleep";
      svg.append(drawn("line", { x1: 270, y1: 130, x2: x, y2: y, class: `link ${off ? "off" : asleep ? "asleep" : ""}` }));
      svg.append(drawn("circle", { cx: x, cy: y, r: 32, class: `node ${off ? "off" : ""}` }));
      svg.append(drawn("text", { x, y: y + 4, "text-anchor": "middle" }, one.name));
      const away = x < 270 ? -1 : 1;
      if (asleep) svg.append(drawn("text", { x: x + 36 * away, y: y - 16, "text-anchor": away < 0 ? "end" : "start" }, "zzz"));
    }
    svg.append(drawn("circle", { cx: 270, cy: 130, r: 36, class: "node" }), drawn("text", { x: 270, y: 134, "text-anchor": "middle" }, "hub"));
    return [svg];
  }

  // The supply's volts, and below them each line of the connector, on one axis of time.
  function supply({ volts, lines, now }) {
    if (!volts.length) return [made("p", "This bench has no supply of its own.", { class: "quiet" })];
    const LEFT = 120, RIGHT = 530, traces = Object.entries(lines);
    const first = volts[0][0], span = Math.max(now - first, 1), top = Math.max(...volts.map((one) => one[1]), 1) * 1.1;
    const x = (when) => LEFT + (RIGHT - LEFT) * Math.max(0, when - first) / span;
    const curve = (points, y) => points.map(([when, value], number) =>
      number ? `H${x(when).toFixed(1)}V${y(value).toFixed(1)}` : `M${x(when).toFixed(1)} ${y(value).toFixed(1)}`).join("") + `H${RIGHT}`;
    const foot = 110 + 30 * traces.length;
    const said = traces.map(([name, changes]) => `${name} ${changes.at(-1)[1]}`).join(", ");
    const svg = drawn("svg", { viewBox: `0 0 540 ${foot + 22}`, role: "img", "aria-label": `${volts.at(-1)[1].toFixed(2)} V at the hub now; ${said}` });
    svg.append(drawn("path", { d: `M${LEFT} 10V110H${RIGHT}`, class: "axis", fill: "none" }));
    svg.append(drawn("path", { d: curve(volts, (value) => 110 - 100 * value / top), class: "volts" }));
    svg.append(drawn("text", { x: LEFT - 6, y: 20, "text-anchor": "end" }, `${top.toFixed(0)} V`), drawn("text", { x: LEFT - 6, y: 112, "text-anchor": "end" }, "0"));
    traces.forEach(([name, changes], number) => {
      const low = 134 + 30 * number, level = (value) => low - (value === "high" ? 14 : 0);
      svg.append(drawn("text", { x: LEFT - 6, y: low, "text-anchor": "end" }, name), drawn("path", { d: curve(changes, level), class: "volts" }));
    });
    svg.append(drawn("text", { x: LEFT, y: foot + 18 }, "0 s"), drawn("text", { x: RIGHT, y: foot + 18, "text-anchor": "end" }, `${span.toFixed(1)} s`));
    return [svg];
  }

  function columns() { return `7.5rem repeat(${2 * lanes.length}, minmax(0, 1fr))`; }

  function hopOf(hop) {
    const item = made("li", null), button = made("button", null, { type: "button" });
    const from = 2 + 2 * lanes.indexOf(hop.from), to = 2 + 2 * lanes.indexOf(hop.to);
    const right = to > from, alone = from === to || from < 2 || to < 2;
    const tip = alone ? hop.text : hop.bad ? `${hop.text} ✗` : right ? `${hop.text} ▶` : `◀ ${hop.text}`;
    button.append(made("span", hop.time, { class: "when" }), made("span", ` ${hop.from} to ${hop.to}: `, { class: "way" }));
    const what = made("span", null, { class: "what" });
    what.textContent = tip.replace(/_|[a-z](?=[A-Z])/g, "$&\u200b");  // a long name may break between its words
    what.style.gridRow = "1";
    what.style.gridColumn = alone ? "2 / -1" : `${Math.min(from, to) + 1} / ${Math.max(from, to) + 1}`;
    button.append(what);
    button.style.gridTemplateColumns = columns();
    if (hop.bad) button.classList.add("bad");
    button.setAttribute("aria-label", `${hop.time}, ${hop.from} to ${hop.to}, ${hop.text}${hop.bad ? ", went wrong" : ""}`);
    button.addEventListener("click", () => why(hop, button));
    item.append(button);
    return item;
  }

  function wanted(hop) {
    const device = at("device").value, area = at("area").value;
    return (!device || hop.from === device || hop.to === device) && (!area || hop.area === area)
      && (!at("bad").checked || hop.bad) && (at("keep").checked || !hop.keep_alive);
  }

  let day = null;
  function show(some, afresh) {
    const place = at("hops");
    if (afresh) { place.replaceChildren(); day = null; }
    for (const hop of some.filter(wanted)) {
      if (hop.date !== day) { day = hop.date; place.append(made("li", day, { class: "day" })); }
      place.append(hopOf(hop));
    }
    while (place.children.length > MOST) place.firstChild.remove();
    const seen = hops.filter(wanted).length, quiet = hops.filter((hop) => hop.keep_alive).length;
    at("count").textContent = `${seen} of ${hops.length} hops${quiet && !at("keep").checked ? `, ${quiet} keep-alives folded away` : ""}`;
    if (at("follow").checked && (afresh || some.length)) place.scrollTop = place.scrollHeight;
  }

  function options(select, words) {
    const have = new Set([...select.options].map((one) => one.value));
    for (const word of words) if (!have.has(word)) select.append(made("option", word, { value: word }));
  }

  async function why(hop, button) {
    if (chosen) chosen.removeAttribute("aria-current");
    chosen = button;
    button.setAttribute("aria-current", "true");
    const told = await (await fetch(`why?record=${hop.number}`)).json();
    const parts = [made("p", hop.line, { class: "plain quiet" }), made("p", told.said, { class: told.ok === false ? "problem" : "plain" })];
    if (told.values) { const facts = made("dl", null); facts.append(...list(told.values)); parts.push(facts); }
    at("why").replaceChildren(...parts);
    at("why-title").focus({ preventScroll: true });
    at("why").scrollIntoView({ block: "nearest" });
  }

  async function say(path, body) {
    const told = await (await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();
    at("told").textContent = told.said;
    at("told").className = told.ok === false ? "problem" : "";
    await refresh();
    return told.ok !== false;
  }

  function faults(rows) {
    if (!rows.length) return [made("li", "No fault is in force.", { class: "quiet" })];
    return rows.map((row) => {
      const item = made("li", null), lift = made("button", "Lift", { type: "button", "aria-label": `Lift ${row.fault}` });
      lift.addEventListener("click", () => say("lift", { number: row.number }).then(() => at("sentence").focus()));
      item.append(made("span", `${row.number}. ${row.fault}, acted ${shown(row.acted)}`), lift);
      return item;
    });
  }

  function registers(values) {
    return Object.entries(values).map(([name, facts]) => {
      const box = made("details", null), inner = made("dl", null);
      box.open = true;
      inner.append(...list(facts));
      box.append(made("summary", name), inner);
      return box;
    });
  }

  async function refresh() {
    let told;
    try {
      told = await (await fetch(`state?behind=${last}`)).json();
    } catch {
      at("news").textContent = "The page's server is gone.";
      return;
    }
    const more = told.last < last;
    if (more) { hops.length = 0; }
    last = told.last;
    at("news").textContent = told.gone ?? `${told.live ? "running" : "a run's folder"}, ${last} records`;
    options(at("device"), told.lanes.filter((name) => told.hops.some((hop) => hop.from === name || hop.to === name)));
    options(at("area"), [...new Set(told.hops.map((hop) => hop.area))]);
    put(at("map"), { members: told.members.map(({ name, state }) => ({ name, state })), links: told.links }, map);
    put(at("members"), { members: told.members, links: told.links }, ({ members, links }) => members.map((one) => {
      const row = made("tr", null), others = links.filter((link) => link.includes(one.name)).map(([from, to]) => (from === one.name ? to : from));
      row.append(made("th", one.name, { scope: "row" }), made("td", one.type), made("td", one.state), made("td", others.join(", ") || "-"), made("td", one.heard));
      return row;
    }));
    put(at("supply"), { volts: told.volts, lines: told.lines, now: told.now }, supply);
    const levels = Object.fromEntries(Object.entries(told.lines).map(([name, changes]) => [name, changes.at(-1)[1]]));
    const measured = Object.fromEntries(Object.entries(told.jig ?? {}).filter(([name]) => !Object.keys(levels).some((one) => one.toLowerCase() === name.toLowerCase())));
    put(at("lines"), { ...measured, ...levels }, list);
    const kept = Object.keys(told.displays).length ? told.displays : null;
    put(at("registers"), { values: told.registers ?? kept ?? {}, live: told.live }, ({ values, live }) => Object.keys(values).length ? registers(values)
      : [made("p", live ? "This bench has no Device of its own." : "This run has kept no registers; what was read stands in its ladder.", { class: "quiet" })]);
    at("add").hidden = !told.live;
    put(at("faults"), told.faults ?? [], faults);
    hops.push(...told.hops);
    hops.splice(0, Math.max(0, hops.length - 20 * MOST));
    const used = new Set(hops.flatMap((hop) => [hop.from, hop.to])), wider = told.lanes.filter((name) => used.has(name));
    const redraw = more || wider.length !== lanes.length;
    lanes = wider;
    if (told.hops.length || redraw) {
      put(at("lanes"), lanes, () => [made("span", "bench time"), ...lanes.map((name) => { const cell = made("span", name); cell.style.gridColumn = "span 2"; return cell; })]);
      at("lanes").style.gridTemplateColumns = columns();
      show(redraw ? hops : told.hops, redraw);
    }
    document.body.dataset.ready = "yes";
  }

  for (const id of ["device", "area", "bad", "keep"]) at(id).addEventListener("change", () => show(hops, true));
  at("add").addEventListener("submit", (event) => {
    event.preventDefault();
    say("faults", { sentence: at("sentence").value }).then((good) => { if (good) at("sentence").value = ""; });
  });
  // In the list of hops the arrows go from hop to hop.
  at("hops").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...at("hops").querySelectorAll("button")], here = buttons.indexOf(document.activeElement);
    buttons.at(here < 0 ? (step > 0 ? 0 : -1) : Math.min(Math.max(here + step, 0), buttons.length - 1))?.focus();
    event.preventDefault();
  });
  const loop = async () => { await refresh(); setTimeout(loop, EVERY_MS); };
  loop();
})();
