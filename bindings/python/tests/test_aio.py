"""Pools in asyncio."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Iterator

import face_work as work
import pytest

from mapengine import Executor, Pool, hosts


@pytest.fixture(scope="module", params=["threaded", "attached"])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with Pool(2, mode=request.param) as pool:
        yield pool


def run(pool: Any, main: Any) -> Any:
    """Runs a coroutine; an attached pool is in its loop."""

    async def all_of_it() -> Any:
        if pool.mode == "threaded":
            return await main()
        with hosts.attach(pool):
            return await main()

    return asyncio.run(asyncio.wait_for(all_of_it(), 60))


def test_a_map_that_is_awaited(pool: Pool) -> None:
    async def main() -> Any:
        one, other = await asyncio.gather(pool.amap(work.square, range(100)), pool.amap(work.add, [1, 2], [10, 20]))
        return one == [x * x for x in range(100)] and other == [11, 22]

    assert run(pool, main)


def test_a_map_that_is_iterated_over(pool: Pool) -> None:
    async def main() -> Any:
        ordered = [value async for value in pool.amap(work.square, range(300))]
        unordered = [value async for value in pool.amap(work.square, range(300), ordered=False, buffersize=10)]
        return ordered, sorted(unordered)

    assert run(pool, main) == ([x * x for x in range(300)],) * 2


def test_values_come_before_the_end(pool: Pool, tmp_path: Path) -> None:
    stop = tmp_path / "stop"

    async def main() -> Any:
        values = []
        async for value in pool.amap(work.wait_for, ["/", str(stop)]):
            values.append(value)
            stop.touch()
        return values

    assert run(pool, main) == ["/", str(stop)]


def test_errors(pool: Pool) -> None:
    async def main() -> Any:
        with pytest.raises(ValueError, match="1 is odd"):
            await pool.amap(work.fail_odd, range(4))
        values = []
        with pytest.raises(ValueError, match="1 is odd"):
            async for value in pool.amap(work.fail_odd, range(4)):
                values.append(value)
        with pytest.raises(ValueError, match="3 is odd"):
            await pool.aapply(work.fail_odd, 3)
        return values, await pool.aapply(work.add, 1, y=2)

    assert run(pool, main) == ([0], 3)


@pytest.mark.parametrize("kind", ["map", "iteration", "call"])
def test_a_task_that_is_cancelled_ends_its_elements(pool: Pool, tmp_path: Path, kind: str) -> None:
    begun = tmp_path / "begun"
    arguments = (str(begun), str(tmp_path / "never"))

    async def wait() -> None:
        if kind == "call":
            await pool.aapply(work.touch_and_wait, arguments)
        elif kind == "map":
            await pool.amap(work.touch_and_wait, [arguments])
        else:
            async for _ in pool.amap(work.touch_and_wait, [arguments]):
                pass

    async def main() -> Any:
        task = asyncio.ensure_future(wait())
        while not begun.exists():
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The workers are free for others.
        return await pool.amap(work.square, range(10))

    assert run(pool, main) == [x * x for x in range(10)]


def test_the_loop_goes_on_meanwhile(pool: Pool, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    ticks = 0

    async def main() -> Any:
        nonlocal ticks

        async def tick() -> None:
            nonlocal ticks
            while ticks < 5:
                ticks += 1
                await asyncio.sleep(0.001)
            stop.touch()

        return await asyncio.gather(pool.amap(work.wait_for, [str(stop)]), tick())

    assert run(pool, main)[0] == [str(stop)] and ticks == 5


def test_many_iterations_at_a_time(tmp_path: Path) -> None:
    """More than a loop has threads; none of them keeps another from going on."""
    stop = tmp_path / "stop"

    async def main() -> Any:
        with Executor(2) as executor:
            first = executor.amap(work.wait_for, [str(stop)])

            async def all_of(values: Any) -> list[Any]:
                return [value async for value in values]

            waiting = [asyncio.ensure_future(all_of(first))]
            waiting += [asyncio.ensure_future(all_of(executor.amap(work.square, [x]))) for x in range(50)]
            values = await asyncio.gather(*waiting[1:])
            stop.touch()
            return values, await waiting[0]

    assert asyncio.run(asyncio.wait_for(main(), 60)) == ([[x * x] for x in range(50)], [str(stop)])
