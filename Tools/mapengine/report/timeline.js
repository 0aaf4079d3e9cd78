// The timeline: how busy the workers were over time, and below it a row per worker. A part of it is looked at more closely by
// drawing over it with the pointer, by the buttons or by keys.

const MOST_ROWS = 200;
const LEGEND = [
  ["busy", "runs items"], ["bad", "crashed, failed or too late"], ["muted", "cancelled or taken back"], ["remote", "on another machine"],
  ["setup", "setup, cleanup, loading"], ["wait", "waits for the host"], ["copy", "host copies inputs"], ["callback", "host's callbacks"],
];

class Timeline {
  constructor(facts) {
    this.facts = facts;
    this.spans = facts.trace.spans;
    this.whole = [0, Math.max(1, facts.trace.span)];
    [this.from, this.to] = this.worth();
    const rows = facts.trace.tracks.filter((track) => !track.isHost || track.spans.length > 0);
    this.hidden = Math.max(0, rows.length - MOST_ROWS);
    this.rows = rows.slice(0, MOST_ROWS);
    this.overview = el("div", { class: "overview" });
    this.gantt = el("div", {
      class: "gantt", tabindex: 0, role: "application", "aria-label": this.description(), "aria-keyshortcuts": "+ - ArrowLeft ArrowRight 0",
      on: { keydown: (event) => this.key(event) },
    });
    this.status = el("span", { role: "status", class: "window" });
    const button = (label, title, action) => el("button", { type: "button", title, "aria-label": title, on: { click: action } }, label);
    this.tools = el("div", { class: "tools" },
      button("+", "Zoom in", () => this.zoom(0.5)), button("−", "Zoom out", () => this.zoom(2)),
      button("←", "Earlier", () => this.pan(-0.3)), button("→", "Later", () => this.pan(0.3)),
      button("All", "Show all", () => this.show(...this.whole)), this.status);
    const kinds = new Set();
    for (let i = 0; i < this.spans.count; i++) kinds.add(CLASSES[classOf(this.spans, i)]);
    this.legend = el("ul", { class: "legend", "aria-label": "Colours" }, LEGEND.filter(([kind]) => kinds.has(kind)).map(([kind, text]) =>
      el("li", {}, svg("svg", { class: "key", viewBox: "0 0 10 10", "aria-hidden": "true" }, this.pattern(), svg("rect", { class: kind, width: 10, height: 10 })), text)),
      facts.trace.deaths.length > 0 && el("li", {}, svg("svg", { class: "key", viewBox: "0 0 10 10", "aria-hidden": "true" }, cross(5, 5, 3.5)), "a worker dies"));
    this.element = section("timeline", "Timeline", this.legend, this.overview, this.tools, this.gantt, el("p", { class: "small" },
      "Draw over a part to look closer; ctrl and the wheel work too. Where ranges are shorter than a pixel, the height of a column is the share of its time that they take.",
      this.hidden > 0 ? ` ${several(this.hidden, "more row")} ${this.hidden === 1 ? "is" : "are"} not drawn.` : ""));
    this.follow(this.overview, true);
    this.follow(this.gantt, false);
    new ResizeObserver(() => this.draw()).observe(this.gantt);
  }

  description() {
    const { locals, remotes, busyShare, trace } = this.facts;
    return `Timeline of ${several(locals.length, "worker")}${remotes.length ? ` and ${several(remotes.length, "remote lane")}` : ""} over ${duration(trace.span)}: ` +
      `${percent(busyShare)} busy, ${several(trace.deaths.length, "death")}. The table of workers has the figures.`;
  }

  /** What is shown first: all of it, or the part in which something happened, when that is short beside the whole. */
  worth() {
    const { start, end } = this.spans, [from, to] = this.whole;
    const first = start.reduce((least, time) => Math.min(least, time), to), last = Math.max(first, largest(end)), margin = 0.03 * (last - first);
    return last - first < 0.6 * (to - from) && last > first ? [Math.max(from, first - margin), Math.min(to, last + margin)] : this.whole;
  }

  /** Draws all, for the width that there is, or for paper. */
  draw(paper) {
    const width = Math.floor(paper ?? this.gantt.clientWidth);
    if (width < 100) return;
    this.label = width < 700 ? 84 : 120;
    this.width = width - this.label - 12;
    this.overview.replaceChildren(this.drawOverview(width));
    this.gantt.replaceChildren(this.drawGantt(width));
    this.status.textContent = this.from === this.whole[0] && this.to === this.whole[1] ? "" : `${duration(this.from)} to ${duration(this.to)}`;
  }

  pattern() {
    return svg("defs", {}, svg("pattern", { id: "hatch", width: 4, height: 4, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { class: "hatch-ground", width: 4, height: 4 }), svg("rect", { class: "hatch-line", width: 2, height: 4 })));
  }

  axis(from, to, y, height) {
    const step = niceStep(to - from, Math.max(2, this.width / 110)), marks = [];
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      const x = this.label + ((at - from) / (to - from)) * this.width;
      const isLast = x > this.label + this.width - 24;
      marks.push(svg("line", { class: "grid", x1: x, x2: x, y1: y - height, y2: y }),
        svg("text", { class: "tick", x: isLast ? this.label + this.width : x, y: y + 15, "text-anchor": isLast ? "end" : at === from ? "start" : "middle" }, timeLabel(at, step, to)));
    }
    return marks;
  }

  drawOverview(width) {
    const height = 90, top = 8, x = this.label, [from, to] = this.whole;
    const shown = this.facts.locals.length > 0 ? this.facts.locals : this.facts.remotes;
    const columns = Math.max(1, Math.floor(this.width / 2)), sums = CLASSES.map(() => undefined);
    for (const track of shown) {
      columnsOf(this.spans, track, from, to, columns, true).forEach((column, kind) => {
        if (column) sums[kind] = (sums[kind] ?? new Float64Array(columns)).map((value, i) => value + column[i] / shown.length);
      });
    }
    const scale = this.width / columns, paths = pathsOf(sums, columns, 0, 0, height);
    const level = (share) => top + height * (1 - share);
    const place = (time) => x + ((time - from) / (to - from)) * this.width;
    const isPart = this.from > from || this.to < to;
    return svg("svg", { width, height: height + 34, viewBox: `0 0 ${width} ${height + 34}`, role: "img", "aria-label": `How busy the workers were over time: ${percent(this.facts.busyShare)} on the whole.` },
      this.pattern(), this.axis(from, to, top + height, height),
      [0, 0.5, 1].map((share) => [
        svg("line", { class: "grid", x1: x, x2: x + this.width, y1: level(share), y2: level(share) }),
        svg("text", { class: "tick", x: x - 8, y: level(share) + 4, "text-anchor": "end" }, `${share * 100} %`)]),
      svg("g", { transform: `translate(${x} ${top}) scale(${scale} 1)` }, paths.map((path, kind) => path && svg("path", { class: CLASSES[kind], d: path }))),
      isPart && [
        svg("rect", { class: "shade", x, y: top, width: Math.max(0, place(this.from) - x), height }),
        svg("rect", { class: "shade", x: place(this.to), y: top, width: Math.max(0, x + this.width - place(this.to)), height }),
        svg("rect", { class: "part", x: place(this.from), y: top, width: Math.max(2, place(this.to) - place(this.from)), height })],
      svg("rect", { class: "drawn", y: top, height, width: 0 }));
  }

  drawGantt(width) {
    const room = Math.max(6, Math.min(26, 640 / this.rows.length)), gap = room > 12 ? 4 : room > 7 ? 2 : 1, bar = room - gap, top = 4;
    const height = this.rows.length * room;
    const skip = Math.ceil(13 / room);
    this.rowHeight = room;
    this.top = top;
    return svg("svg", { width, height: height + top + 24, viewBox: `0 0 ${width} ${height + top + 24}`, "aria-hidden": "true" },
      this.pattern(), this.axis(this.from, this.to, top + height, height),
      this.rows.map((track, row) => {
        const y = top + row * room;
        const columns = columnsOf(this.spans, track, this.from, this.to, this.width, true);
        return svg("g", { class: "row" },
          svg("rect", { class: "ground", x: this.label, y, width: this.width, height: bar }),
          pathsOf(columns, this.width, this.label, y, bar).map((path, kind) => path && svg("path", { class: CLASSES[kind], d: path })),
          bar >= 12 && this.drawLabels(track, y, bar),
          row % skip === 0 && svg("text", { class: "name", x: this.label - 8, y: y + bar / 2 + 4, "text-anchor": "end" }, this.short(track.name)));
      }),
      this.drawDeaths(top, room, bar),
      svg("rect", { class: "drawn", y: top, height, width: 0 }));
  }

  short(name) {
    const most = Math.floor((this.label - 10) / 6.6);
    return name.length > most ? name.slice(0, most - 1) + "…" : name;
  }

  /** Names in bars that have room for them, and where one range ends and the next begins. */
  drawLabels(track, y, height) {
    const spans = this.spans, made = [], scale = this.width / (this.to - this.from);
    let edges = "", previous = -10;
    for (let at = firstAbove(reachOf(spans, track), this.from); at < track.spans.length && made.length < 60; at++) {
      const i = track.spans[at];
      if (spans.start[i] >= this.to) break;
      const begin = Math.max(0, (spans.start[i] - this.from) * scale), end = Math.min(this.width, (spans.end[i] - this.from) * scale);
      if (end - begin >= 4 && begin - previous >= 4 && begin > 0) {
        edges += `M${this.label + Math.round(begin)} ${y}v${height}`;
        previous = begin;
      }
      // On what is hatched nothing could be read.
      if (spans.kind[i] === WAIT) continue;
      const text = this.spanName(i), room = end - begin - 8;
      if (room < 22) continue;
      const fitting = [text, spans.assigned[i] === 1 ? String(spans.first[i]) : ""].find((one) => one && one.length * 6.3 <= room);
      if (fitting) made.push(svg("text", { class: `in in-${CLASSES[classOf(spans, i)]}`, x: this.label + begin + 5, y: y + height / 2 + 4 }, fitting));
    }
    return [svg("path", { class: "edge", d: edges }), made];
  }

  spanName(i) {
    const spans = this.spans;
    if (spans.kind[i] === COPY) return `copies ${bytes(spans.bytes[i])}`;
    if (spans.kind[i] !== RANGE && spans.kind[i] !== REMOTE) return spans.names[spans.name[i]];
    if (spans.assigned[i] <= 1) return `item ${spans.first[i]}`;
    return `items ${spans.first[i]}–${spans.first[i] + spans.assigned[i] - 1}`;
  }

  drawDeaths(top, room, bar) {
    const rows = new Map(this.rows.map((track, row) => [track.id, row])), drawn = new Set();
    return this.facts.trace.deaths.map((death) => {
      const row = rows.get(death.track), x = this.label + ((death.at - this.from) / (this.to - this.from)) * this.width;
      const key = `${row} ${Math.round(x / 3)}`;
      if (row === undefined || x < this.label || x > this.label + this.width || drawn.has(key)) return undefined;
      drawn.add(key);
      return cross(x, top + row * room + bar / 2, Math.max(3, Math.min(6, bar / 3)));
    });
  }

  // ---- The window ----

  show(from, to) {
    const [first, last] = this.whole, least = Math.max(100, (last - first) / 1e7);
    const length = Math.min(last - first, Math.max(least, to - from));
    this.from = Math.max(first, Math.min(from, last - length));
    this.to = this.from + length;
    this.draw();
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    this.show(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  pan(share) {
    const by = (this.to - this.from) * share;
    this.show(this.from + by, this.to + by);
  }

  key(event) {
    const actions = { "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), ArrowLeft: () => this.pan(-0.3), ArrowRight: () => this.pan(0.3), 0: () => this.show(...this.whole) };
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  }

  // ---- The pointer ----

  /** Drawing over a part of a picture shows that part; otherwise the pointer tells what is below it. */
  follow(box, isOverview) {
    const window = () => (isOverview ? this.whole : [this.from, this.to]);
    const place = (event) => Math.max(0, Math.min(this.width, event.clientX - box.getBoundingClientRect().left - this.label));
    const time = (x) => window()[0] + (x / this.width) * (window()[1] - window()[0]);
    let begun;
    box.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      begun = place(event);
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", (event) => {
      const x = place(event);
      if (begun === undefined) return isOverview ? this.tellTime(time(x), event) : this.tellSpan(time(x), event, box);
      hover.hide();
      const drawn = box.querySelector(".drawn");
      drawn.setAttribute("x", this.label + Math.min(begun, x));
      drawn.setAttribute("width", Math.abs(x - begun));
    });
    box.addEventListener("pointerup", (event) => {
      const from = begun, to = place(event);
      begun = undefined;
      if (from !== undefined && Math.abs(to - from) > 4) this.show(time(Math.min(from, to)), time(Math.max(from, to)));
    });
    box.addEventListener("pointerleave", () => hover.hide());
    box.addEventListener("dblclick", () => this.show(...this.whole));
    box.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 0.7 : 1 / 0.7, time(place(event)));
    }, { passive: false });
  }

  tellTime(time, event) { hover.show([`at ${duration(time)}`], event.clientX, event.clientY); }

  tellSpan(time, event, box) {
    const track = this.rows[Math.floor((event.clientY - box.getBoundingClientRect().top - this.top) / this.rowHeight)];
    if (!track) return hover.hide();
    const pixel = (this.to - this.from) / this.width, i = spanAt(this.spans, track, time, 3 * pixel);
    const death = this.facts.trace.deaths.find((one) => one.track === track.id && Math.abs(one.at - time) < 5 * pixel);
    hover.show([...(death ? [`${death.signal || "death"}${death.symbol ? ` in ${death.symbol}` : ""}`] : []), ...this.spanLines(i, track), `at ${duration(time)}`], event.clientX, event.clientY);
  }

  spanLines(i, track) {
    const name = this.facts.trace.trackNames.get(track.id) || track.name;
    if (i < 0) return [name, "idle"];
    const spans = this.spans, isRange = spans.kind[i] === RANGE || spans.kind[i] === REMOTE;
    return [
      isRange ? `${spans.names[spans.name[i]]}: ${this.spanName(i)}` : this.spanName(i),
      `${duration(spans.end[i] - spans.start[i])} from ${duration(spans.start[i])}${isRange && spans.state[i] > 0 ? `, ${STATES[spans.state[i]]}` : ""}`,
      ...(spans.items[i] > 1 && spans.slowest[i] >= 0 ? [`slowest: ${itemName(this.facts, spans.job[i], spans.slowest[i], spans.slowestOf[i])}, ${duration(spans.slowestNs[i])}`] : []),
      ...(spans.failed[i] > 0 ? [`${several(spans.failed[i], "item")} failed`] : []),
      ...(spans.roundTrip[i] > 0 ? [`way there and back: ${duration(spans.roundTrip[i])}`] : []),
      `${name}${spans.job[i] > 0 ? `, job ${spans.job[i]}` : ""}`,
    ];
  }
}

/** How a death is drawn. */
const cross = (x, y, size) => svg("g", { class: "death" },
  ["halo", "line"].map((kind) => svg("path", { class: kind, d: `M${x - size} ${y - size}L${x + size} ${y + size}M${x - size} ${y + size}L${x + size} ${y - size}` })));
