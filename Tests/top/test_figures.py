"""What `mapengine top --json` says of pools, held against what they say themselves."""
import json
import os
import re
import signal
import subprocess

from hosts import PROGRAM, c_host, look, pool_of, pool_when, python_host, run_all, top, until


def on(pool, what="item"):
    return [worker for worker in pool["workers"] if worker["on"] == what]


def test_its_figures_are_those_of_the_interface():
    with c_host(3) as host:
        host.ask("map quick 1000")
        host.ask("wait")
        own = json.loads(host.ask("stats"))
        pool = pool_of(host.pid)
        for name in ("jobs", "items", "ranges", "workers_started", "workers_died", "workers_killed", "zygotes_started", "zygote_pid"):
            assert pool[name] == own[name], (name, pool[name], own[name])
        assert pool["places"] == own["workers"] == 3 and pool["stage"] == "running" and pool["queue"] == 0 and pool["busy"] == 0
        for worker, its in zip(pool["workers"], own["each"]):
            assert (worker["pid"], worker["items"], worker["starts"]) == (its["pid"], its["items"], its["starts"])
            assert worker["state"] == "idle" and worker["on"] == "nothing" and worker["function"] is None
        assert sum(worker["items"] for worker in pool["workers"]) == 1000
        assert pool["program"] == "host" and pool["command"].endswith("host 3")


def test_it_names_function_item_and_job_that_a_worker_is_on():
    with c_host(2) as host:
        host.ask("map quick 10")
        host.ask("wait")
        host.ask("map stay 5")
        pool = pool_when(host.pid, lambda pool: len(on(pool)) == 2 and all(w["fraction"] for w in pool["workers"]), "two items run")
        assert {worker["function"] for worker in on(pool)} == {"stay"} and {worker["job"] for worker in on(pool)} == {2}
        items = [worker["item"] for worker in on(pool)]
        assert len(set(items)) == 2 and all(item < 5 for item in items)
        assert pool["queue"] == 5 and pool["busy"] == 2
        for worker in on(pool):
            assert worker["fraction"] == 0.25 and 0 <= worker["for_ns_least"] <= worker["for_ns_most"]
        host.ask("cancel")
        pool = pool_when(host.pid, lambda pool: pool["busy"] == 0, "the workers are idle")
        assert pool["queue"] == 0 and pool["items"] == 15


def test_a_range_function_is_shown_with_its_range():
    with c_host(1) as host:
        host.ask("map whole 1")
        pool = pool_when(host.pid, lambda pool: on(pool, "range"), "the range runs")
        worker = on(pool, "range")[0]
        assert (worker["function"], worker["item"], worker["count"]) == ("whole", 0, 1)
        host.ask("cancel")


def test_a_crash_is_shown_with_function_and_item():
    with c_host(2) as host:
        host.ask("map crash 6")
        assert host.ask("wait").split()[3].endswith(":11")
        pool = pool_of(host.pid)
        assert pool["crashes"] == 1
        crash = pool["last_crash"]
        assert (crash["function"], crash["item"], crash["job"], crash["signal"]) == ("crash", 3, 1, 11)
        assert crash["worker"] in (0, 1) and crash["ago_ns"] >= 0
        assert "1 crash (last: crash, item 3, SIGSEGV," in top("--pid", str(host.pid))


def test_how_long_a_worker_is_on_an_item_grows():
    with c_host(1) as host:
        host.ask("map stay 1")
        pool_when(host.pid, lambda pool: on(pool), "the item runs")
        follower = subprocess.Popen([PROGRAM, "top", "--json", "--interval", "0.1", "--count", "5", "--pid", str(host.pid)],
                                    stdout=subprocess.PIPE, text=True)
        times = [json.loads(line)["pools"][0]["workers"][0] for line in follower.stdout]
        assert follower.wait() == 0 and len(times) == 5
        least = [worker["for_ns_least"] for worker in times]
        assert least == sorted(least) and least[0] < least[-1]
        assert all(worker["for_ns_most"] >= worker["for_ns_least"] for worker in times)
        host.ask("cancel")


def test_functions_of_python_have_their_names():
    with python_host() as host:
        pool = pool_when(host.pid, lambda pool: [w["function"] for w in on(pool)] == ["shade_tiles"] * 2, "two calls run")
        assert pool["program"].startswith("python3") and "host.py" in pool["command"]
        assert pool["queue"] == 5


def test_a_killed_worker_is_blamed_on_its_item():
    with c_host(2) as host:
        host.ask("map stay 2")
        pool = pool_when(host.pid, lambda pool: len(on(pool)) == 2, "two items run")
        victim = on(pool)[0]
        os.kill(victim["pid"], signal.SIGKILL)
        pool = pool_when(host.pid, lambda pool: pool["crashes"] == 1 and pool["last_crash"], "the crash is told")
        assert (pool["last_crash"]["item"], pool["last_crash"]["signal"], pool["last_crash"]["function"]) == (victim["item"], 9, "stay")
        assert pool["last_crash"]["worker"] == victim["index"]
        host.ask("cancel")


def test_a_pool_that_is_closed_says_so_and_one_that_is_gone_is_not_shown():
    with c_host(1) as host:
        host.ask("close")
        pool = pool_of(host.pid)
        assert pool["stage"] == "closed" and all(worker["state"] == "none" for worker in pool["workers"])
        pid = host.pid
    assert not [pool for pool in look()["pools"] if pool["pid"] == pid]
    assert top("--pid", str(pid)) == "no pools\n"


def switches(pid):
    """How often each thread of a process has been run and has slept."""
    found = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as file:
            found[thread] = re.search(r"^voluntary_ctxt_switches:\t(\d+)$", file.read(), re.M).group(1)
    return found


def test_an_idle_host_is_not_woken_by_it():
    with c_host(3) as host:
        host.ask("map quick 100")
        host.ask("wait")
        pool = pool_of(host.pid)
        processes = [host.pid, pool["zygote_pid"], *(worker["pid"] for worker in pool["workers"])]

        # What the pool does after its last job, it does for a while. If a look woke somebody, no round of looks would be without.
        def nobody_wakes():
            before = [switches(pid) for pid in processes]
            top("--json", "--count", "20", "--interval", "0.05", "--pid", str(host.pid))
            return [switches(pid) for pid in processes] == before

        until(nobody_wakes, "twenty looks wake nobody")


run_all(globals())
