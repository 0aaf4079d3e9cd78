// The parts of the page that are text: the headline, figures, advice, crashes, tables.

function headlineOf(facts) {
  const [first, ...others] = headline(facts);
  return el("p", { id: "headline" }, el("strong", {}, first), others.map((sentence) => [" ", el("span", {}, sentence)]));
}

function tiles(facts) {
  const bad = facts.crashes + facts.failed + facts.timeouts;
  const shown = [
    ["Time", duration(facts.active), facts.gaps > 0.1 * facts.trace.span ? `of ${duration(facts.trace.span)} traced` : "from the first job to the last"],
    facts.locals.length > 0 && ["Workers busy", percent(facts.busyShare), `${several(facts.locals.length, "worker")}, ${duration(facts.busy)} of work`],
    ["Items", count(facts.items), bad > 0 ? `${count(facts.ok)} ended well` : "all ended well"],
    bad > 0 && ["Went wrong", count(bad), [facts.crashes && `${several(facts.crashes, "crash", "crashes")}`, facts.failed && `${count(facts.failed)} failed`, facts.timeouts && `${count(facts.timeouts)} too late`].filter(Boolean).join(", "), "bad"],
    ["Copying inputs", percent(facts.copy.share), facts.copy.bytes > 0 ? bytes(facts.copy.bytes) : "nothing to speak of", facts.copy.share >= 0.1 && !facts.isShort && "warn"],
    ["Waiting for the host", percent(facts.waitingShare), duration(facts.waiting), facts.waitingShare >= 0.1 && !facts.isShort && "warn"],
  ].filter(Boolean);
  return el("dl", { class: "tiles" }, shown.map(([name, value, more, kind]) =>
    el("div", { class: kind ? `tile ${kind}` : "tile" }, el("dt", {}, name), el("dd", { class: "value" }, value), el("dd", { class: "more" }, more))));
}

const LEVELS = { bad: ["✕", "Problem"], warn: ["▲", "Advice"], note: ["i", "Note"] };

function adviceSection(facts) {
  const advice = adviceFor(facts);
  return section("advice", "What to do",
    advice.length === 0
      ? el("p", {}, "No rule found anything to better.")
      : el("ul", { class: "advice" }, advice.map((one) => el("li", { class: one.level, "data-rule": one.rule },
        el("span", { class: "sign", role: "img", "aria-label": LEVELS[one.level][1] }, LEVELS[one.level][0]),
        el("div", {}, el("strong", {}, one.title + "."), " ", one.text, " ", el("span", { class: "action" }, one.action))))));
}

function crashSection(facts) {
  if (facts.crashes === 0) return undefined;
  const groups = crashGroups(facts.crashed), shown = groups.slice(0, 10);
  const worker = (crash) => (crash.host ? `on ${crash.host}` : crash.worker >= 0 ? `in worker ${crash.worker}` : "");
  const cards = shown.map((group, i) => {
    const first = group[0];
    const items = group.filter((crash) => crash.item >= 0).map((crash) => itemName(facts, crash.job, crash.item));
    const functions = [...new Set(group.map((crash) => crash.name).filter(Boolean))];
    return el("article", { class: "crash" },
      el("h3", {}, deathName(first), first.symbol && [" in ", el("code", {}, first.symbol)]),
      el("p", {}, el("strong", {}, capital(items.slice(0, 8).join(", ") || "No item is to blame")), items.length > 8 && ` and ${count(items.length - 8)} more`,
        functions.length > 0 && [" of ", functions.slice(0, 3).map((name, i) => [i > 0 && ", ", el("code", {}, name)]), functions.length > 3 && " and others"], group.length === 1 ? ` ${worker(first)} after ${duration(first.at)}.` : `: ${count(group.length)} times, first ${worker(first)} after ${duration(first.at)}.`),
      first.text && el("details", { open: i === 0 }, el("summary", {}, "The crash report"), el("pre", { tabindex: 0, "aria-label": "The crash report" }, first.text)));
  });
  return section("crashes", facts.crashes === 1 ? "The crash" : `${count(facts.crashes)} crashes`,
    cards,
    groups.length > shown.length && el("p", {}, `${several(groups.length - shown.length, "other kind")} of crashes: not shown.`));
}

function slowSection(facts) {
  if (facts.slow.length === 0) return undefined;
  const most = facts.slow[0].ns, isMixed = facts.trace.functions.filter((one) => one.items > 0).length > 1;
  const columns = [["Item", false], ["Took", true], ["", false], ["Median ×", true], ...(isMixed ? [["Function", false]] : []), ["Worker", true]];
  return section("slow", "Slowest items", table("The slowest items", columns, facts.slow.slice(0, 10).map((one) => [
    itemName(facts, one.job, one.item, one.of), duration(one.ns),
    bar([["busy", one.ns / most]], `${percent(one.ns / most)} of the slowest`), one.ratio > 0 ? times(one.ratio) : "", ...(isMixed ? [el("code", {}, one.name)] : []), one.worker >= 0 ? one.worker : "",
  ])));
}

function workerSection(facts) {
  const rows = facts.tracks.map((track) => {
    const figures = timeOf(track), share = (ns) => Math.min(1, ns / Math.max(1, facts.active));
    const idle = Math.max(0, 1 - share(figures.busy) - share(figures.setup) - share(figures.waiting));
    return [
      track.name, bar([[track.isRemote ? "remote" : "busy", share(figures.busy)], ["setup", share(figures.setup)], ["wait", share(figures.waiting)]], `${track.name}: ${percent(share(figures.busy))} busy`),
      percent(share(figures.busy)), duration(figures.setup), duration(figures.waiting), percent(idle), count(figures.items), count(figures.starts), figures.pid || "",
    ];
  });
  const columns = [["Worker", false], ["", false], ["Busy", true], ["Setup", true], ["Waited", true], ["Idle", true], ["Items", true], ["Starts", true], ["Process", true]];
  const made = table("Where the workers' time went", columns, rows);
  return section("workers", "Where the workers' time went", rows.length > 24 ? el("details", {}, el("summary", {}, several(rows.length, "worker")), made) : made);
}

function jobSection(facts) {
  const { trace } = facts, most = 50;
  if (trace.jobs.length === 0) return undefined;
  const rows = trace.jobs.slice(0, most).map((job) => [
    job.id, el("code", {}, job.name), count(job.items), duration(job.ended - job.began), count(job.ok), count(job.failed), count(job.crashed), count(job.cancelled),
    bytes(job.copied), bytes(job.shared), duration(job.copyNs),
  ]);
  const columns = [["Job", false], ["Function", false], ["Items", true], ["Time", true], ["Well", true], ["Failed", true], ["Crashed", true], ["Cancelled", true], ["Copied", true], ["In place", true], ["Copying", true]];
  const made = table("Jobs, and what was copied for them", columns, rows);
  return section("jobs", "Jobs, and what was copied", rows.length > 12 ? el("details", {}, el("summary", {}, several(trace.jobs.length, "job")), made) : made,
    trace.jobs.length > most && el("p", { class: "small" }, `${count(trace.jobs.length - most)} more jobs are in the trace.`));
}

function functionSection(facts) {
  const shown = facts.trace.functions.filter((one) => one.items > 0);
  if (shown.length === 0) return undefined;
  const columns = [["Function", false], ["Items", true], ["Failed", true], ["Time in all", true], ["Median", true], ["90 %", true], ["99 %", true], ["Slowest", true]];
  return section("functions", "Functions", table("Functions, and how long their items took", columns, shown.sort((a, b) => b.busy - a.busy).slice(0, 50).map((one) => [
    el("code", {}, one.name), count(one.items), count(one.failed), duration(one.busy), duration(one.p50), duration(one.p90), duration(one.p99), duration(one.max)])));
}

function notes(facts) {
  const { trace } = facts, text = [
    `${several(trace.events, "event")} of MapEngine ${trace.version || "of an unknown version"}.`,
    `Shares of time are of ${duration(facts.active)}, in which a job was there, for ${several(Math.max(1, facts.locals.length), "worker")}.`,
    "Busy: a range runs. Waited: items were there, but not given out. Idle: nothing was there to do.",
    trace.spans.count > 0 && "The trace also opens in ui.perfetto.dev.",
  ];
  return el("footer", { class: "small" }, text.filter(Boolean).join(" "));
}
