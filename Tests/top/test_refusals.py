"""Memory that is no pool's, or a pool's of another version, or one that attacks who looks: `mapengine top` says why, and lives."""
import fcntl
import json
import mmap
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

from hosts import PATIENCE, PROGRAM, ROOT, WORK, c_host, look, pool_of, run_all, top

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def constant(name):
    """A number of the layout."""
    for file in ("mapb_layout.h", "mapb_figures.h"):
        with open(f"{ROOT}/Sources/CMapBridge/include/{file}") as header:
            found = re.search(rf"^#define {name}\s+(\d+)u", header.read(), re.M)
        if found:
            return int(found.group(1))
    raise KeyError(name)


PROTOCOL, FIGURES, ARENA = constant("MAPB_PROTOCOL"), constant("MAPB_FIGURES_OFFSET"), constant("MAPB_ARENA_OFFSET")
SIZE = ARENA + (1 << 20)


class Memory:
    """Memory of this process, by the name that pools' have."""

    def __init__(self, name="mapengine-input", size=SIZE, seals=SEALS, protocol=PROTOCOL):
        self.file = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.file, size)
        if protocol is not None and size >= 4:
            os.pwrite(self.file, struct.pack("<I", protocol), 0)
        if seals:
            fcntl.fcntl(self.file, fcntl.F_ADD_SEALS, seals)

    def figures(self, host=None, places=2, lines=2, first_lane=1024):
        os.pwrite(self.file, struct.pack("<iiqIIII", os.getpid() if host is None else host, 0, 1, 1, places, lines, first_lane), FIGURES)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.file)


def own():
    """What is said of this process: its pools, and why it is refused."""
    found = look("--pid", str(os.getpid()))
    return found["pools"], [one["why"] for one in found["refused"] if one["pid"] == os.getpid()]


def refused(text, memory):
    with memory:
        pools, why = own()
        assert not pools and len(why) == 1 and text in why[0], (pools, why)
        # In the table it is one line as well.
        lines = top("--pid", str(os.getpid())).splitlines()
        assert len(lines) == 1 and lines[0].startswith(f"process {os.getpid()} ") and text in lines[0], lines


def test_a_pool_of_another_version_is_refused():
    refused(f"(protocol {PROTOCOL - 1}; this program reads {PROTOCOL})", Memory(protocol=PROTOCOL - 1))


def test_library_and_program_read_the_same_version():
    with c_host(1) as host:
        place = next(f for f in os.listdir(f"/proc/{host.pid}/fd") if "mapengine-input" in os.readlink(f"/proc/{host.pid}/fd/{f}"))
        with open(f"/proc/{host.pid}/fd/{place}", "rb") as memory:
            assert struct.unpack("<I", memory.read(4))[0] == PROTOCOL
        assert pool_of(host.pid)


def test_memory_that_is_not_sealed_is_refused():
    refused("is not sealed", Memory(seals=0).figures())
    refused("is not sealed", Memory(seals=fcntl.F_SEAL_GROW).figures())


def test_memory_of_a_wrong_size_is_refused():
    refused("too small", Memory(size=0))
    refused("too small", Memory(size=64))
    refused("make no sense", Memory(size=8192).figures())


def test_figures_that_cannot_be_are_refused():
    refused("make no sense", Memory())
    refused("make no sense", Memory().figures(places=1025))
    refused("make no sense", Memory().figures(lines=5000))
    refused("make no sense", Memory().figures(lines=9, first_lane=3))


def test_memory_of_another_host_is_not_shown_as_ones_own():
    with Memory().figures(host=1):
        assert own() == ([], [])


def test_processes_of_other_users_are_left_alone():
    if os.geteuid() != 0:
        return
    with c_host(1) as host:
        # Of who is another user, the pools of this one are none of its business: neither shown nor refused.
        done = subprocess.run([PROGRAM, "top", "--json"], capture_output=True, text=True, timeout=PATIENCE, user=65534, cwd="/",
                              env={**os.environ, "HOME": "/"})
        if done.returncode in (126, 127) or "cannot open shared object" in done.stderr:
            return  # The project's folder is closed to others.
        assert done.returncode == 0, done
        said = json.loads(done.stdout)
        assert not [one for one in said["pools"] + said["refused"] if one["pid"] == host.pid]


def test_memory_that_changes_all_the_time_neither_stops_nor_misleads_it():
    seed = random.randrange(1 << 32)
    print(f"seed {seed}", file=sys.stderr)
    chance = random.Random(seed)
    inbox = [4096 + i * constant("MAPB_INBOX_BYTES") for i in range(2)]
    with Memory().figures() as memory, Memory("mapengine-output", 1 << 17, protocol=None) as output:
        view, results = mmap.mmap(memory.file, SIZE), mmap.mmap(output.file, 1 << 17)
        said = tempfile.TemporaryFile(dir=WORK)
        watcher = subprocess.Popen([PROGRAM, "top", "--json", "--interval", "0.05", "--count", "40", "--pid", str(os.getpid())], stdout=said)
        while watcher.poll() is None:
            for at in inbox:
                # A worker's line that is this process, and a request that is as good as real, but leads anywhere.
                ticket = chance.randrange(1, 1 << 34)
                view[at:at + 8] = struct.pack("<Q", ticket)
                view[at + 128:at + 160] = struct.pack("<QiIQq", chance.choice((1, 1, 2)), os.getpid(), chance.choice((1, 2, 2, 4, 77)), chance.getrandbits(64),
                                                      chance.getrandbits(62))
                slot = at + 192 + (ticket - 1) % 64 * 64
                anywhere = chance.choice((0, 1, 4096, ARENA, ARENA + 64, SIZE - 8, SIZE, 1 << 40, (1 << 64) - 8, chance.getrandbits(64)))
                view[slot:slot + 64] = struct.pack("<QIIQQQQQII", ticket, chance.choice((1, 1, 1, 2, 3, 4, 5, 99)), chance.choice((0, 1, 9, 0xffffffff)),
                                                   chance.getrandbits(64), anywhere, 0, 0, 0, chance.getrandbits(32), chance.getrandbits(8))
                results[0:8] = struct.pack("<Q", ticket - 1)
                results[64:80] = struct.pack("<QQ", (ticket & 0xffffffff) << 32 | chance.choice((0, 1, 5, 0x80000000, 0xffffffff)), chance.getrandbits(64))
                results[256:512] = chance.randbytes(256)
            for _ in range(50):
                at = chance.randrange(4096 // 8, SIZE // 8) * 8
                view[at:at + 8] = struct.pack("<Q", chance.choice((0, 1, ARENA, SIZE, chance.getrandbits(64), (1 << 64) - 1)))
            view[ARENA:ARENA + 512] = chance.randbytes(512)
            memory.figures(places=chance.choice((2, 2, 2, 1024)), lines=2)
            for at in range(FIGURES + 32, FIGURES + 400, 8):
                view[at:at + 8] = struct.pack("<Q", chance.choice((0, 2, 1 << 63, (1 << 64) - 1, chance.getrandbits(64))))
        said.seek(0)
        lines = said.read().decode().splitlines()
        said.close()
        assert watcher.returncode == 0 and len(lines) == 40, (watcher.returncode, len(lines))
        shown = [json.loads(line) for line in lines]
        assert any(one["pools"] for one in shown)
        text = "".join(lines)
        assert all(sign.isprintable() for sign in text), "nothing that a terminal obeys"
        view.close()
        results.close()


run_all(globals())
