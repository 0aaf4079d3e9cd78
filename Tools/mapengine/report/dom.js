// Makes elements. Texts become text nodes, and nothing else: no text of a trace is ever read as HTML.

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** A section of the page with its heading. */
const section = (id, title, ...children) => el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), ...children);

/** A table; `columns` are [title, is a number]. */
function table(caption, columns, rows) {
  const cell = (tag, content, isNumber) => el(tag, { class: isNumber ? "number" : undefined, scope: tag === "th" ? "col" : undefined }, content);
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el("table", {},
      el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, columns.map(([title, isNumber]) => cell("th", title, isNumber)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((content, i) => cell("td", content, columns[i][1])))))));
}

/** A bar of parts, each [class, share]; the shares are of the bar's whole width. */
function bar(parts, label) {
  let at = 0;
  return svg("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { class: "ground", width: 100, height: 10 }),
    parts.map(([kind, share]) => {
      const rect = svg("rect", { class: kind, x: at, width: Math.max(0, Math.min(100 - at, share * 100)), height: 10 });
      at += share * 100;
      return rect;
    }));
}

/** Round steps for an axis from 0 to about `most` marks. */
function niceStep(length, most) {
  const rough = length / most, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * 0.999);
}

/** Times on an axis, all in one unit and with as many digits as tell them apart. */
function timeLabel(ns, step, end) {
  const [unit, name] = end >= 1e9 ? [1e9, "s"] : end >= 1e6 ? [1e6, "ms"] : end >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  const places = Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9));
  return ns === 0 ? "0" : `${(ns / unit).toFixed(places)} ${name}`;
}

/** What stands beside the pointer: lines of text. */
const hover = {
  show(lines, x, y) {
    const box = document.getElementById("hover");
    box.replaceChildren(...lines.map((line, i) => el(i === 0 ? "strong" : "span", {}, line)));
    box.hidden = false;
    const size = box.getBoundingClientRect();
    box.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - size.width - 8))}px`;
    box.style.top = `${Math.max(4, y + 18 + size.height > innerHeight ? y - size.height - 12 : y + 18)}px`;
  },
  hide() { document.getElementById("hover").hidden = true; },
};
