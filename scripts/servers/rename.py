#!/usr/bin/env python3
"""Passes HTTP/1.1 on to a server on loopback, and gives it another name in the header `Server`. It changes nothing else.

  rename.py PORT SERVER_PORT NAME
"""

import asyncio
import re
import sys

PORT, SERVER_PORT, NAME = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
PIECE = 1 << 16


def header(head, name):
    found = re.search(rb"\r\n%s:[ \t]*([^\r\n]*)" % name, head, re.IGNORECASE)
    return found.group(1).lower() if found else None


async def pass_bytes(reader, writer, count):
    while count > 0:
        piece = await reader.read(min(count, PIECE))
        if not piece:
            raise EOFError
        count -= len(piece)
        writer.write(piece)
        await writer.drain()


async def pass_chunks(reader, writer):
    while True:
        line = await reader.readline()
        writer.write(line)
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        await pass_bytes(reader, writer, size + 2)
    # Trailers, and the empty line after them.
    while line not in (b"\r\n", b""):
        line = await reader.readline()
        writer.write(line)
    await writer.drain()


async def pass_body(reader, writer, head, without_length):
    if b"chunked" in (header(head, b"transfer-encoding") or b""):
        await pass_chunks(reader, writer)
    elif (length := header(head, b"content-length")) is not None:
        await pass_bytes(reader, writer, int(length))
    else:
        await without_length()


async def nothing():
    pass


async def requests(client, server, methods):
    while True:
        head = await client.readuntil(b"\r\n\r\n")
        methods.put_nowait(head.split(b" ", 1)[0])
        server.write(head)
        await pass_body(client, server, head, nothing)
        await server.drain()


async def answers(server, client, methods):
    async def until_it_closes():
        while piece := await server.read(PIECE):
            client.write(piece)
            await client.drain()
        raise EOFError

    while True:
        head = await server.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        head = re.sub(rb"(?i)\r\nServer:[^\r\n]*", b"", head)
        client.write(head[:-2] + b"Server: " + NAME + b"\r\n\r\n")
        if status >= 200:
            method = await methods.get()
            if method != b"HEAD" and status not in (204, 304):
                await pass_body(server, client, head, until_it_closes)
        await client.drain()


async def converse(client, to_client):
    to_server = None
    try:
        server, to_server = await asyncio.open_connection("127.0.0.1", SERVER_PORT)
        methods = asyncio.Queue()
        ways = [asyncio.create_task(requests(client, to_server, methods)),
                asyncio.create_task(answers(server, to_client, methods))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    except OSError:
        pass
    for writer in (to_client, to_server):
        if writer is not None:
            writer.close()


async def main():
    serving = await asyncio.start_server(converse, "127.0.0.1", PORT, backlog=512)
    async with serving:
        await serving.serve_forever()


asyncio.run(main())
