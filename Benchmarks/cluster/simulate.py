"""python -m cluster.simulate ROOT WORK [--smoke]: what scripts/simulate_cluster.sh says."""

import json
import sys
from dataclasses import replace

is_smoke = "--smoke" in sys.argv
sys.argv[3:] = []

from cluster import costs, page, test_model
from cluster.farm_model import Farm, Simulation
from driver.report import figure, markdown_table
from servers import root

IMAGE = root / "docs/images/cluster-scale.svg"
NODES, WORKERS = (20, 4) if is_smoke else (1000, 64)
HOSTS = (1, 4) if is_smoke else (1, 4, 16, 64, 256, 1000)
SERVERS = (1, 2) if is_smoke else (1, 4, 16)


def say(text):
    print(f"simulate-cluster: {text}", flush=True)


def simulated(measured, **settings):
    farm = Farm(nodes=NODES, workers=WORKERS, **settings)
    # Servers have nothing to do with each other: one of them with its share of nodes and hosts is simulated, for all.
    share = replace(farm, nodes=farm.nodes // farm.servers, hosts=farm.hosts // farm.servers, servers=1)
    warm, seconds = (0.2, 0.2) if is_smoke else (30, 30) if share.hosts >= 16 else (5, 5)
    found = Simulation(share, measured).go(warm, seconds)
    return farm, found | {name: found[name] * farm.servers for name in ("items", "parts", "busy")}


def percent(share):
    return f"{share * 100:.0f} %"


def line(farm, found):
    return [f"{farm.hosts:,}", f"{farm.servers}", f"{found['busy']:,.0f}", f"{found['parts']:,.0f}", percent(found["server"]),
            percent(found["helper"]), f"{found['round_trip'] * 1e3:.1f} ms", f"{found['part'] * 1e3:,.0f} ms"]


HEAD = ["hosts", "servers", "busy workers", "parts a second", "each server busy", "each helper busy", "round trip", "work in a part"]


def curves(measured):
    """Busy workers over hosts, for some counts of servers."""
    found = []
    for servers in SERVERS:
        for hosts in HOSTS:
            if hosts >= servers:
                found.append(simulated(measured, hosts=hosts, servers=servers))
                say("  ".join(line(*found[-1])))
    return found


def payloads(measured):
    """What one server bears, by what an item weighs."""
    lines = []
    for name, size in (("100 bytes", 100), ("10 KiB", 10 << 10), ("100 KiB", 100 << 10), ("1 MiB", 1 << 20)):
        _, found = simulated(measured, hosts=HOSTS[-2], item_bytes=size, item_time=0.1)
        bytes_a_second = found["items"] * size
        lines.append([name, f"{found['busy']:,.0f}", f"{found['items']:,.0f}", f"{figure(bytes_a_second / 1e6)} MB/s", percent(found["server"])])
    return markdown_table(["an item of 100 ms, in and out", "busy workers", "items a second", "each way", "server busy"], lines)


def looks(measured):
    """What it costs a server that helpers look for nodes, if they did so each 250 ms, and as they do it."""
    lines = []
    for hosts in HOSTS[2:5] or HOSTS:
        for adapt in (False, True):
            farm, found = simulated(measured, hosts=hosts, looks_adapt=adapt)
            load = hosts * farm.nodes * measured.look_node / farm.look_interval
            lines.append([f"{hosts}", f"each {farm.look_interval * 1e3:.0f} ms", percent(load), f"{found['busy']:,.0f}"])
    return markdown_table(["hosts", "looks", "of one server, for looks alone", "busy workers"], lines)


def waits(measured):
    """What it costs that all nodes wait for the parts of each pool, and what it would be if fewer did."""
    lines = []
    for serving in (0, NODES // 4, NODES // 16):
        farm, found = simulated(measured, hosts=HOSTS[-2], serving=serving)
        lines.append([f"{serving or farm.nodes:,}", f"{(serving or farm.nodes) * measured.waiting_node * 1e6:,.0f} µs", *line(farm, found)[2:5], line(farm, found)[-1]])
    return markdown_table(["nodes that wait for a pool's parts", "costs the server at each part", *HEAD[2:5], HEAD[-1]], lines)


def draw(found):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "mapengine", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
    from matplotlib import pyplot

    figure_, plot = pyplot.subplots(figsize=(8.4, 4.0), layout="constrained")
    colours = ("#0072b2", "#009e73", "#d55e00")
    ideal = [min(NODES * WORKERS, hosts * 128) for hosts in HOSTS]
    plot.plot(HOSTS, ideal, color="#999999", linewidth=1.2, linestyle="--", label="as many as hosts ask for, or there are")
    for colour, servers in zip(colours, SERVERS):
        points = [(farm.hosts, one["busy"]) for farm, one in found if farm.servers == servers]
        plot.plot(*zip(*points), marker="o", markersize=3.5, linewidth=2, color=colour, label=f"{servers} server{'s' * (servers > 1)}")
    plot.set(xscale="log", yscale="log", xlabel="hosts with work, 64 lanes each", ylabel="workers at work",
             title=f"{NODES:,} nodes of {WORKERS} workers, items of 10 ms")
    plot.set_xticks(HOSTS, [str(one) for one in HOSTS])
    plot.minorticks_off()
    plot.grid(True, which="major", color="#dddddd", linewidth=0.6)
    plot.spines[["top", "right"]].set_visible(False)
    plot.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure_.savefig(IMAGE, metadata={"Date": None})


def main():
    checks = test_model.run()
    measured, rate = costs.measure(is_smoke)
    micro = [(name, value * 1e6) for name, value in vars(measured).items()]
    say("; ".join(f"{name} {figure(value)} µs" for name, value in micro))
    # The farm that the costs come from, once more, as the model has it: the host has its own core there.
    twin = Simulation(Farm(nodes=1, workers=costs.SLEEPERS, hosts=1, item_time=0.0106, item_bytes=8, way=0.00002), measured).go(1, 2)
    say(f"a node of {costs.SLEEPERS} sleeping workers: measured {rate:.0f} parts/s, simulated {twin['parts']:.0f}")
    found = curves(measured)
    tables = waits(measured), payloads(measured), looks(measured)
    if is_smoke:
        say(f"smoke: {checks} checks of the model, {len(found)} farms")
        return 0
    draw(found)
    c = measured
    text = f"""Costs, measured on {page.machine()}, in processor time:

{markdown_table(["what", "costs"], [
    ["the server, for a part and its answer", f"{figure(c.server_part * 1e6)} µs, and {figure(c.server_byte * (1 << 20) * 1e3)} ms for a MiB"],
    ["the helper, for the same", f"{figure(c.helper_part * 1e6)} µs, and {figure(c.helper_byte * (1 << 20) * 1e3)} ms for a MiB"],
    ["the server, at each part, for each node that waits for one", f"{figure(c.waiting_node * 1e6)} µs"],
    ["the server, when a helper looks for nodes, for each of them", f"{figure(c.look_node * 1e6)} µs"],
    ["the server, for a node's heartbeat", f"{figure(c.beat * 1e6)} µs, and {figure(c.beat_pool * 1e6)} µs for each pool"],
])}

A node of {costs.SLEEPERS} sleeping workers really did {rate:,.0f} parts a second; the model says {twin['parts']:,.0f}.

![Workers at work over hosts, for 1, 4 and 16 servers](images/cluster-scale.svg)

{markdown_table(HEAD, [line(*one) for one in found])}

One server, {HOSTS[-2]} hosts, when fewer of the nodes wait for the parts of one pool:

{tables[0]}

One server, {HOSTS[-2]} hosts, by what an item weighs:

{tables[1]}

One server, and helpers that look for nodes each 250 ms, or as they do it:

{tables[2]}"""
    page.replace("simulated", "make simulate-cluster", text)
    out = root / "Benchmarks/out"
    out.mkdir(exist_ok=True)
    (out / "cluster-simulated.json").write_text(json.dumps([{**vars(farm), **one} for farm, one in found], indent=1) + "\n")
    say("wrote docs/cluster.md and docs/images/cluster-scale.svg")
    return 0


sys.exit(main())
