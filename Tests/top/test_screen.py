"""`mapengine top` in a terminal: over three hosts at once, recorded by tmux, with its keys."""
import os
import re
import subprocess
import tempfile

from hosts import PROGRAM, WORK, c_host, pool_of, pool_when, python_host, qt_host, run_all, until


class Terminal:
    """A terminal of tmux with the program in it."""

    def __init__(self, *words, columns=110, rows=32, **variables):
        self.folder = tempfile.TemporaryDirectory(dir=WORK)
        self.variables = {name: value for name, value in os.environ.items() if name not in ("TMUX", "NO_COLOR")}
        self.variables.update(TMUX_TMPDIR=self.folder.name, LC_ALL="C.UTF-8", TERM="xterm-256color")
        settings = [f"{name}={value}" for name, value in variables.items()]
        # The shell tells how it has ended, and stays until it is read.
        command = " ".join(["env", *settings, PROGRAM, "top", *words]) + "; echo ended with $?; cat"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), command)

    def tmux(self, *words):
        return subprocess.run(["tmux", "-L", "top", *words], env=self.variables, check=True, capture_output=True, text=True, timeout=60).stdout

    def text(self, *words):
        return self.tmux("capture-pane", "-p", *words)

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def shows(self, pattern, *words):
        """What is on the screen, once the pattern is there."""
        def found():
            text = self.text(*words)
            return text if re.search(pattern, text, re.M | re.S) else None

        try:
            return until(found, pattern)
        except AssertionError as error:
            raise AssertionError(f"{error}; there is\n{self.text()}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server")
        self.folder.cleanup()


def runs_two(pool):
    return sum(worker["on"] == "item" for worker in pool["workers"]) == 2


def test_three_hosts_at_once_in_c_python_and_qt():
    with c_host(2) as in_c, python_host() as in_python, qt_host() as in_qt, Terminal() as terminal:
        in_c.ask("map stay 9")
        for host in (in_c, in_python, in_qt):
            pool_when(host.pid, runs_two, "two items run")
        for host, function in ((in_c, "stay"), (in_python, "shade_tiles"), (in_qt, "shade_tiles")):
            queue = 9 if host is in_c else 5
            workers = [worker["pid"] for worker in pool_of(host.pid)["workers"]]
            rows = ".*".join(rf"\n +{i} +{pid} busy +<?[0-9][^\n]* {function}" for i, pid in enumerate(workers))
            terminal.shows(rf"\({host.pid}\), 2 of 2 workers busy, [^\n]*queue {queue}, .*{rows}")
        in_c.ask("cancel")
        terminal.shows(rf"\({in_c.pid}\), 0 of 2 workers busy, [^\n]*queue 0,")
        terminal.keys("q")
        terminal.shows("^ended with 0$")


def test_an_item_is_ended_with_its_worker_and_blamed():
    with c_host(2) as host, Terminal("--pid", str(host.pid), "--interval", "0.2") as terminal:
        host.ask("map stay 2")
        pool = pool_when(host.pid, runs_two, "two items run")
        victim = pool["workers"][0]
        terminal.shows(r"\n +0 +\d+ busy .* stay")
        terminal.keys("k")
        terminal.shows("choose a worker of this machine first")
        terminal.keys("Down", "k")
        terminal.shows(rf"Kill worker 0, process {victim['pid']}\? stay ends as crashed, by signal 9\. y: yes")
        terminal.keys("n")
        terminal.shows("nothing was ended")
        assert pool_of(host.pid)["workers_died"] == 0
        terminal.keys("k")
        terminal.shows("y: yes")
        terminal.keys("y")
        terminal.shows(rf"worker 0 \(process {victim['pid']}\) was killed")
        terminal.shows(rf"1 crash\s+\(last: stay, item {victim['item']}, SIGKILL,")
        # The host ends the other, and tells how both have ended.
        pool = pool_of(host.pid)
        assert pool["crashes"] == 1 and pool["last_crash"]["item"] == victim["item"]
        other = pool["workers"][1]["pid"]
        os.kill(other, 9)
        assert host.ask("wait").split() == ["3:9", "3:9"]


def test_a_look_into_a_worker_shows_what_it_waits_in_and_gdb_its_stack():
    with c_host(1) as host, Terminal("--pid", str(host.pid), "--interval", "0.2") as terminal:
        host.ask("map stay 1")
        pool = pool_when(host.pid, lambda pool: pool["workers"][0]["on"] == "item", "the item runs")
        terminal.shows("busy .* stay")
        terminal.keys("Down", "Enter")
        terminal.shows(rf"worker 0 of host \({host.pid}\), process {pool['workers'][0]['pid']}, busy\nitem 0 of job 1, stay\nfor ")
        terminal.keys("g")
        terminal.shows("by gdb, which stopped it meanwhile:\n.+")
        terminal.keys("q")
        terminal.shows("q quit")
        # It goes on.
        assert host.ask("cancel") == "cancel"


def test_sorting_pausing_and_help():
    with c_host(3) as host, Terminal("--pid", str(host.pid), "--interval", "0.2") as terminal:
        host.ask("map stay 1")
        busy = [w["index"] for w in pool_when(host.pid, lambda pool: pool["busy"] == 1, "it runs")["workers"] if w["on"] == "item"][0]
        terminal.shows("by number")
        terminal.keys("s")
        terminal.shows(rf"by time\n[^\n]*\n[^\n]*WORKER[^\n]*\n +{busy} ")
        terminal.keys("p")
        terminal.shows("paused")
        host.ask("cancel")
        terminal.keys("?")
        terminal.shows("its process is killed, when you have said yes")
        terminal.keys("Escape")
        terminal.shows("1 of 3 workers busy")
        terminal.keys("p")
        terminal.shows("0 of 3 workers busy")


def test_it_follows_the_window_and_leaves_out_columns():
    with c_host(40) as host, Terminal("--pid", str(host.pid), "--interval", "0.2") as terminal:
        host.ask("map stay 40")
        terminal.shows("ITEMS/S")
        terminal.tmux("resize-window", "-x", "40", "-y", "10")
        text = terminal.shows(r"\A.*STATE.*FUNCTION(?!.*ITEMS/S)")
        assert all(len(line) <= 40 for line in text.splitlines())
        # The chosen worker is always there, with 40 of them in ten lines.
        terminal.keys("End")
        terminal.shows(r"^> +39 ")
        terminal.keys("Home")
        terminal.shows(r"^> +0 ")
        host.ask("cancel")


def test_without_colour_it_draws_none():
    with c_host(1) as host:
        with Terminal("--pid", str(host.pid)) as terminal:
            assert "\x1b[" in terminal.shows("workers busy", "-e")
        with Terminal("--pid", str(host.pid), NO_COLOR="1") as terminal:
            assert "\x1b[" not in terminal.shows("workers busy", "-e")
        with Terminal("--pid", str(host.pid), TERM="dumb") as terminal:
            # It prints one table, and ends.
            terminal.shows("workers busy.*ended with 0")


def test_ctrl_c_leaves_the_terminal_as_it_was():
    with c_host(1) as host, Terminal("--pid", str(host.pid)) as terminal:
        terminal.shows("workers busy")
        terminal.keys("C-c")
        text = terminal.shows("ended with")
        assert "workers busy" not in text, "the other screen is back"


run_all(globals())
