"""The websockets library: a set of clients a topic, and its broadcast(), which writes to all of them.

Speaks as much of megawire.v1 as the load generator needs.
"""

import asyncio
import json
import sys
import time

import websockets

topics = {}  # name → [seq, set of clients]


def topic(name):
    return topics.setdefault(name, [0, set()])


def publish(text):
    begin = text.index('"topic":"') + 9
    name = text[begin : text.index('"', begin)]
    t = topic(name)
    t[0] += 1
    data = text[text.index('"data":') + 7 :]  # with the request's own closing brace
    ts = int(time.time() * 1000)
    websockets.broadcast(t[1], f'{{"topic":"{name}","seq":{t[0]},"ts":{ts},"data":{data}')


def subscribe(client, request, joined):
    results = []
    for name in request["topics"]:
        t = topic(name)
        t[1].add(client)
        joined.append(t[1])
        results.append({"topic": name, "epoch": "0", "seq": t[0]})
    return {"op": "ok", "id": request["id"], "client": "0", "topics": results}


async def native(client):
    joined = []
    try:
        async for text in client:
            if text.startswith('{"op":"publish"'):
                publish(text)
                continue
            request = json.loads(text)
            if request["op"] == "subscribe":
                reply = subscribe(client, request, joined)
            else:
                reply = {"op": "pong", "id": request["id"]}
            await client.send(json.dumps(reply, separators=(",", ":")))
    finally:
        for clients in joined:
            clients.discard(client)


async def echo(client):
    async for message in client:
        await client.send(message)


async def serve(client):
    try:
        await (echo if client.path == "/echo" else native)(client)
    except websockets.ConnectionClosed:
        pass


async def main():
    async with websockets.serve(serve, "127.0.0.1", int(sys.argv[1]), compression=None, backlog=65535):
        await asyncio.Future()


asyncio.run(main())
