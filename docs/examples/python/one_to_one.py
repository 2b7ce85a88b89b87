#!/usr/bin/python3
"""Two clients, each with an inbox: ann asks, bob answers.

Needs python3-websockets (pip: websockets).
"""

import argparse
import asyncio
import json
import os

import websockets

SERVER = os.environ.get("MEGAWIRE_URL", "ws://127.0.0.1:8080")


class Person:
    """One connection with a topic of its own as its inbox."""

    def __init__(self, name):
        self.name = name

    async def __aenter__(self):
        self.ws = await websockets.connect(SERVER + "/ws")
        await self.ws.send(json.dumps({"op": "subscribe", "id": 1, "topics": ["inbox/" + self.name]}))
        answer = json.loads(await self.ws.recv())
        if answer["op"] == "error" or "error" in answer["topics"][0]:
            raise SystemExit(f"refused: {answer}")
        return self

    async def __aexit__(self, *_):
        await self.ws.close()

    async def write(self, to, text):
        # Without an id a publish is answered only if it fails.
        letter = {"from": self.name, "text": text}
        await self.ws.send(json.dumps({"op": "publish", "topic": "inbox/" + to, "data": letter}))

    async def read(self):
        message = json.loads(await self.ws.recv())
        if "op" in message:
            raise SystemExit(f"refused: {message}")
        return message["data"]


async def answer(bob, count):
    for _ in range(count):
        letter = await bob.read()
        await bob.write(letter["from"], letter["text"].upper())


async def ask(ann, count):
    for n in range(1, count + 1):
        await ann.write("bob", f"question {n}")
        letter = await ann.read()
        print(f"{letter['from']}: {letter['text']}", flush=True)


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3)
    args = parser.parse_args()
    async with Person("ann") as ann, Person("bob") as bob:
        await asyncio.gather(answer(bob, args.count), ask(ann, args.count))


if __name__ == "__main__":
    asyncio.run(main())
