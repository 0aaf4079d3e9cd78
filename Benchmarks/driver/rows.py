"""The rows: what each measures, in which unit, with which systems."""

from dataclasses import dataclass

from . import probes
from .paths import WITHOUT_PACKAGE, WITHOUT_PYTHON
from .systems import Native, Package, Python

OURS = "mapengine"
PYTHON = ("multiprocessing.Pool", "concurrent.futures", "loky", "mpire", "pebble")
# Beside the Python package.
PACKAGE_PEERS = (*PYTHON, "joblib")


@dataclass
class Row:
    name: str
    unit: str
    text: str
    systems: dict  # by name: what runs it once
    share: float = 1.0  # of the time there is, against other rows
    rounds: int = 5  # at most
    higher_is_better: bool = False
    parameter: str = ""  # of a sweep: what the numbers behind the name are
    sizes: tuple = ()  # of a row on growth: beside few, beside many, and the unit of both figures
    seconds: float = 0.2  # for which a system measures in a round, if it takes less by itself


def native(row, *programs):
    return {("mapengine" if program == "mapengine" else NAMES[program]): Native(program, row) for program in programs}


def python(row, *systems):
    return {} if WITHOUT_PYTHON else {system: Python(system, row) for system in systems or PYTHON}


def package(row, *more, peers=PACKAGE_PEERS):
    """Systems of the Python package, the peers, and what needs neither: `more`, names with or without a text that stands for them."""
    ours = {} if WITHOUT_PACKAGE else {OURS: OURS}
    others = {} if WITHOUT_PYTHON else {system: system for system in peers}
    for one in more:
        shown, system = one if isinstance(one, tuple) else (one, one)
        if not (WITHOUT_PACKAGE if system.startswith(OURS) else WITHOUT_PYTHON):
            (ours if system.startswith(OURS) else others)[shown] = system
    return {shown: Package(system, row) for shown, system in (ours | others).items()}


def growth(name, text, few, many, unit="µs"):
    """A row whose figure is the ratio of a cost beside many things to the cost beside few, taken one after the other."""
    return Row(
        name, "×", f"{text}: {many} to {few}", {OURS: Native("mapengine", name)}, share=0.8, rounds=2, sizes=(few, many, unit)
    )


NAMES = {
    "loop": "C loop",
    "memcpy": "memcpy",
    "openmp": "OpenMP",
    "tbb": "oneTBB",
    "zeromq": "ZeroMQ ipc",
    "futex": "futex ping-pong",
}

# Systems that are ours in another way than as `Pool`, by what they show.
CHUNK_OF_ONE, IN_PLACE, CLASSES = f"{OURS}, ranges of one", f"{OURS}, pool.empty", f"{OURS}, Pool and Executor"
NUMPY = "NumPy, one core"

ROWS = [
    Row(
        "map_small", "ns/item", "1,000,000 items of 8 bytes → 8 bytes, a call per item, default chunk, results gathered",
        native("map_small", "mapengine", "loop", "openmp", "tbb", "zeromq") | python("map_small"), share=2,
    ),
    Row(
        "map_small_range", "ns/item", "the same with `run_range`: a call per range",
        native("map_small_range", "mapengine", "loop", "openmp", "tbb"), rounds=9,
    ),
    Row(
        "map_chunk1", "ns/item", "the same, in ranges of one item",
        native("map_chunk1", "mapengine", "openmp", "tbb", "zeromq") | python("map_chunk1"), share=1.3,
    ),
    Row(
        "apply_hot", "µs", "one call and its result, back to back",
        native("apply_hot", "mapengine", "futex", "zeromq")
        | {"spinning ping-pong": Native("futex", "apply_hot_spinning")} | python("apply_hot"), share=1.2,
    ),
    Row(
        "apply_cold", "µs", "one call and its result after 10 ms of idleness",
        native("apply_cold", "mapengine", "futex", "zeromq") | python("apply_cold"), share=1.6, rounds=7,
    ),
    Row(
        "native_scalar", "ns/call", "`double f(double)`, a C function without glue, over 10,000,000 numbers in a column",
        native("native_scalar", "mapengine", "loop") | {"mapengine, errno asked for": Native("mapengine", "native_scalar_errno")}
        | python("native_scalar", "Python ctypes"),
    ),
    Row(
        "proxy_hot", "µs", "one call by a function pointer that runs in a worker, back to back",
        native("proxy_hot", "mapengine") | {"mapengine, mape_apply": Native("mapengine", "apply_hot")},
    ),
    Row(
        "payload_in", "GB/s", "64 × 1 MiB, summed, from a `mape_buffer`",
        native("payload_in", "mapengine", "loop", "memcpy", "openmp", "tbb", "zeromq") | python("payload_in"),
        share=1.5, rounds=7, higher_is_better=True,
    ),
    Row(
        "payload_out", "GB/s", "64 results of 1 MiB, read in place",
        native("payload_out", "mapengine", "loop", "openmp", "tbb", "zeromq") | python("payload_out"),
        share=1.5, rounds=7, higher_is_better=True,
    ),
    Row(
        "payload_copy", "GB/s", "64 × 1 MiB, summed, from the host's own memory",
        {OURS: Native("mapengine", "payload_copy"), "mapengine, mape_buffer": Native("mapengine", "payload_in")},
        share=0.6, rounds=9, higher_is_better=True,
    ),
    Row(
        "buffer_anew", "µs", "a `mape_buffer` made, filled and released; a map that copies as much",
        {OURS: Native("mapengine", "buffer_anew"), "mapengine, mape_map": Native("mapengine", "buffer_anew_map")},
        rounds=7, parameter="KiB",
    ),
    Row(
        "compute", "ms", "2,000 items of about 1 ms, uneven (1:20)",
        native("compute", "mapengine", "openmp", "tbb") | python("compute"), share=2.2, rounds=5,
    ),
    Row(
        "start", "ms", "create, first result, release",
        {
            "mapengine EXEC": Native("mapengine", "start_exec"),
            "mapengine EXEC, host of 4 GiB": Native("mapengine", "start_exec_large"),
            "mapengine FORK": Native("mapengine", "start_fork"),
            "mapengine FORK, host of 4 GiB": Native("mapengine", "start_fork_large"),
        }
        | ({} if WITHOUT_PYTHON else {"multiprocessing.Pool, host of 4 GiB": Python("multiprocessing.Pool", "start_large")})
        | python("start"), share=3,
    ),
    Row(
        "recover", "ms", "SIGKILL of a worker to the next result from its replacement",
        native("recover", "mapengine") | python("recover", "concurrent.futures", "loky", "mpire", "pebble"),
        share=2.2, rounds=3,
    ),
    Row(
        "stream", "ns/item", "10,000,000 items through a window of 4,096",
        {OURS: Native("mapengine", "stream"), "mapengine, map_small": Native("mapengine", "map_small")}
        | python("stream", "multiprocessing.Pool"), share=1.2,
    ),
    Row("idle", "wakeups", "pool at rest for 10 s", {"all": probes.idle}, share=1.5, rounds=2, seconds=10),
    Row(
        "many_workers", "instructions", "on the host's side per range (callgrind)",
        {OURS: probes.many_workers}, share=1.2, rounds=3, parameter="workers",
    ),
    Row("load", "ms", "dlopen of the stripped library", probes.LOAD, share=0.3),
    Row(
        "busy_host", "ms", "a fixed amount of the host's own work, while all cores have work to do",
        {
            f"{system}, {case}": Native(program, f"busy_host_{benchmark}")
            for case, benchmark in (("workers compute", "full"), ("a call each ms", "trickle"), ("at rest", "rest"))
            for system, program in ((OURS, "mapengine"), ("bare processes", "processes"))
        }, share=2, rounds=9,
    ),
    growth("growth_jobs", "`mape_apply` in a loop, before any is waited for", "4,000 jobs", "128,000 jobs"),
    growth("growth_buffers", "a span of a map that lies in one of many buffers", "1,000 buffers", "40,000 buffers"),
    growth("growth_globals", "`mape_pool_set_global`", "100 names", "16,000 names"),
    growth("growth_streams", "a stream of one item while others are open", "1,000 streams", "16,000 streams"),
    growth("growth_workers_apply", "one call and its result", "16 workers", "1,024 workers"),
    growth("growth_workers_map", "an item of `map_small`", "4 workers", "1,024 workers", "ns/item"),
    Row(
        "sweep_chunk", "ns/item", "`map_small` over chunk size",
        native("sweep_chunk", "mapengine", "openmp", "tbb") | python("sweep_chunk", "multiprocessing.Pool"),
        share=1.3, rounds=3, parameter="items per chunk", seconds=0.06,
    ),
    Row(
        "sweep_payload", "ns/item", "sums over payload size",
        native("sweep_payload", "mapengine", "tbb", "zeromq")
        | {"mapengine, copied": Native("mapengine", "sweep_payload_copy")} | python("sweep_payload", "multiprocessing.Pool"),
        share=1.6, rounds=3, parameter="bytes per item", seconds=0.06,
    ),
    Row(
        "sweep_workers", "ns/item", "`map_small` over workers",
        native("sweep_workers", "mapengine", "openmp", "tbb") | python("sweep_workers", "multiprocessing.Pool"),
        share=1.2, rounds=3, parameter="workers", seconds=0.06,
    ),
    Row(
        "py_small", "ns/item", "1,000,000 ints, `x * x`, default chunk, lists in and out",
        package("py_small", f"{OURS}, Executor", "serial"), share=3,
    ),
    Row(
        "py_unordered", "ns/item", "the same numbers, results one by one as they come (`imap_unordered`)",
        package("py_unordered", peers=("multiprocessing.Pool",)),
    ),
    Row(
        "py_small_array", "ns/item", "the same from a `range` or an array, into an array; with a function that takes arrays", package("py_small_array", peers=()), share=0.6,
    ),
    Row(
        "py_chunk1", "µs/item", "20,000 ints in chunks of one", package("py_chunk1", (CHUNK_OF_ONE, f"{OURS}, Workers")), share=2.5,
    ),
    Row(
        "py_apply", "µs", "a call submitted, and its result", package("py_apply", f"{OURS}, Executor"), share=2.5, rounds=7,
    ),
    Row(
        "py_arrays_in", "GB/s", "64 arrays of 1 MiB, summed",
        package("py_arrays_in", IN_PLACE, "threads", "serial"), share=2, rounds=7, higher_is_better=True,
    ),
    Row(
        "py_arrays_out", "GB/s", "64 arrays of 1 MiB, made and returned",
        package("py_arrays_out", "serial"), share=2, rounds=7, higher_is_better=True,
    ),
    Row("py_dicts", "µs/item", "100,000 dicts of 20 texts", package("py_dicts", "serial"), share=6, rounds=3),
    Row(
        "py_uneven", "of the ideal", "2,000 items of 1 ms, uneven (exponential)",
        package("py_uneven", "serial"), share=3, rounds=3, higher_is_better=True,
    ),
    Row("py_life", "ms", "a pool, its first result, its end", package("py_life", f"{OURS}, Executor"), share=2, rounds=7),
    Row(
        "py_import", "ms", "`import`, by an interpreter that has done nothing else", package("py_import", (CLASSES, f"{OURS}, Executor")),
        share=1.5, rounds=3,
    ),
    Row(
        "py_submit_many", "×", "a future while others are outstanding: 100,000 to 1,000",
        package("py_submit_many", (OURS, f"{OURS}, Executor"), peers=()), share=0.8, rounds=3, sizes=("1,000 futures", "100,000 futures", "µs"),
    ),
    Row(
        "py_cfunc", "ns/row", "`pow` of C over 10,000,000 rows", package("py_cfunc", (NUMPY, "serial"), peers=()), share=1, rounds=5,
    ),
]

# A part that could not be had leaves rows without anybody to run them.
ROWS = [row for row in ROWS if row.systems]
