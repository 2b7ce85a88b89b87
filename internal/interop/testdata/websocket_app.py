"""python3-websocket's WebSocketApp: callbacks, its own pings, a reconnect."""

import json
import os
import sys
import threading
import time

from websocket import WebSocketApp

SERVER = os.environ["MEGAWIRE_URL"]
opened = pongs = 0
enough = threading.Event()


def on_open(app):
    global opened
    opened += 1
    print("open", opened)
    app.send(json.dumps({"op": "subscribe", "id": 1, "topics": ["ticker/BTC-USD"]}))


def on_message(_app, frame):
    message = json.loads(frame)
    if "op" not in message:
        print("message", message["topic"], message["seq"])


def on_pong(_app, _data):
    global pongs
    pongs += 1
    print("pong", pongs)


def on_error(_app, error):
    print("error", error)


def on_close(_app, code, reason):
    print("close", code, reason)


app = None


def stdin():
    sys.stdin.readline()
    enough.set()
    app.close()


threading.Thread(target=stdin, daemon=True).start()
while not enough.is_set():
    app = WebSocketApp(SERVER + "/ws", on_open=on_open, on_message=on_message, on_pong=on_pong, on_error=on_error, on_close=on_close)
    app.run_forever(ping_interval=2, ping_timeout=1)
    time.sleep(0.1)
