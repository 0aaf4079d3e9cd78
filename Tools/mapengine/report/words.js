// How figures are written.

/** Between a number and its unit no line ends. */
const JOINED = "\u00a0";

/** Three digits, without zeros behind the point that say nothing. */
const digits = (value) => String(Number(value.toPrecision(3)));

/** Nanoseconds as people say them. */
function duration(ns) {
  if (!(ns > 0)) return `0${JOINED}s`;
  if (ns < 999.5) return `${Math.round(ns)}${JOINED}ns`;
  if (ns < 999.5e3) return `${digits(ns / 1e3)}${JOINED}µs`;
  if (ns < 999.5e6) return `${digits(ns / 1e6)}${JOINED}ms`;
  if (ns < 119.5e9) return `${digits(ns / 1e9)}${JOINED}s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 7200) return `${Math.floor(seconds / 60)}${JOINED}min ${seconds % 60}${JOINED}s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)}${JOINED}h ${minutes % 60}${JOINED}min`;
}

function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 999.5 && unit < units.length - 1) {
    count /= 1000;
    unit++;
  }
  return unit === 0 ? `${Math.round(count)}${JOINED}bytes` : `${digits(count)}${JOINED}${units[unit]}`;
}

const count = (value) => Math.round(value).toLocaleString("en-US");

function percent(share) {
  const value = share * 100;
  if (value <= 0) return `0${JOINED}%`;
  if (value < 0.95) return value < 0.1 ? `< 0.1${JOINED}%` : `${value.toFixed(1)}${JOINED}%`;
  if (value > 99 && value < 100) return `> 99${JOINED}%`;
  return `${Math.round(value)}${JOINED}%`;
}

/** `1 item`, `2 items`. */
const several = (value, one, many = one + "s") => `${count(value)} ${Math.round(value) === 1 ? one : many}`;

/** How many times as much, for people: `45 ×`. */
const times = (ratio) => `${ratio >= 9.95 ? count(ratio) : ratio < 0.1 ? "< 0.1" : ratio.toFixed(1)}${JOINED}×`;

const SIGNALS = {
  1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1",
  11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
};

/** How a worker has died: `SIGSEGV`, `exit 3`. */
const deathName = (crash) => crash.how || SIGNALS[crash.signal] || (crash.signal > 0 ? `signal ${crash.signal}` : "exit");

/** An item, with its job when there are several; `of` short ones that were measured together. */
const itemName = (facts, job, item, of = 1) => (of > 1 ? `items ${item}–${item + of - 1}` : `item ${item}`) + (facts.trace.jobs.length > 1 ? ` of job ${job}` : "");

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
