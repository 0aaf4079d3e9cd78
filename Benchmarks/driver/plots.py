"""The plots of docs/performance.md: time per item over chunk size, payload size and workers."""

from .paths import IMAGES

PLOTS = {
    "sweep_chunk": ("perf-chunk.svg", "Items of 8 bytes, over the chunk size", "items per chunk"),
    "sweep_payload": ("perf-payload.svg", "Summing a payload, over its size", "bytes per payload"),
    "sweep_workers": ("perf-workers.svg", "Items of 8 bytes, over workers (or threads)", "workers"),
}
# Colours that also people who see few of them can tell apart; ours are the strong ones.
COLOURS = {
    "mapengine": "#0072b2", "mapengine, copied": "#56b4e9", "OpenMP": "#009e73", "oneTBB": "#e69f00",
    "ZeroMQ ipc": "#cc79a7", "multiprocessing.Pool": "#d55e00",
}


def curves(results, row):
    found = {}
    for result in results:
        bench, _, parameter = result["bench"].partition("/")
        if bench == row and parameter:
            found.setdefault(result["system"], []).append((int(parameter), result["value"], result["min"], result["max"]))
    return {system: sorted(points) for system, points in found.items()}


def size_text(value, _position=None):
    value = int(value)
    for unit, size in (("Mi", 1 << 20), ("Ki", 1 << 10)):
        if value >= size:
            return f"{value // size} {unit}"
    return str(value)


def draw(results):
    """Draws those plots whose figures are there; answers the names of their files by row."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "mapengine", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, NullLocator

    drawn = {}
    for row, (file, title, axis) in PLOTS.items():
        systems = curves(results, row)
        if not systems:
            continue
        figure, plot = pyplot.subplots(figsize=(8.4, 4.0), layout="constrained")
        # In the legend the slowest is first, as in the plot.
        for system, points in sorted(systems.items(), key=lambda item: -item[1][0][1]):
            at, median, least, most = zip(*points)
            colour = COLOURS.get(system, "#666666")
            width = 2.2 if system.startswith("mapengine") else 1.3
            plot.plot(at, median, marker="o", markersize=3.5, linewidth=width, color=colour, label=system)
            plot.fill_between(at, least, most, color=colour, alpha=0.15, linewidth=0)
        ticks = sorted({point[0] for points in systems.values() for point in points})
        plot.set(xscale="log", yscale="log", xlabel=axis, ylabel="ns per item", title=title)
        plot.set_xticks(ticks[:: max(1, len(ticks) // 9)])
        plot.xaxis.set_minor_locator(NullLocator())
        plot.xaxis.set_major_formatter(FuncFormatter(size_text))
        plot.grid(True, which="major", color="#dddddd", linewidth=0.6)
        plot.spines[["top", "right"]].set_visible(False)
        plot.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        IMAGES.mkdir(parents=True, exist_ok=True)
        figure.savefig(IMAGES / file, metadata={"Date": None})
        pyplot.close(figure)
        drawn[row] = file
    return drawn
