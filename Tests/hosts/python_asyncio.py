"""An asyncio program measured: call_later, add_reader by mapengine.hosts."""
import asyncio
import sys

import mapengine.hosts
from measure_host import Measure, say


async def main():
    say(f"host asyncio of Python {sys.version.split()[0]}, add_reader")
    ended = asyncio.Event()
    measure = Measure(ended.set)
    loop = asyncio.get_running_loop()

    def tick():
        measure.tick()
        loop.call_later(0.005, tick)

    tick()
    if measure.pool:
        attachment = mapengine.hosts.attach(measure.pool)
        assert attachment.host == "asyncio", attachment.host
    await ended.wait()


asyncio.run(main())
