#!/usr/bin/python3
"""Connect, send, receive, close: the shortest way to use a WebSocket.

Needs python3-websocket (pip: websocket-client).
"""

import argparse
import json
import os

from websocket import create_connection

SERVER = os.environ.get("MEGAWIRE_URL", "ws://127.0.0.1:8080")


def echo(text):
    """Send one message to /echo, which sends everything back."""
    ws = create_connection(SERVER + "/echo", timeout=10)
    try:
        ws.send(text)
        return ws.recv()
    finally:
        ws.close()


def publish(topic, data):
    """Publish on /ws and wait for the acknowledgement."""
    ws = create_connection(SERVER + "/ws", timeout=10)
    try:
        ws.send(json.dumps({"op": "publish", "id": 1, "topic": topic, "data": data}))
        return json.loads(ws.recv())
    finally:
        ws.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", nargs="?", default="hello")
    parser.add_argument("--topic", default="chat/lobby")
    args = parser.parse_args()

    print("echo:", echo(args.text))
    ack = publish(args.topic, {"from": "short_lived.py", "text": args.text})
    if ack["op"] == "error":
        raise SystemExit(f"refused: {ack['code']}: {ack['message']}")
    print("published:", ack["topic"], "seq", ack["seq"])


if __name__ == "__main__":
    main()
