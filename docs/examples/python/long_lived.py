#!/usr/bin/python3
"""A subscriber that stays: callbacks, pings, reconnects, gaps.

Needs python3-websocket (pip: websocket-client).
"""

import argparse
import json
import os
import random
import sys
import time

from websocket import WebSocketApp

SERVER = os.environ.get("MEGAWIRE_URL", "ws://127.0.0.1:8080")
STAY_AWAY = (1008, 4003)  # close codes after which a client does not come back


class Subscriber:
    def __init__(self, topics, count):
        self.topics = topics
        self.left = count  # messages to wait for; None for no end
        self.attempt = 0
        self.wait = None  # what the server asked for before the next connection
        self.finished = False

    def run(self):
        while not self.finished:
            app = WebSocketApp(
                SERVER + "/ws",
                on_open=self.on_open,
                on_message=self.on_message,
                on_error=self.on_error,
                on_close=self.on_close,
            )
            app.run_forever(ping_interval=20, ping_timeout=10)
            if not self.finished:
                self.pause()

    def pause(self):
        """Wait a random time that doubles, or the one that the server asked for."""
        wait = self.wait
        if wait is None:
            wait = random.uniform(0, min(30, 0.5 * 2**self.attempt))
        self.wait = None
        self.attempt += 1
        print(f"reconnecting in {wait:.1f} s", file=sys.stderr)
        time.sleep(wait)

    def on_open(self, app):
        self.attempt = 0
        app.send(json.dumps({"op": "subscribe", "id": 1, "topics": self.topics}))

    def on_message(self, app, frame):
        if self.finished:
            return  # closing: what was on its way still comes
        message = json.loads(frame)
        op = message.get("op")
        if op is None:
            print(message["topic"], message["seq"], json.dumps(message.get("data")), flush=True)
            self.count(app)
        elif op == "ok":
            print("subscribed", flush=True)
            for topic in message["topics"]:
                if "error" in topic:
                    print("refused:", topic["topic"], topic["message"], file=sys.stderr)
        elif op == "gap":
            print("missing:", message["topic"], message["from"], "to", message["to"], file=sys.stderr)
        elif op == "goaway":
            self.wait = message["reconnect_after"] / 1000
        elif op == "error":
            print("error:", message["code"], message["message"], file=sys.stderr)

    def count(self, app):
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.finished = True
                app.close()

    def on_error(self, _app, error):
        print("error:", error, file=sys.stderr)
        if isinstance(error, KeyboardInterrupt):
            self.finished = True

    def on_close(self, _app, code, reason):
        print("closed:", code, reason, file=sys.stderr, flush=True)
        if code in STAY_AWAY:
            self.finished = True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="*", default=["ticker/BTC-USD", "ticker/ETH-USD"])
    parser.add_argument("--count", type=int)
    args = parser.parse_args()
    Subscriber(args.topics, args.count).run()


if __name__ == "__main__":
    main()
