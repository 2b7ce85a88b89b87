"""python3-websockets: async for, one to one, one publisher to many."""

import asyncio
import json
import os

import websockets

SERVER = os.environ["MEGAWIRE_URL"]


def check(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def connect(path, **options):
    return websockets.connect(SERVER + path, max_size=4 << 20, **options)


async def subscribe(ws, *topics):
    await ws.send(json.dumps({"op": "subscribe", "id": 1, "topics": topics}))
    check(json.loads(await ws.recv())["op"], "ok")


async def async_for():
    async with connect("/ws?topics=ticker/BTC-USD,ticker/ETH-USD") as ws:
        seqs = {}
        seen = 0
        async for frame in ws:
            message = json.loads(frame)
            topic = message["topic"]
            check(message["seq"], seqs.get(topic, message["seq"] - 1) + 1)
            seqs[topic] = message["seq"]
            seen += 1
            if seen == 10:
                break


async def echo():
    async with connect("/echo") as ws:
        numbers = " é ".join(str(n * 7919) for n in range(10000))
        for message in ("", "x", "é" * 40000, numbers, b"", bytes(range(256)) * 300, numbers.encode()):
            await ws.send(message)
            check(await ws.recv(), message)
        # An iterable is sent as a fragmented message.
        await ws.send(["in ", "several ", "frames"])
        check(await ws.recv(), "in several frames")
        pong = await ws.ping(b"here?")
        await asyncio.wait_for(pong, 30)
        # Many at once: the answers come in order.
        for n in range(2000):
            await ws.send(str(n))
        for n in range(2000):
            check(await ws.recv(), str(n))


async def one_to_one():
    async with connect("/ws") as ann, connect("/ws") as bob:
        await subscribe(ann, "one/ann")
        await subscribe(bob, "one/bob")
        for n in range(50):
            await ann.send(json.dumps({"op": "publish", "topic": "one/bob", "data": {"ask": n}}))
            question = json.loads(await bob.recv())["data"]
            await bob.send(json.dumps({"op": "publish", "topic": "one/ann", "data": {"answer": question["ask"] * 2}}))
            check(json.loads(await ann.recv())["data"], {"answer": n * 2})


async def one_to_many(readers=50, count=500):
    async def reader(ready, path):
        async with connect(path) as ws:
            if path == "/ws":
                await subscribe(ws, "many")
            ready.release()
            got = []
            while len(got) < count:
                message = json.loads(await ws.recv())
                got.append(message["data"]["n"] if "seq" in message else message["n"])
            check(got, list(range(count)))

    ready = asyncio.Semaphore(0)
    paths = ["/ws", "/raw/many", "/ws?topics=many"]
    tasks = [asyncio.ensure_future(reader(ready, paths[i % 3])) for i in range(readers)]
    for _ in tasks:
        await ready.acquire()
    async with connect("/ws") as publisher:
        for n in range(count):
            await publisher.send(json.dumps({"op": "publish", "topic": "many", "data": {"n": n}}))
        await asyncio.gather(*tasks)


async def bad_input_harms_nobody():
    async with connect("/ws") as witness:
        await subscribe(witness, "witness")
        async with connect("/ws") as ws:
            for bad in ("", "{", "[]", "null", '"text"', '{"op":1}', '{"op":"subscribe"}', "{" * 10000):
                await ws.send(bad)
                check(json.loads(await ws.recv())["op"], "error")
            # A request that fails does not close the connection.
            await ws.send('{"op":"publish","id":9,"topic":"witness","data":1}')
            check(json.loads(await ws.recv())["id"], 9)
        check(json.loads(await witness.recv())["data"], 1)


async def main():
    for step in (async_for, echo, one_to_one, one_to_many, bad_input_harms_nobody):
        print(step.__name__, flush=True)
        await asyncio.wait_for(step(), 50)
    print("ok")


asyncio.run(main())
