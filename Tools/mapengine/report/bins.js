// Makes a picture's columns of spans: thousands of ranges that are shorter than a pixel become one column, which is as high as
// the share of its time that they take. So a million of them are drawn as quickly as a hundred.

/** What is drawn in one colour, from the bottom of a row to its top. */
const CLASSES = ["bad", "busy", "muted", "remote", "setup", "wait", "copy", "callback"];
const BAD = 0, BUSY = 1, MUTED = 2;

function classOf(spans, i) {
  switch (spans.kind[i]) {
    case RANGE: case REMOTE: {
      const state = spans.state[i];
      if (state === 5 || state === 6) return MUTED;
      return state > 0 && state < 5 ? BAD : spans.kind[i] === REMOTE ? 3 : BUSY;
    }
    case SETUP: return 4;
    case WAIT: return 5;
    case COPY: return 6;
    default: return 7;
  }
}

/** The latest end of all spans up to each; made once. By it the first span that reaches into a window is found. */
function reachOf(spans, track) {
  if (!track.reach) {
    let latest = 0;
    track.reach = Float64Array.from(track.spans, (i) => (latest = Math.max(latest, spans.end[i])));
  }
  return track.reach;
}

/** The first index in a sorted column whose value is above `value`. */
function firstAbove(values, value) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Time of each class in each of `width` columns from `from` to `to`: a Float64Array per class, of shares of a column. With `snaps`, spans
 * of several columns begin and end with a column, so that their edges are sharp.
 */
function columnsOf(spans, track, from, to, width, snaps = false) {
  const columns = CLASSES.map(() => undefined), scale = width / (to - from);
  for (let at = firstAbove(reachOf(spans, track), from); at < track.spans.length; at++) {
    const i = track.spans[at];
    if (spans.start[i] >= to) break;
    let begin = Math.max(0, (spans.start[i] - from) * scale), end = Math.min(width, (spans.end[i] - from) * scale);
    if (snaps && end - begin >= 2) [begin, end] = [Math.round(begin), Math.round(end)];
    if (end <= begin) continue;
    const column = (columns[classOf(spans, i)] ??= new Float64Array(width));
    let place = Math.floor(begin);
    const last = Math.min(width - 1, Math.ceil(end) - 1);
    if (place === last) {
      column[place] += end - begin;
      continue;
    }
    column[place] += place + 1 - begin;
    for (place++; place < last; place++) column[place] += 1;
    column[last] += Math.min(1, end - last);
  }
  return columns;
}

/** Paths of a row, one a class, that stand on each other: columns become bars of `height`, and equal neighbours one bar. */
function pathsOf(columns, width, x, y, height) {
  const paths = CLASSES.map(() => "");
  const floors = new Float64Array(width);
  CLASSES.forEach((_, kind) => {
    const column = columns[kind];
    if (!column) return;
    let begin = 0, path = "";
    const part = (at) => {
      const share = Math.min(1 - floors[at], column[at]);
      // What is there is seen, however short it is.
      return share <= 0 ? 0 : Math.max(1, Math.round(share * height * 2) / 2);
    };
    while (begin < width) {
      const bottom = floors[begin], size = part(begin);
      let end = begin + 1;
      while (end < width && floors[end] === bottom && part(end) === size) end++;
      if (size > 0) {
        const base = y + height - Math.round(bottom * height * 2) / 2;
        path += `M${x + begin} ${base}v${-Math.min(size, base - y || size)}h${end - begin}V${base}z`;
      }
      begin = end;
    }
    for (let at = 0; at < width; at++) floors[at] = Math.min(1, floors[at] + column[at]);
    paths[kind] = path;
  });
  return paths;
}

/** The span at a time, or one within `slack` of it: the latest to begin. -1: there is none. */
function spanAt(spans, track, time, slack) {
  let found = -1, distance = Infinity;
  for (let at = firstAbove(reachOf(spans, track), time - slack); at < track.spans.length; at++) {
    const i = track.spans[at];
    if (spans.start[i] > time + slack) break;
    const away = Math.max(0, spans.start[i] - time, time - spans.end[i]);
    if (away < distance || away === 0) [found, distance] = [i, away];
  }
  return found;
}
