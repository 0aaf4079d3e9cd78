// Reads a trace: text in, columns of numbers out. What is in a trace was written by others: each value is checked here, and
// texts are only ever shown as texts.

/** Why a trace cannot be shown, in words for people. */
class TraceError extends Error {
  constructor(message, advice = "") {
    super(message);
    this.advice = advice;
  }
}

const SCHEMA = 1;
const RANGE = 0, REMOTE = 1, SETUP = 2, WAIT = 3, COPY = 4, CALLBACK = 5;
const KINDS = { range: RANGE, remote: REMOTE, setup: SETUP, cleanup: SETUP, module: SETUP, wait: WAIT, copy: COPY, callback: CALLBACK };
const TIMEOUT = 3, LOST = 4, CANCELLED = 5;
const STATES = ["ok", "failed", "crashed", "timeout", "lost", "cancelled", "reclaimed", "running"];

/** A number that is one, else what it is taken for. */
const number = (value, otherwise = 0) => (typeof value === "number" && Number.isFinite(value) ? value : otherwise);
/** A time, size or count: none is below 0, and none so large that a sum of them would be no number. */
const positive = (value) => Math.min(1e19, Math.max(0, number(value)));
const record = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value : {});
const list = (value) => (Array.isArray(value) ? value : []);

/** A text, cut to a length that can be shown, without what would turn or hide the text around it. */
function plain(value, longest = 200) {
  if (typeof value !== "string") return "";
  const text = value.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, "\ufffd");
  return text.length > longest ? text.slice(0, longest) + "…" : text;
}

/** The spans of a trace: a column per property, an index per span. Times are nanoseconds since the trace's start. */
class Spans {
  constructor() {
    this.count = 0;
    this.names = [];
    this.nameIndex = new Map();
    for (const column of Spans.columns) this[column] = [];
  }

  static columns = ["start", "end", "track", "kind", "state", "job", "name", "first", "items", "assigned", "failed", "slowest", "slowestNs", "slowestOf", "pid", "roundTrip", "bytes"];

  add(event, kind) {
    const given = record(event.args);
    const start = positive(event.ts * 1000);
    this.start.push(start);
    this.end.push(start + positive(event.dur * 1000));
    this.track.push(number(event.tid));
    this.kind.push(kind);
    this.state.push(Math.max(0, STATES.indexOf(given.state)));
    this.job.push(number(given.job));
    this.name.push(this.indexOf(event.name));
    this.first.push(number(given.first));
    this.items.push(positive(given.items));
    // What the worker held; `items` are those that ended there.
    this.assigned.push(Math.max(positive(given.items), positive(given.assigned)));
    this.failed.push(positive(given.failed));
    this.slowest.push(number(given.slowest, -1));
    this.slowestNs.push(positive(given.slowest_ns));
    // So many short items together, of which one is the slowest.
    this.slowestOf.push(Math.max(1, positive(given.slowest_of)));
    this.pid.push(number(given.pid));
    this.roundTrip.push(positive(given.round_trip_ns));
    this.bytes.push(positive(given.bytes));
    this.count++;
  }

  indexOf(name) {
    let index = this.nameIndex.get(name);
    if (index === undefined) {
      index = this.names.length;
      this.nameIndex.set(name, index);
      this.names.push(plain(name) || "?");
    }
    return index;
  }
}

/** Takes events one by one. */
class Collector {
  constructor() {
    this.spans = new Spans();
    this.trackNames = new Map();
    this.processName = "";
    this.deaths = [];
    this.reclaims = [];
    this.jobs = new Map();
    this.unknown = 0;
  }

  take(event) {
    if (event === null || typeof event !== "object") throw new TraceError("The trace is damaged: an event in it is no object.");
    const given = record(event.args);
    switch (event.ph) {
      case "X": {
        const kind = Object.hasOwn(KINDS, event.cat) ? KINDS[event.cat] : undefined;
        if (kind === undefined) this.unknown++;
        else this.spans.add(event, kind);
        break;
      }
      case "i": {
        const at = positive(event.ts * 1000), track = number(event.tid);
        if (event.cat === "death")
          this.deaths.push({ at, track, signal: plain(event.name), job: number(given.job), item: number(given.item, -1), symbol: plain(given.symbol) });
        else if (event.cat === "reclaim") this.reclaims.push({ at, track, job: number(given.job), items: positive(given.items) });
        break;
      }
      case "b": case "e":
        if (event.cat === "job") {
          const job = this.jobs.get(event.id) ?? { began: 0, ended: Infinity };
          job[event.ph === "b" ? "began" : "ended"] = positive(event.ts * 1000);
          this.jobs.set(event.id, job);
        }
        break;
      case "M":
        if (event.name === "thread_name") this.trackNames.set(number(event.tid), plain(given.name, 60));
        if (event.name === "process_name") this.processName = plain(given.name, 100);
        break;
    }
  }
}

/**
 * Reads the text of a trace. A trace has one event a line, so each line is parsed by itself: a million of them need no memory for
 * all at once, and the page stays alive. Any other layout of the same JSON is parsed as a whole.
 */
async function readTrace(text, progress = () => {}) {
  if (!text.trim()) throw new TraceError("This report has no trace in it: the file was empty.");
  const collector = new Collector();
  const summary = (await readLines(text, collector, progress)) ?? readWhole(text, collector);
  return finish(collector, summary);
}

async function readLines(text, collector, progress) {
  const head = /^\s*\{[^[\]{}]*"traceEvents"\s*:\s*\[\s*/.exec(text.slice(0, 4096));
  if (!head) return undefined;
  let at = head[0].length, lines = 0;
  while (at < text.length) {
    if (text.charCodeAt(at) <= 32) { at++; continue; }
    if (text[at] === "]") break;
    let end = text.indexOf("\n", at);
    if (end < 0) end = text.length;
    let stop = end;
    while (stop > at && text.charCodeAt(stop - 1) <= 32) stop--;
    if (text[stop - 1] === ",") stop--;
    let event;
    try {
      event = JSON.parse(text.slice(at, stop));
    } catch {
      if (lines > 0) throw new TraceError(`The trace is damaged or cut off: line ${lines + 1} of its events cannot be read.`, "Write it again.");
      return undefined;
    }
    collector.take(event);
    lines++;
    at = end + 1;
    if (lines % 50000 === 0) await progress(at / text.length);
  }
  try {
    // What stands behind the events, with the beginning of an object in front.
    return JSON.parse('{"traceEvents":0' + text.slice(at + 1)).mapengine ?? null;
  } catch {
    throw new TraceError("The trace is cut off: its summary is missing.", "Write it again; it is written when tracing has stopped.");
  }
}

function readWhole(text, collector) {
  let all;
  try {
    all = JSON.parse(text);
  } catch (error) {
    throw new TraceError("This is no trace of MapEngine, or it is cut off: " + error.message);
  }
  if (!Array.isArray(record(all).traceEvents)) throw new TraceError("This is no trace: it has no traceEvents.", "mapengine map --trace out.json writes one.");
  all.traceEvents.forEach((event) => collector.take(event));
  return all.mapengine ?? null;
}

function finish(collector, given) {
  if (given === null || typeof given !== "object")
    throw new TraceError("This trace is not MapEngine's: it has events, but no summary named \"mapengine\".", "ui.perfetto.dev shows traces of any program.");
  if (given.schema !== SCHEMA)
    throw new TraceError(`This trace has schema ${plain(String(given.schema), 20)}; this report reads schema ${SCHEMA}.`, "Use the mapengine of the version that wrote it.");
  const functions = list(given.functions).map((one) => ({
    id: number(one.id), name: plain(one.name) || `function ${number(one.id)}`, items: positive(one.items), failed: positive(one.failed),
    busy: positive(one.busy_ns), p50: positive(one.p50_ns), p90: positive(one.p90_ns), p99: positive(one.p99_ns), max: positive(one.max_ns),
  }));
  const functionNames = new Map(functions.map((one) => [one.id, one.name]));
  const nameOf = (id) => functionNames.get(id) ?? `function ${number(id)}`;
  const span = positive(given.span_ns) || largest(collector.spans.end);
  const jobs = list(given.jobs).map((one) => ({
    id: number(one.id), name: plain(one.name) || nameOf(one.function), functionName: nameOf(one.function), items: positive(one.items),
    ok: positive(one.ok), failed: positive(one.failed), crashed: positive(one.crashed), timedOut: positive(one.timed_out), cancelled: positive(one.cancelled), busy: positive(one.busy_ns),
    copied: positive(one.copied_bytes), shared: positive(one.shared_bytes), copyNs: positive(one.copy_ns),
    began: positive(one.began_ns), ended: positive(one.ended_ns) || span,
  }));
  const nameOfJob = new Map(jobs.map((one) => [one.id, one.functionName]));
  return {
    program: plain(given.program) || collector.processName, version: plain(given.version, 40), began: positive(given.began_unix_ns),
    span, events: positive(given.events), lost: positive(given.lost), spans: collector.spans, tracks: tracksOf(collector, given),
    trackNames: collector.trackNames, deaths: collector.deaths, reclaims: collector.reclaims, functions, jobs,
    slow: list(given.slow).slice(0, 64).map((one) => ({
      job: number(one.job), item: number(one.item), of: Math.max(1, positive(one.items)), ns: positive(one.ns), worker: number(one.worker, -1), name: nameOfJob.get(one.job) ?? "",
    })).sort((a, b) => b.ns - a.ns),
    crashes: list(given.crashes).slice(0, 1000).map((one) => ({
      job: number(one.job), item: number(one.item, -1), signal: number(one.signal), how: plain(one.name, 40), symbol: plain(one.symbol), text: plain(one.text, 20000),
      name: functionNames.get(one.function) ?? "", worker: number(one.worker, -1), at: positive(one.at_ns), host: plain(one.host, 60),
    })),
  };
}

/** A track per worker, in the order of their indices, each with its spans in the order of their starts. */
function tracksOf(collector, given) {
  const spans = collector.spans, tracks = new Map();
  const track = (id) => {
    if (!tracks.has(id)) tracks.set(id, { id, spans: [], host: "", figures: null });
    return tracks.get(id);
  };
  for (const one of list(given.workers)) {
    const made = track(number(one.index) + 1);
    made.host = plain(one.host, 60);
    made.figures = {
      pid: number(one.pid), busy: positive(one.busy_ns), setup: positive(one.setup_ns), waiting: positive(one.waiting_ns),
      items: positive(one.items), starts: positive(one.starts),
    };
  }
  for (let i = 0; i < spans.count; i++) track(spans.track[i]).spans.push(i);
  for (const one of tracks.values()) {
    const order = one.spans, isSorted = order.every((span, i) => i === 0 || spans.start[order[i - 1]] <= spans.start[span]);
    if (!isSorted) order.sort((a, b) => spans.start[a] - spans.start[b]);
    one.isHost = one.id === 0 || one.id >= OTHER_HOST_LINES;
    one.name = nameOfTrack(one, collector.trackNames.get(one.id));
    one.isRemote = !one.isHost && (one.host !== "" || order.some((span) => spans.kind[span] === REMOTE));
  }
  const place = (one) => (one.isHost ? one.id - 1e9 : one.id);
  return [...tracks.values()].sort((a, b) => place(a) - place(b));
}

/** What threads of the host do at the same time has lines from here on. */
const OTHER_HOST_LINES = 2000;

function nameOfTrack(track, given) {
  if (track.isHost) return given || "host";
  // Of the two, the machine's name is what people know.
  if (track.host) return `${track.host} · ${track.id - 1}`;
  const name = given || `worker ${track.id - 1}`;
  // The process id is told when the pointer is over the row.
  return name.replace(/ \(pid \d+\)$/, "");
}

const largest = (values) => values.reduce((most, value) => (value > most ? value : most), 0);
