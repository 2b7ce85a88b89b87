#!/usr/bin/python3
"""One publisher, many readers: each gets every message, in order.

Needs python3-websockets (pip: websockets).
"""

import argparse
import asyncio
import json
import os

import websockets

SERVER = os.environ.get("MEGAWIRE_URL", "ws://127.0.0.1:8080")
TOPIC = "news/today"


async def reader(number, ready, count):
    """Count the messages of one reader, checking their order."""
    async with websockets.connect(SERVER + "/ws") as ws:
        await ws.send(json.dumps({"op": "subscribe", "id": 1, "topics": [TOPIC]}))
        await ws.recv()  # the acknowledgement comes before the first message
        ready.release()
        for expected in range(1, count + 1):
            data = json.loads(await ws.recv())["data"]
            if data["n"] != expected:
                raise SystemExit(f"reader {number}: got {data['n']}, expected {expected}")
    return count


async def publisher(count):
    async with websockets.connect(SERVER + "/ws") as ws:
        for n in range(1, count + 1):
            await ws.send(json.dumps({"op": "publish", "id": n, "topic": TOPIC, "data": {"n": n}}))
            answer = json.loads(await ws.recv())
            if answer["op"] == "error":
                raise SystemExit(f"refused: {answer['message']}")


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--count", type=int, default=50)
    args = parser.parse_args()

    ready = asyncio.Semaphore(0)
    readers = [asyncio.ensure_future(reader(i, ready, args.count)) for i in range(args.readers)]
    for _ in readers:
        await ready.acquire()
    await publisher(args.count)
    received = await asyncio.gather(*readers)
    print(f"{args.count} messages published, {sum(received)} received by {len(received)} readers")


if __name__ == "__main__":
    asyncio.run(main())
