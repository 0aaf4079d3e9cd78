// How long items took: a histogram with logarithmic axes, so that one item that took a thousand times as long is seen as well.

/**
 * Times of items and how many had each. A trace knows ranges: of one with several items it knows the whole and the slowest, and the
 * others count with their mean. `name`: of one function; undefined: of all.
 */
function itemTimes(trace, name) {
  const spans = trace.spans, times = [], counts = [];
  const add = (time, many) => {
    if (time <= 0 || many <= 0) return;
    times.push(time);
    counts.push(many);
  };
  for (let i = 0; i < spans.count; i++) {
    if ((spans.kind[i] !== RANGE && spans.kind[i] !== REMOTE) || spans.state[i] >= 2) continue;
    if (name !== undefined && spans.names[spans.name[i]] !== name) continue;
    const length = spans.end[i] - spans.start[i], slowest = spans.slowestNs[i], many = spans.slowestOf[i], others = spans.items[i] - many;
    if (others > 0 && slowest > 0 && slowest < length) {
      add(slowest / many, many);
      add((length - slowest) / others, others);
    } else add(length / Math.max(1, spans.items[i]), spans.items[i]);
  }
  return { times, counts };
}

/** Bins of equal width on a logarithmic axis: `perDecade` of them from one power of ten to the next. */
function logBins({ times, counts }, perDecade = 10) {
  const least = times.reduce((a, b) => Math.min(a, b), Infinity), most = largest(times);
  if (!Number.isFinite(least)) return undefined;
  const first = Math.floor(Math.log10(least) * perDecade + 1e-9), last = Math.floor(Math.log10(most) * perDecade + 1e-9);
  const bins = new Float64Array(last - first + 1);
  times.forEach((time, i) => { bins[Math.max(0, Math.min(last - first, Math.floor(Math.log10(time) * perDecade + 1e-9) - first))] += counts[i]; });
  return { bins, first, perDecade };
}

class Histogram {
  constructor(facts) {
    this.facts = facts;
    this.box = el("div", { class: "histogram" });
    const names = facts.trace.functions.filter((one) => one.items > 0).map((one) => one.name);
    this.choice = names.length > 1 && el("select", { on: { change: () => this.draw() } }, el("option", { value: "" }, "all functions"), names.map((name, i) => el("option", { value: i }, name)));
    this.names = names;
    this.element = section("histogram", "How long items took",
      this.choice && el("label", { class: "choice" }, "Function ", this.choice), this.box,
      el("p", { class: "small" }, "Both axes are logarithmic. Items of a range of several count with their mean, but for the slowest, which is known."));
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  draw(paper) {
    const width = Math.floor(paper ?? this.box.clientWidth);
    if (width < 100) return;
    const name = this.choice && this.choice.value !== "" ? this.names[Number(this.choice.value)] : undefined;
    const made = logBins(itemTimes(this.facts.trace, name));
    this.box.replaceChildren(made ? this.picture(width, made, name) : el("p", {}, "No item ended."));
  }

  picture(width, { bins, first, perDecade }, name) {
    const height = 220, left = 52, top = 58, room = width - left - 14;
    const from = Math.floor(first / perDecade), to = Math.max(from + 1, Math.ceil((first + bins.length) / perDecade));
    const x = (time) => left + ((Math.log10(time) - from) / (to - from)) * room;
    const most = Math.max(10, 10 ** Math.ceil(Math.log10(largest(bins))));
    // A half of the first decade stands below 1, so that one item is seen.
    const y = (many) => top + height * (1 - (Math.log10(many) + 0.4) / (Math.log10(most) + 0.4));
    const skip = Math.ceil((to - from) / Math.max(1, Math.floor(room / 58))), decades = [];
    for (let power = from; power <= to; power++) decades.push(power);
    const levels = [];
    for (let many = 1; many <= most; many *= 10) levels.push(many);
    const step = Math.ceil(levels.length / 6);
    return svg("svg", { width, height: height + top + 34, viewBox: `0 0 ${width} ${height + top + 34}`, role: "img", "aria-label": this.description(name) },
      levels.filter((_, i) => i % step === 0).map((many) => [
        svg("line", { class: "grid", x1: left, x2: left + room, y1: y(many), y2: y(many) }),
        svg("text", { class: "tick", x: left - 8, y: y(many) + 4, "text-anchor": "end" }, short(many))]),
      decades.map((power, i) => [
        svg("line", { class: "grid", x1: x(10 ** power), x2: x(10 ** power), y1: top + height, y2: top + height + 4 }),
        i % skip === 0 && svg("text", { class: "tick", x: x(10 ** power), y: top + height + 18, "text-anchor": power === from ? "start" : power === to ? "end" : "middle" }, duration(10 ** power))]),
      Array.from(bins, (many, i) => {
        if (many <= 0) return undefined;
        const begin = x(10 ** ((first + i) / perDecade)), end = x(10 ** ((first + i + 1) / perDecade));
        return svg("rect", {
          class: "busy", x: begin, y: y(many), width: Math.max(1.5, end - begin - 1), height: top + height - y(many),
          on: {
            pointermove: (event) => hover.show([several(many, "item"), `${duration(10 ** ((first + i) / perDecade))} to ${duration(10 ** ((first + i + 1) / perDecade))}`], event.clientX, event.clientY),
            pointerleave: () => hover.hide(),
          },
        });
      }),
      svg("line", { class: "ground-line", x1: left, x2: left + room, y1: top + height, y2: top + height }),
      this.marks(name, x, top, height, left, room));
  }

  /** Median, 99th percentile and the slowest, each with its time; their words keep out of each other's way. */
  marks(name, x, top, height, left, room) {
    const one = this.facts.trace.functions.find((one) => one.name === name) ?? (this.names.length <= 1 || name === undefined ? this.facts.main : undefined);
    if (!one) return undefined;
    // Of all functions together only the slowest is known.
    const known = name === undefined && this.names.length > 1 ? [] : [["median", one.p50], ["p99", one.p99]];
    const slowest = this.facts.slow.find((slow) => name === undefined || slow.name === name);
    const marks = [...known, ["slowest", slowest ? slowest.ns / slowest.of : one.max, slowest ? `: ${itemName(this.facts, slowest.job, slowest.item, slowest.of)}` : ""]];
    const ends = [-Infinity, -Infinity, -Infinity];
    const isApart = ([label, time]) => label === "slowest" || x(marks[marks.length - 1][1]) - x(time) > 8;
    const shown = marks.filter((mark) => mark[1] > 0 && x(mark[1]) >= left - 1 && x(mark[1]) <= left + room + 1 && isApart(mark));
    return shown.sort((a, b) => a[1] - b[1]).map(([label, time, more = ""]) => {
      const text = `${label} ${duration(time)}${more}`, size = text.length * 6.4, at = x(time), isRight = at + size > left + room;
      const begin = isRight ? at - size : at;
      let line = ends.findIndex((end) => end + 10 < begin);
      if (line < 0) line = 0;
      ends[line] = begin + size;
      const y = top - 8 - line * 15;
      return [svg("line", { class: "mark", x1: at, x2: at, y1: y + 2, y2: top + height }), svg("text", { class: "tick strong", x: isRight ? at - 2 : at + 2, y: y - 1, "text-anchor": isRight ? "end" : "start" }, text)];
    });
  }

  description(name) {
    const one = this.facts.trace.functions.find((one) => one.name === name) ?? this.facts.main;
    return one ? `Histogram of item times of ${one.name}: median ${duration(one.p50)}, 99 of 100 below ${duration(one.p99)}, slowest ${duration(one.max)}.` : "Histogram of item times.";
  }
}

/** Counts on an axis. */
const short = (many) => (many >= 1e9 ? `${many / 1e9} G` : many >= 1e6 ? `${many / 1e6} M` : many >= 1e3 ? `${many / 1e3} k` : String(many));
