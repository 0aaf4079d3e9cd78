// Advice: each rule looks at the facts, and says what costs time and what to do about it, or nothing. `share` is how much of the
// time the thing costs, as far as that is known: what costs most comes first.

const RULES = [
  function crashes(facts) {
    const share = facts.items > 0 ? facts.crashes / facts.items : 0;
    if (facts.crashes === 0) return undefined;
    const groups = crashGroups(facts.crashed), first = groups[0]?.[0];
    const where = first?.symbol ? ` in ${symbolAlone(first.symbol)}` : "";
    const many = facts.crashes >= 3 && share >= 0.01;
    return {
      level: "bad", share: many ? 1 : 0.5,
      title: facts.crashes === 1 ? `One item crashed${where}` : `${count(facts.crashes)} crashes${groups.length === 1 && where ? `, all${where}` : ""}`,
      text: many
        ? `${percent(share)} of the items ended a worker. Each time a new worker has to start, and what was in the old one runs again.`
        : `${facts.crashes === 1 ? "The worker was" : "The workers were"} replaced, and the other items went on.`,
      action: first?.text
        ? "The crash report below says where; run the item again from its crash file, in a debugger."
        : "Give the pool a crash folder: then an item that crashed can be run again, in a debugger.",
    };
  },

  function copying(facts) {
    if (facts.copy.share < 0.1) return undefined;
    const rate = facts.copy.ns > 0 && facts.copy.bytes > 0 ? `: ${bytes(facts.copy.bytes)} in ${duration(facts.copy.ns)}` : "";
    return {
      level: "warn", share: facts.copy.share, title: `${percent(facts.copy.share)} of the time went into copying inputs`,
      text: `The host copied them into memory that workers see${rate}.` +
        (isCopying(facts) ? ` Workers waited for that ${percent(facts.waitingForCopies / facts.capacity)} of the time.` : ""),
      action: "Make the inputs in such memory from the start, and nothing is copied: a mape_buffer in C, Pool.empty() in Python.",
    };
  },

  function slowEnd(facts) {
    const tail = facts.tails[0];
    if (!tail || tail.share < 0.1 || !tail.isOneRange || tail.ns < 0.03 * facts.active) return undefined;
    const others = several(facts.locals.length - 1, "other worker");
    const isLate = tail.began > tail.job.began + 0.1 * (tail.job.ended - tail.job.began);
    if (tail.item < 0) {
      return {
        level: "warn", share: tail.ns / facts.active, title: `A range of ${several(tail.items, "item")} ran alone for the last ${duration(tail.ns)}`,
        text: `Meanwhile ${others} had nothing to do: ${percent(tail.share)} of the job's time.`,
        action: "Let ranges be shorter: leave config.chunk at 0, or set it lower.",
      };
    }
    const longer = tail.job.busy / facts.locals.length < facts.trace.spans.end[tail.span] - tail.began;
    return {
      level: "warn", share: tail.ns / facts.active,
      title: `${capital(itemName(facts, tail.job.id, tail.item, tail.of))} ran alone for the last ${duration(tail.ns)}`,
      text: `Meanwhile ${others} had nothing to do: ${percent(tail.share)} of the job's time. It began ${duration(tail.began - tail.job.began)} after the job.`,
      action: isLate && !longer
        ? "Put slow items first: then the short ones fill the time beside them."
        : isLate ? "Put it first, and split it: alone it takes longer than all of the work shared out evenly." : "Split it: it is the first to begin and the last to end.",
    };
  },

  function waitsForHost(facts) {
    if (facts.waitingShare < 0.1 || isCopying(facts)) return undefined;
    return {
      level: "warn", share: facts.waitingShare, title: `Workers waited for the host ${percent(facts.waitingShare)} of the time`,
      text: "Items were there, and workers free, but the host had not given them out." +
        (facts.callbacks >= 0.05 * facts.active ? ` Its callbacks took ${percent(facts.callbacks / facts.active)} of the time.` : ""),
      action: "Dispatch events sooner: do less in callbacks, or wait on the pool's event descriptor in place of a timer.",
    };
  },

  function setupDominates(facts) {
    const share = facts.setup / Math.max(1, facts.setup + facts.busy);
    if (share < 0.25 || facts.setupShare < 0.05) return undefined;
    return {
      level: "warn", share: facts.setupShare, title: `${percent(share)} of the workers' time was setup`,
      text: `Loading and set-up functions took ${duration(facts.setup)}, the items ${duration(facts.busy)}.`,
      action: "Keep the pool for further maps, so that set-up is done once; load in the zygote what all workers need.",
    };
  },

  function oneWorker(facts) {
    if (facts.locals.length !== 1 || facts.remotes.length > 0 || facts.busyShare < 0.5 || facts.items < 2) return undefined;
    return {
      level: "warn", share: facts.busyShare / 2, title: "There is one worker only",
      text: `It was busy ${percent(facts.busyShare)} of the time, and nothing ran beside it.`,
      action: "Give the pool more workers: config.workers = 0 takes the cores that this process may use.",
    };
  },

  function tinyItems(facts) {
    const main = facts.main;
    if (!main || main.p50 <= 0 || main.p50 >= 1000 || main.busy < 0.1 * facts.busy || main.items < 1000) return undefined;
    return {
      level: "warn", share: 0.3, title: `Items of ${main.name} take ${duration(main.p50)}`,
      text: "Below a microsecond, handing an item over costs as much as running it.",
      action: "Let one call do many: a function over ranges (run_range) in C, vectorized=True in Python, or larger items.",
    };
  },

  function shortRanges(facts) {
    if (facts.ranges < 100 || facts.rangeItems !== 1 || facts.rangeMedian <= 0 || facts.rangeMedian >= 20000) return undefined;
    return {
      level: "warn", share: 0.25, title: `Ranges have one item, and take ${duration(facts.rangeMedian)}`,
      text: `${several(facts.ranges, "range")} were handed out one by one.`,
      action: "Leave config.chunk at 0: the pool then makes ranges as long as the items' measured time asks for.",
    };
  },

  function farAway(facts) {
    if (facts.remoteRanges < 10 || facts.remoteAwayShare < 0.5) return undefined;
    return {
      level: "warn", share: 0.4 * facts.remoteAwayShare, title: `${percent(facts.remoteAwayShare)} of remote ranges' time is the way there and back`,
      text: "The nodes ran the items for the rest of the time.",
      action: "Send more at once: larger items or a higher chunk; keep large inputs that jobs share in the job's data, which travels once.",
    };
  },

  function littleWork(facts) {
    if (facts.idleShare < 0.4 || facts.locals.length < 2) return undefined;
    if ((facts.tails[0]?.ns ?? 0) > 0.5 * facts.active * facts.idleShare) return undefined;
    if (facts.copy.share >= 0.1) return undefined;
    const few = facts.items > 0 && facts.items < facts.locals.length;
    return {
      level: "warn", share: facts.idleShare, title: `Workers had nothing to do ${percent(facts.idleShare)} of the time`,
      text: few ? `There are ${several(facts.items, "item")} for ${several(facts.locals.length, "worker")}.` : "No items were there for them.",
      action: few ? "Split the work into more items, some four for each worker." : "Give the pool more at once: one job in place of several small ones, or a stream that is kept full.",
    };
  },

  function failures(facts) {
    if (facts.failed === 0) return undefined;
    return {
      level: "bad", share: 0.45 * Math.min(1, 0.2 + facts.failed / Math.max(1, facts.items)), title: `${several(facts.failed, "item")} failed`,
      text: `The function said so: ${percent(facts.failed / Math.max(1, facts.items))} of all items.`, action: "The host finds each one's message in its result.",
    };
  },

  function limits(facts) {
    if (facts.timeouts === 0) return undefined;
    return {
      level: "bad", share: 0.4, title: `${several(facts.timeouts, "item")} ran into a time limit`, text: "Their workers were ended and replaced.",
      action: "Raise item_timeout_ns if these items may take that long; else look at what they wait for.",
    };
  },

  function tooShort(facts) {
    if (!facts.isShort || facts.items === 0) return undefined;
    return {
      level: "note", share: 0, title: `All of it took ${duration(facts.active)}`, text: "What shares such a time has are those of beginning and ending.",
      action: "Trace a map that takes longer, to see where its time goes.",
    };
  },

  function lostEvents(facts) {
    if (facts.trace.lost === 0) return undefined;
    return {
      level: "note", share: 0, title: `${several(facts.trace.lost, "event")} ${facts.trace.lost === 1 ? "is" : "are"} missing in this trace`,
      text: "The pictures have gaps; the sums are whole.", action: "Give the trace more room, or trace a shorter time.",
    };
  },
];

/** Whether it is for copies that workers wait most of the time that they wait. */
const isCopying = (facts) => facts.copy.share >= 0.1 && facts.waitingShare >= 0.1 && facts.waitingForCopies > 0.5 * facts.waiting;

function adviceFor(facts) {
  const found = RULES.map((rule) => ({ rule: rule.name, ...rule(facts) })).filter((one) => one.title && !(facts.isShort && one.level === "warn"));
  return found.sort((a, b) => b.share - a.share);
}
