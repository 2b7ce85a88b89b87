#!/usr/bin/python3
"""Read a topic with "async for".

Needs python3-websockets (pip: websockets).
"""

import argparse
import asyncio
import json
import os

import websockets

SERVER = os.environ.get("MEGAWIRE_URL", "ws://127.0.0.1:8080")


async def messages(topics):
    """Yield what is published on the topics, as dicts."""
    # ?topics= subscribes with the connection itself, so there is nothing to send.
    async with websockets.connect(SERVER + "/ws?topics=" + ",".join(topics)) as ws:
        async for frame in ws:
            message = json.loads(frame)
            if "op" not in message:
                yield message


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="*", default=["ticker/BTC-USD"])
    parser.add_argument("--count", type=int)
    args = parser.parse_args()

    seen = 0
    async for message in messages(args.topics):
        print(message["topic"], message["seq"], json.dumps(message.get("data")), flush=True)
        seen += 1
        if seen == args.count:
            break


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
