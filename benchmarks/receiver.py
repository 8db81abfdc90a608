"""`python -m benchmarks.receiver SECONDS`: whoever is told of events, answering 200 after so long, many at one time.

Prints the port of who answers and of who never does, and serves until it is killed: a program of its own, so that what
it burns is nobody else's. A line stays open until whoever asks says that it may end, as web servers have it.
"""

import asyncio
import sys
from contextlib import suppress

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def main(pause: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # whoever asked has hung up
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
                if pause:
                    await asyncio.sleep(pause)
                writer.write(_ANSWER)
                await writer.drain()
                if "\r\nconnection: close\r\n" in head:
                    break
        writer.close()

    async def ignore(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)
        writer.close()

    servers = [await asyncio.start_server(act, "127.0.0.1", 0, backlog=1024) for act in (answer, ignore)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
