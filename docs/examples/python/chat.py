#!/usr/bin/python3
"""A chat room in a terminal, through /raw/chat/<room>: bare JSON payloads, no protocol.

Needs python3-websockets (pip: websockets).
"""

import argparse
import asyncio
import json
import os
import sys
from urllib.parse import quote

import websockets

SERVER = os.environ.get("MEGAWIRE_URL", "ws://127.0.0.1:8080")


async def listen(ws, count):
    seen = 0
    async for frame in ws:
        message = json.loads(frame)
        print(f"{message['name']}: {message['text']}", flush=True)
        seen += 1
        if seen == count:
            return


async def talk(ws, name):
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        text = line.decode().strip()
        if text:
            await ws.send(json.dumps({"name": name, "text": text}))


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--room", default="lobby")
    parser.add_argument("--count", type=int, help="leave after this many messages of others")
    args = parser.parse_args()

    async with websockets.connect(f"{SERVER}/raw/chat/{quote(args.room)}") as ws:
        print(f"you are in {args.room} as {args.name}", flush=True)
        talking = asyncio.ensure_future(talk(ws, args.name))
        try:
            await listen(ws, args.count)
        finally:
            talking.cancel()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
