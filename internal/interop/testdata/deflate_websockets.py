"""python3-websockets with permessage-deflate: what is agreed on, and large messages both ways.

agreed: it is offered, as it is by default, and the server takes it. declined: the server does not. none: nobody offers it.
"""

import asyncio
import json
import os
import random
import sys
import urllib.request

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

SERVER = os.environ["MEGAWIRE_URL"]
ADMIN = os.environ["MEGAWIRE_ADMIN"]
MODE = sys.argv[1]


def check(got, want):
    assert got == want, f"got {got!r:.200}, want {want!r:.200}"


def compressed():
    """How many messages the server has compressed."""
    for line in urllib.request.urlopen(ADMIN + "/metrics").read().decode().splitlines():
        if line.startswith("megawire_deflated_messages_total "):
            return float(line.split()[1])
    raise AssertionError("no such metric")


def connect(path, **options):
    if MODE == "none":
        options = {"compression": None}
    return websockets.connect(SERVER + path, max_size=8 << 20, **options)


def quotes(n):
    return [{"symbol": f"SYM-{i}", "bid": i * 1.0371, "ask": i * 1.0372, "note": "größer ☕"} for i in range(n)]


async def agreed_on():
    # As it offers by itself, and with the bounds that later versions have by default.
    bounded = ClientPerMessageDeflateFactory(server_max_window_bits=12, client_max_window_bits=12)
    for options, bits in ({}, 15), ({"extensions": [bounded]}, 12):
        async with connect("/ws", **options) as ws:
            extensions = ws.extensions if hasattr(ws, "extensions") else ws.protocol.extensions
            if MODE != "agreed":
                check(list(extensions), [])
                continue
            (deflate,) = extensions
            check(deflate.name, "permessage-deflate")
            check((deflate.remote_no_context_takeover, deflate.local_no_context_takeover), (True, True))
            assert deflate.remote_max_window_bits <= bits, deflate


async def large_messages():
    async with connect("/ws") as reader, connect("/ws?topics=deflate/big") as other, connect("/ws") as publisher:
        await reader.send(json.dumps({"op": "subscribe", "id": 1, "topics": ["deflate/big"] + [f"deflate/{i}" for i in range(200)]}))
        check(len(json.loads(await reader.recv())["topics"]), 201)  # a large request, and a large answer
        before = compressed()
        for n in (0, 1, 3, 10, 100, 1000, 5000):
            data = json.dumps(quotes(n), ensure_ascii=False)
            await publisher.send('{"op":"publish","id":%d,"topic":"deflate/big","data":%s}' % (n, data))
            check(json.loads(await publisher.recv())["op"], "ok")
            for ws in (reader, other):
                frame = await ws.recv()
                check(frame[frame.index('"data":') :], '"data":%s}' % data)  # byte for byte
        # One compression for both readers of a message; the smallest go plain.
        check(compressed() - before, 5 if MODE == "agreed" else 0)


async def many_messages():
    async with connect(f"/ws?topics=deflate/many/{MODE}") as reader, connect("/ws") as publisher:
        for n in range(2000):
            await publisher.send(json.dumps({"op": "publish", "topic": "deflate/many/" + MODE, "data": [n] + quotes(n % 20)}))
            if n % 50 == 49:  # or the reader would be a slow one
                for m in range(n - 49, n + 1):
                    message = json.loads(await reader.recv())
                    check((message["seq"], message["data"]), (m + 1, [m] + quotes(m % 20)))


async def echoes():
    chance = random.Random(1)
    async with connect("/echo") as ws:
        for message in (
            "", "x", json.dumps(quotes(4000)), "é" * 2000, bytes(255), bytes(60000),
            bytes(chance.getrandbits(8) for _ in range(300_000)),  # which does not compress
            "".join(chance.choice("abcdefgh ") for _ in range(900_000)),
        ):
            await ws.send(message)
            check(await ws.recv(), message)
        await ws.send(["compressed ", "in ", "", "frames " * 2000])
        check(await ws.recv(), "compressed in frames " + "frames " * 1999)


async def raw():
    async with connect("/raw/deflate/room") as ann, connect("/raw/deflate/room?echo=1") as bob:
        for message in (json.dumps(quotes(300)), "text " * 300, bytes(range(256)) * 40):
            await bob.send(message)
            check(await bob.recv(), message)
            check(await ann.recv(), message)


async def a_bomb():
    async with connect("/echo") as ws:
        await ws.send(bytes(1 << 20))
        check(await ws.recv(), bytes(1 << 20))
        await ws.send(bytes((1 << 20) + 1))
        try:
            await ws.recv()
            raise AssertionError("it was echoed")
        except websockets.ConnectionClosed as e:
            check((e.code, "inflated" in e.reason), (1009, MODE == "agreed"))


async def main():
    for step in (agreed_on, large_messages, many_messages, echoes, raw, a_bomb):
        print(step.__name__, flush=True)
        await asyncio.wait_for(step(), 50)
    check(compressed() > 0, MODE == "agreed")
    print("ok")


asyncio.run(main())
