"""tests.py - a Python script as a host of MapEngine whose workers run Python (zygote.py).

    python3 tests.py        MAPE_LIBRARY: the library's path; mapengine_abi.py is in PYTHONPATH

SPDX-License-Identifier: Apache-2.0
"""

import ctypes
import os
import struct
import sys
import traceback

import mapengine_abi as abi
from mapengine_abi import byref

engine = abi.load(os.environ["MAPE_LIBRARY"])
ZYGOTE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "zygote.py")


def message(pool=None):
    text = ctypes.create_string_buffer(8192)
    engine.mape_message(text, len(text), pool)
    return text.value.decode(errors="replace")


def check(status, pool=None):
    assert status == abi.MAPE_OK, f"status {status}: {message(pool)}"


class Pool:
    """A pool whose workers are forked from this Python that runs zygote.py, or other arguments."""

    def __init__(self, *arguments, **fields):
        words = [os.fsencode(word) for word in (sys.executable, *(arguments or (ZYGOTE,)))]
        argv = (ctypes.c_char_p * (len(words) + 1))(*words)
        config = abi.mape_pool_config(zygote_path=words[0], zygote_argv=argv, **fields)
        self.handle = abi.mape_pool()
        check(engine.mape_pool_create(byref(self.handle), byref(config)))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        check(engine.mape_pool_release(self.handle))

    def offered(self, name):
        function = abi.mape_function(library=abi.MAPE_ZYGOTE, run_symbol=name)
        number = ctypes.c_uint32()
        check(engine.mape_function_register(byref(number), self.handle, byref(function)), self.handle)
        return number

    def map(self, function, values, **fields):
        """A job over numbers."""
        self.values = (ctypes.c_double * len(values))(*values)
        items = abi.mape_items(base=ctypes.cast(self.values, ctypes.c_void_p), count=len(values), item_size=8)
        job = abi.mape_job()
        config = abi.mape_job_config(**fields)
        check(engine.mape_map(byref(job), self.handle, function, byref(items), byref(config)), self.handle)
        return job

    def results(self, job):
        """Waits, and returns each item's result."""
        check(engine.mape_job_wait(job, abi.MAPE_FOREVER), self.handle)
        progress = abi.mape_progress()
        check(engine.mape_job_progress(byref(progress), job))
        results = [abi.mape_result() for _ in range(progress.total)]
        for index, result in enumerate(results):
            check(engine.mape_job_result(byref(result), job, index), self.handle)
        return results

    def log_with(self, word):
        """The next text of the log that has the word."""
        event = abi.mape_event()
        while True:
            check(engine.mape_pool_next_event(byref(event), self.handle, abi.MAPE_FOREVER), self.handle)
            if event.type == abi.MAPE_EVENT_LOG and word in event.text:
                return event.text.decode(errors="replace")

    def stats(self):
        stats = abi.mape_stats()
        check(engine.mape_pool_stats(byref(stats), self.handle))
        return stats


def unpacked(result, layout):
    assert result.state == abi.MAPE_ITEM_OK, f"state {result.state}: {result.message}"
    return struct.unpack(layout, ctypes.string_at(result.data, result.size))


def ended(result, state, cause):
    assert (result.state, result.cause) == (state, cause), f"state {result.state}, cause {result.cause}: {result.message}"


def test_a_map_of_a_function_that_is_written_in_python():
    with Pool(workers=2) as pool:
        multiply = pool.offered(b"multiply")
        check(engine.mape_pool_start(pool.handle, abi.MAPE_FOREVER), pool.handle)
        values = [float(i) for i in range(2000)]
        results = [unpacked(result, "dq") for result in pool.results(pool.map(multiply, values))]
        assert [number for number, _ in results] == [3 * value for value in values]
        assert os.getpid() not in {pid for _, pid in results}


def test_an_error_in_python_fails_its_item_and_no_other():
    with Pool(workers=2) as pool:
        values = [float(i * i) for i in range(200)]
        values[77] = -5.0
        results = pool.results(pool.map(pool.offered(b"square_root"), values))
        for index, result in enumerate(results):
            if index != 77:
                assert unpacked(result, "d") == (float(index),)
        ended(results[77], abi.MAPE_ITEM_FAILED, abi.MAPE_CAUSE_FUNCTION)
        text = results[77].message.decode()
        assert text.startswith("Traceback (most recent call last):"), text
        assert "in square_root" in text and text.rstrip().endswith("ValueError: no square root of -5, says Python"), text
        assert pool.stats().workers_died == 0


def test_the_report_of_a_crash_has_pythons_own_stack():
    with Pool(workers=1) as pool:
        job = pool.map(pool.offered(b"crash"), [0.0])
        (result,) = pool.results(job)
        ended(result, abi.MAPE_ITEM_CRASHED, abi.MAPE_CAUSE_SIGNAL)
        report = abi.mape_crash()
        check(engine.mape_job_crash(byref(report), job, 0))
        text = report.text.decode()
        assert report.signal == 11 and report.frames > 0, text
        assert "\n> Fatal Python error: Segmentation fault\n" in text, text
        lines = [line for line in text.splitlines() if line.startswith(">") and "zygote.py" in line]
        assert lines[0].endswith(" in reads_nothing") and lines[1].endswith(" in crash"), text
        assert unpacked(pool.results(pool.map(pool.offered(b"multiply"), [14.0]))[0], "dq")[0] == 42


def interrupted(state, cause, **fields):
    """An endless item gets SIGINT and its KeyboardInterrupt, and its worker does the next one."""
    with Pool(workers=1, cancel_signal=2, grace_ns=abi.MAPE_SECONDS(1000)) as pool:
        endless, multiply = pool.offered(b"endless"), pool.offered(b"multiply")
        worker = unpacked(pool.results(pool.map(multiply, [1.0]))[0], "dq")[1]
        for _ in range(3):
            job = pool.map(endless, [0.0], **fields)
            if not fields:
                pool.log_with(b"the endless item runs")
                check(engine.mape_job_cancel(job))
            ended(pool.results(job)[0], state, cause)
            assert unpacked(pool.results(pool.map(multiply, [2.0]))[0], "dq") == (6.0, worker)
        assert pool.stats().workers_died == 0


def test_a_cancel_is_a_keyboard_interrupt_and_the_worker_stays():
    interrupted(abi.MAPE_ITEM_CANCELLED, abi.MAPE_CAUSE_CANCEL)


def test_a_time_limit_is_one_too():
    interrupted(abi.MAPE_ITEM_TIMED_OUT, abi.MAPE_CAUSE_ITEM_TIMEOUT, item_timeout_ns=abi.MAPE_MILLISECONDS(200))


def test_a_zygote_with_an_error_says_so_at_once():
    with Pool("-c", "import no_such_module", workers=2) as pool:
        assert engine.mape_pool_start(pool.handle, abi.MAPE_FOREVER) == abi.MAPE_E_WORKERS
        text = message(pool.handle)
        assert "Traceback" in text and "No module named 'no_such_module'" in text, text


def main():
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            passed += 1
            print(f"ok {name[5:]}", flush=True)
        except Exception as error:
            failed += 1
            line = traceback.extract_tb(error.__traceback__)[1].lineno
            text = f"{type(error).__name__} in line {line}: {error}".replace("\n", "\n    ")
            print(f"FAILED {name[5:]}: {text}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
