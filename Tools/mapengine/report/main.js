// Puts the page together.

/** The theme: what the machine prefers, until the button says otherwise. */
const theme = {
  begin() {
    const prefers = matchMedia("(prefers-color-scheme: dark)"), button = document.getElementById("theme");
    let chosen;
    try { chosen = localStorage.getItem("mapengine-theme"); } catch { /* In a frame of a notebook there is no storage. */ }
    const isDark = () => (chosen ? chosen === "dark" : prefers.matches);
    const apply = () => {
      document.documentElement.dataset.theme = isDark() ? "dark" : "light";
      button.textContent = isDark() ? "Light" : "Dark";
      button.title = `Show the page ${isDark() ? "light" : "dark"}`;
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      chosen = isDark() ? "light" : "dark";
      try { localStorage.setItem("mapengine-theme", chosen); } catch { /* The same. */ }
      apply();
    });
    prefers.addEventListener("change", apply);
    apply();
  },
};

/** Pictures are drawn for the paper's width, and all that is folded is opened. */
function preparePrinting(pictures) {
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((one) => (one.open = true));
    pictures.forEach((picture) => picture.draw(660));
  });
  addEventListener("afterprint", () => {
    folded.forEach((one) => (one.open = false));
    pictures.forEach((picture) => picture.draw());
  });
}

function showReport(trace) {
  const facts = factsOf(trace), timeline = new Timeline(facts), histogram = new Histogram(facts);
  const date = trace.began > 0 ? new Date(trace.began / 1e6).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" }) : "";
  document.getElementById("origin").textContent = [trace.program, date].filter(Boolean).join(" · ");
  if (trace.program) document.title = `${trace.program}: MapEngine report`;
  document.getElementById("main").replaceChildren(...[
    headlineOf(facts), tiles(facts), adviceSection(facts), timeline.element,
    el("div", { class: "pair" }, slowSection(facts), histogram.element),
    crashSection(facts), workerSection(facts), jobSection(facts), functionSection(facts), notes(facts),
  ].filter(Boolean));
  timeline.draw();
  histogram.draw();
  preparePrinting([timeline, histogram]);
  return facts;
}

function showFailure(error) {
  const isOurs = error instanceof TraceError;
  document.getElementById("main").replaceChildren(el("div", { class: "failure", role: "alert" },
    el("h2", {}, "This trace cannot be shown"), el("p", {}, error.message), isOurs ? error.advice && el("p", {}, error.advice) : el("pre", {}, String(error.stack))));
}

/** The trace as text: as it stands in the page, or compressed, as notebooks hold it. */
async function traceText() {
  const node = document.getElementById("trace"), text = node.textContent;
  node.remove();
  if (node.type !== "application/gzip") return text;
  const packed = Uint8Array.from(atob(text.trim()), (one) => one.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function begin() {
  theme.begin();
  const progress = document.getElementById("progress");
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  try {
    const trace = await readTrace(await traceText(), async (share) => {
      progress.textContent = `Reading the trace … ${percent(share)}`;
      await turn();
    });
    showReport(trace);
    document.documentElement.dataset.report = "ready";
  } catch (error) {
    showFailure(error);
    document.documentElement.dataset.report = "failed";
  }
}

begin();
