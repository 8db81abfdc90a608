"""`python -m benchmarks.receiver SECONDS`: a webhook receiver that responds 200 after a delay, concurrently.

Prints the ports of a server that responds and of one that never does, and serves until it is killed. It is a process of
its own, so that its CPU time is not counted for others. Connections are kept alive, as by usual web servers.
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
