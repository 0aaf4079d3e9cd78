// What a trace says: sums, shares, who ran alone. Each figure of the page is worked out here, once.

/** Below this, in nanoseconds, shares of the time are those of beginning and ending, and nothing that could be bettered. */
const SHORT = 2e6;
/** An item that takes less is called slow by nobody. */
const SLOW = 1e5;

function factsOf(trace) {
  const facts = { trace };
  facts.tracks = trace.tracks.filter((track) => !track.isHost);
  facts.locals = facts.tracks.filter((track) => !track.isRemote);
  facts.remotes = facts.tracks.filter((track) => track.isRemote);
  facts.hosts = trace.tracks.filter((track) => track.isHost);

  // The time in which there was something to do. What a host does between its jobs is no concern of the pool.
  const worked = union(trace.jobs.map((job) => [job.began, Math.min(job.ended, trace.span)]));
  facts.active = lengthOf(worked) || trace.span;
  facts.gaps = Math.max(0, trace.span - facts.active);
  facts.isShort = facts.active < SHORT;

  facts.busy = sum(facts.locals, (one) => timeOf(one).busy);
  facts.setup = sum(facts.locals, (one) => timeOf(one).setup);
  facts.waiting = sum(facts.locals, (one) => timeOf(one).waiting);
  facts.capacity = Math.max(1, facts.active * facts.locals.length);
  facts.idle = Math.max(0, facts.capacity - facts.busy - facts.setup - facts.waiting);
  for (const part of ["busy", "setup", "waiting", "idle"]) facts[part + "Share"] = Math.min(1, facts[part] / facts.capacity);

  const copies = timesOfHost(facts, COPY), copied = lengthOf(copies) || sum(trace.jobs, (job) => job.copyNs);
  facts.callbacks = lengthOf(timesOfHost(facts, CALLBACK));
  facts.waitingForCopies = waitsDuring(facts, copies);
  facts.copy = { ns: copied, share: Math.min(1, copied / Math.max(1, facts.active)), bytes: sum(trace.jobs, (job) => job.copied), shared: sum(trace.jobs, (job) => job.shared) };

  facts.items = sum(trace.jobs, (job) => job.items);
  facts.ok = sum(trace.jobs, (job) => job.ok);
  facts.failed = sum(trace.jobs, (job) => job.failed);
  facts.cancelled = sum(trace.jobs, (job) => job.cancelled);
  facts.crashed = crashesOf(trace);
  facts.crashes = facts.crashed.length;
  Object.assign(facts, rangeFacts(trace));
  facts.slow = slowItems(trace);
  facts.tails = facts.locals.length > 1 ? trace.jobs.map((job) => tailOf(facts, job)).filter(Boolean).sort((a, b) => b.ns - a.ns) : [];
  return facts;
}

const sum = (values, of) => values.reduce((total, value) => total + of(value), 0);

const timeOf = (track) => track.figures ?? { busy: 0, setup: 0, waiting: 0, items: 0, starts: 0, pid: 0 };

/** When the host did something; what its threads did at the same time counts once. */
function timesOfHost(facts, kind) {
  const spans = facts.trace.spans;
  return union(facts.hosts.flatMap((track) => track.spans.filter((i) => spans.kind[i] === kind).map((i) => [spans.start[i], spans.end[i]])));
}

/** How long workers waited for the host while it did something: in stretches that do not overlap. */
function waitsDuring(facts, stretches) {
  const spans = facts.trace.spans, ends = stretches.map(([, to]) => to);
  let time = 0;
  for (const track of facts.locals) {
    for (const i of track.spans) {
      if (spans.kind[i] !== WAIT) continue;
      for (let at = firstAbove(ends, spans.start[i]); at < stretches.length && stretches[at][0] < spans.end[i]; at++) time += shared(spans, i, ...stretches[at]);
    }
  }
  return time;
}

/** The deaths that are crashes: not of a worker that the pool has ended, because of a time limit or since its job was cancelled. */
function crashesOf(trace) {
  const spans = trace.spans, ended = new Map();
  for (let i = 0; i < spans.count; i++) {
    if (spans.kind[i] !== RANGE || (spans.state[i] !== TIMEOUT && spans.state[i] !== CANCELLED)) continue;
    if (!ended.has(spans.track[i])) ended.set(spans.track[i], []);
    ended.get(spans.track[i]).push(spans.end[i]);
  }
  return trace.crashes.filter((crash) => crash.signal !== 9 || !(ended.get(crash.worker + 1) ?? []).some((end) => Math.abs(end - crash.at) < 1e6));
}

/** Stretches that overlap become one. */
function union(stretches) {
  const joined = [];
  for (const [from, to] of stretches.filter(([from, to]) => to > from).sort((a, b) => a[0] - b[0])) {
    const last = joined[joined.length - 1];
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

const lengthOf = (stretches) => sum(stretches, ([from, to]) => to - from);

/** Of all ranges: how many there are, how long, how many items each has; and what the way to other machines costs. */
function rangeFacts(trace) {
  const spans = trace.spans, lengths = [], sizes = [];
  let remote = 0, trips = 0, away = 0, timeouts = 0, lost = 0;
  for (let i = 0; i < spans.count; i++) {
    const kind = spans.kind[i];
    if (kind !== RANGE && kind !== REMOTE) continue;
    if (spans.state[i] === TIMEOUT) timeouts++;
    if (spans.state[i] === LOST) lost++;
    if (kind === REMOTE) {
      remote++;
      trips += spans.end[i] - spans.start[i];
      away += Math.min(spans.roundTrip[i], spans.end[i] - spans.start[i]);
      continue;
    }
    lengths.push(spans.end[i] - spans.start[i]);
    sizes.push(spans.items[i]);
  }
  const known = trace.functions.filter((one) => one.items > 0);
  const main = known.reduce((most, one) => (most && most.busy >= one.busy ? most : one), undefined);
  timeouts = sum(trace.jobs, (job) => job.timedOut) || timeouts;
  return {
    ranges: lengths.length, rangeMedian: median(lengths), rangeItems: median(sizes), remoteRanges: remote, remoteAwayShare: trips > 0 ? away / trips : 0,
    timeouts, lostRanges: lost, main,
  };
}

function median(values) {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1];
}

/** The slowest items, each with how many times its function's median it took. */
function slowItems(trace) {
  const functions = new Map(trace.functions.map((one) => [one.name, one]));
  return trace.slow.filter((one) => one.ns > 0).map((one) => {
    const usual = functions.get(one.name)?.p50 ?? 0;
    return { ...one, ratio: usual > 0 ? one.ns / one.of / usual : 0 };
  });
}

/**
 * The end of a job, in which one worker still ran and the others had nothing to do. `span` is the range that ran longest in it.
 * undefined when there is no such end.
 */
function tailOf(facts, job) {
  const spans = facts.trace.spans, ends = [];
  for (const track of facts.locals) {
    let last = -1;
    for (const i of track.spans) if (spans.kind[i] === RANGE && spans.job[i] === job.id && (last < 0 || spans.end[i] > spans.end[last])) last = i;
    if (last >= 0) ends.push({ track, last, end: spans.end[last] });
  }
  if (ends.length === 0) return undefined;
  ends.sort((a, b) => b.end - a.end);
  const to = ends[0].end, from = Math.max(job.began, ends[1]?.end ?? job.began);
  if (to <= from) return undefined;
  // Other jobs may have kept the others busy meanwhile.
  const others = facts.locals.filter((track) => track !== ends[0].track);
  const used = sum(others, (track) => overlap(spans, track, from, to));
  if (used > 0.2 * others.length * (to - from)) return undefined;
  const span = ends[0].track.spans.filter((i) => spans.kind[i] === RANGE && spans.job[i] === job.id)
    .reduce((most, i) => (shared(spans, i, from, to) > shared(spans, most, from, to) ? i : most), ends[0].last);
  const length = spans.end[span] - spans.start[span];
  const isOneItem = spans.assigned[span] <= 1 || (spans.slowest[span] >= 0 && spans.slowestNs[span] > 0.5 * length);
  return {
    job, ns: to - from, share: (to - from) / Math.max(1, job.ended - job.began), span, track: ends[0].track, began: spans.start[span],
    of: spans.slowest[span] >= 0 ? spans.slowestOf[span] : 1, item: isOneItem ? (spans.slowest[span] >= 0 ? spans.slowest[span] : spans.first[span]) : -1, items: spans.assigned[span],
    isOneRange: shared(spans, span, from, to) > 0.8 * (to - from), lost: (to - from) * others.length - used,
  };
}

const shared = (spans, i, from, to) => Math.max(0, Math.min(spans.end[i], to) - Math.max(spans.start[i], from));

const overlap = (spans, track, from, to) => sum(track.spans, (i) => (spans.kind[i] === WAIT ? 0 : shared(spans, i, from, to)));

/** Crashes that are the same, together: most first. */
function crashGroups(crashes) {
  const groups = new Map();
  for (const crash of crashes) {
    const key = `${deathName(crash)}\n${crash.symbol}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(crash);
  }
  return [...groups.values()].sort((a, b) => b.length - a.length);
}

/** `crash_here` of `crash_here in libx.so`; an address says nothing without its library. */
const symbolAlone = (symbol) => (symbol.startsWith("0x") ? symbol : symbol.replace(/ in [^ ]*$/, ""));

/** The sentences on top: what a person has to know first. */
function headline(facts) {
  const sentences = [], { trace } = facts;
  const workers = several(facts.locals.length, "worker");
  const remote = facts.remotes.length > 0 ? `, and ${several(facts.remotes.length, "lane")} to other machines` : "";
  const time = facts.gaps > 0.1 * trace.span ? `${duration(facts.active)} with work in ${duration(trace.span)}` : duration(facts.active);
  if (facts.locals.length === 0 && facts.remotes.length === 0) sentences.push(`${time}, in which no worker ran.`);
  else sentences.push(facts.locals.length === 0 ? `${time}, ${several(facts.remotes.length, "lane")} to other machines.` : `${time}, ${workers} ${percent(facts.busyShare)} busy${remote}.`);
  const slowest = facts.slow[0];
  if (slowest && slowest.ratio >= 5 && slowest.ns >= Math.max(SLOW, 0.02 * facts.active))
    sentences.push(`${capital(itemName(facts, slowest.job, slowest.item, slowest.of))} took ${duration(slowest.ns)}${slowest.of > 1 ? " together" : ""}, ${times(slowest.ratio)} the median.`);
  const groups = crashGroups(facts.crashed);
  if (groups.length > 0) {
    const crash = groups[0][0], where = crash.symbol ? ` in ${symbolAlone(crash.symbol)}` : "";
    const what = crash.signal > 0 ? `crashed with ${deathName(crash)}${where}` : `ended its process (${deathName(crash)})${where}`;
    const name = crash.item >= 0 ? capital(itemName(facts, crash.job, crash.item)) : "A worker";
    if (facts.crashes === 1) sentences.push(`${name} ${what}.`);
    else sentences.push(`${count(facts.crashes)} crashes: ${name} ${what}${groups[0].length > 1 ? `, as ${count(groups[0].length - 1)} more did` : ""}.`);
  }
  if (facts.timeouts > 0) sentences.push(`${several(facts.timeouts, "item")} ran into a time limit.`);
  if (facts.failed > 0) sentences.push(`${several(facts.failed, "item")} failed.`);
  if (facts.copy.share >= 0.05 && !facts.isShort) sentences.push(`Copying inputs took ${percent(facts.copy.share)}.`);
  if (facts.waitingShare >= 0.1 && !facts.isShort) sentences.push(`Workers waited for the host ${percent(facts.waitingShare)} of the time.`);
  if (sentences.length === 1) sentences.push(facts.items === 0 ? "No item ran." : facts.ok < facts.items ? `${count(facts.ok)} of ${several(facts.items, "item")} ended well.`
      : facts.items === 1 ? "Its item ended well." : `All ${several(facts.items, "item")} ended well.`);
  return sentences;
}
