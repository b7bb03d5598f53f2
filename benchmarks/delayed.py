"""A proxy with the delay of a far network: python -m benchmarks.delayed ADDRESS MILLISECONDS.

Prints its port on 127.0.0.1; it leads to port 22 of ADDRESS. Data arrives so many milliseconds late in each direction,
and a connection opens one round trip late. netem does the same in the kernel, but not every kernel has it.
"""

import asyncio
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.project import ROOT

CHUNK = 65536


@contextmanager
def far(address: str, milliseconds: float) -> Iterator[int]:
    """Yield a port that leads to `address`, with this delay each way."""
    argv = [sys.executable, "-m", __spec__.name, address, str(milliseconds)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def _late(reader: StreamReader, writer: StreamWriter, delay: float) -> None:
    """Pass on what comes, in order, each piece `delay` seconds after it came."""
    loop, due = asyncio.get_running_loop(), asyncio.Queue()

    async def send() -> None:
        while (piece := await due.get())[1]:
            await asyncio.sleep(piece[0] - loop.time())
            writer.write(piece[1])
            await writer.drain()
        writer.close()

    sending = asyncio.create_task(send())
    while data := await reader.read(CHUNK):
        due.put_nowait((loop.time() + delay, data))
    due.put_nowait((0, b""))
    await sending


async def _serve(address: str, delay: float) -> None:
    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        await asyncio.sleep(2 * delay)
        there, back = await asyncio.open_connection(address, 22)
        await asyncio.gather(_late(reader, back, delay), _late(there, writer, delay), return_exceptions=True)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], float(sys.argv[2]) / 1000))
