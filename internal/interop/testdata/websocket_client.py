"""python3-websocket: connect, send, receive, close on each endpoint."""

import json
import os

import websocket
from websocket import create_connection

SERVER = os.environ["MEGAWIRE_URL"]


def check(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def echo():
    ws = create_connection(SERVER + "/echo", timeout=30)
    for size in (0, 1, 125, 126, 127, 65535, 65536, 1 << 20):
        text = "é" * (size // 2) + "x" * (size % 2)
        ws.send(text)
        check(ws.recv(), text)
        data = bytes(i * 7 & 255 for i in range(size))
        ws.send_binary(data)
        opcode, got = ws.recv_data()
        check(opcode, websocket.ABNF.OPCODE_BINARY)
        check(got, data)
    ws.ping("are you there")
    opcode, frame = ws.recv_data_frame(control_frame=True)
    check((opcode, frame.data), (websocket.ABNF.OPCODE_PONG, b"are you there"))
    # A message in three frames, with a ping between them.
    make = websocket.ABNF.create_frame
    ws.send_frame(make("one ", websocket.ABNF.OPCODE_TEXT, 0))
    ws.send_frame(make("two ", websocket.ABNF.OPCODE_CONT, 0))
    ws.ping("")
    ws.send_frame(make("three", websocket.ABNF.OPCODE_CONT, 1))
    check(ws.recv(), "one two three")
    ws.close(status=1000, reason=b"bye")


def close_is_answered(path):
    ws = create_connection(SERVER + path, timeout=30)
    ws.send_close(4321, b"my own")
    opcode, frame = ws.recv_data_frame(control_frame=True)
    check((opcode, frame.data[:2]), (websocket.ABNF.OPCODE_CLOSE, (4321).to_bytes(2, "big")))
    ws.shutdown()


def multiplexed():
    ws = create_connection(SERVER + "/ws", timeout=30, subprotocols=["megawire.v1"])
    check(ws.getsubprotocol(), "megawire.v1")

    def ask(request):
        ws.send(json.dumps(request))
        return json.loads(ws.recv())

    def held_back(topic, seq):
        gap = json.loads(ws.recv())
        check(gap, {"op": "gap", "topic": topic, "from": seq, "to": seq, "reason": "excluded"})

    check(ask({"op": "ping", "id": "p"}), {"op": "pong", "id": "p"})
    ack = ask({"op": "subscribe", "id": 1, "topics": ["py/one", "py/two"]})
    check((ack["op"], ack["id"], [t["topic"] for t in ack["topics"]]), ("ok", 1, ["py/one", "py/two"]))

    # The payload comes byte for byte; the publisher's own message comes back.
    ws.send('{"op":"publish","topic":"py/one","data":{"price": 1.50, "é":null}}')
    frame = ws.recv()
    assert '"data":{"price": 1.50, "é":null}}' in frame, frame
    message = json.loads(frame)
    check((message["topic"], message["seq"]), ("py/one", 1))
    check(list(message), ["topic", "seq", "ts", "data"])

    # echo:false: the answer comes, and a gap in the message's place.
    answer = ask({"op": "publish", "id": 2, "topic": "py/two", "text": "quiet", "echo": False})
    check((answer["op"], answer["id"], answer["seq"]), ("ok", 2, 1))
    held_back("py/two", 1)
    answer = ask({"op": "list", "id": 3})
    check(sorted(t["topic"] for t in answer["topics"]), ["py/one", "py/two"])

    for request, code in (
        ({"op": "nonsense", "id": 4}, "bad_request"),
        ({"op": "publish", "id": 5, "topic": "a/#", "data": 1}, "bad_topic"),
        ({"op": "publish", "id": 6, "topic": "$sys/x", "data": 1}, "forbidden"),
        ({"op": "subscribe", "id": 7, "topics": "py/one"}, "bad_request"),
    ):
        answer = ask(request)
        check(answer["op"], "error")
        check(answer["id"], request["id"])
        check(answer["code"], code)

    check(ask({"op": "unsubscribe", "id": 8, "topics": ["py/one"]})["op"], "ok")
    ws.close()


def subscribed_by_url():
    publisher = create_connection(SERVER + "/ws", timeout=30)
    reader = create_connection(SERVER + "/ws?topics=py/url,py/%C3%BC", timeout=30)
    for n in range(100):
        publisher.send(json.dumps({"op": "publish", "topic": "py/ü" if n % 2 else "py/url", "data": n}))
    got = {"py/url": [], "py/ü": []}
    for _ in range(100):
        message = json.loads(reader.recv())
        got[message["topic"]].append(message["data"])
    # Order holds within a topic.
    check(got, {"py/url": list(range(0, 100, 2)), "py/ü": list(range(1, 100, 2))})
    reader.close()
    publisher.close()


def raw():
    ann = create_connection(SERVER + "/raw/py/room", timeout=30)
    bob = create_connection(SERVER + "/raw/py/room?echo=1", timeout=30)
    ann.send('{"json": true}')
    check(bob.recv(), '{"json": true}')
    ann.send("just text")
    check(bob.recv(), "just text")
    ann.send_binary(b"\x00\x01\xff")
    check(bob.recv_data(), (websocket.ABNF.OPCODE_BINARY, b"\x00\x01\xff"))
    bob.send("to all")
    check(bob.recv(), "to all")  # echo=1
    check(ann.recv(), "to all")  # and nothing of her own
    ann.close()
    bob.close()


def refused():
    for path, status in (("/nowhere", 404), ("/raw/a/%23", 400), ("/ws?topics=a/", 400)):
        try:
            create_connection(SERVER + path, timeout=30).close()
            raise AssertionError(path + " was not refused")
        except websocket.WebSocketBadStatusException as e:
            check((path, e.status_code), (path, status))


def binary_on_ws():
    ws = create_connection(SERVER + "/ws", timeout=30)
    ws.send_binary(b"\x00")
    opcode, frame = ws.recv_data_frame(control_frame=True)
    check((opcode, int.from_bytes(frame.data[:2], "big")), (websocket.ABNF.OPCODE_CLOSE, 1003))
    ws.shutdown()


def too_big():
    ws = create_connection(SERVER + "/echo", timeout=30)
    try:
        ws.send_binary(bytes(17 << 20))
    except OSError:
        pass  # closed while it was still sending
    try:
        opcode, frame = ws.recv_data_frame(control_frame=True)
        check((opcode, int.from_bytes(frame.data[:2], "big")), (websocket.ABNF.OPCODE_CLOSE, 1009))
    except (OSError, websocket.WebSocketConnectionClosedException):
        pass  # reset, as bytes were left unread
    ws.shutdown()
    echo_once = create_connection(SERVER + "/echo", timeout=30)
    echo_once.send("still here")
    check(echo_once.recv(), "still here")
    echo_once.close()


def main():
    for step in (echo, multiplexed, subscribed_by_url, raw, refused, binary_on_ws, too_big):
        print(step.__name__, flush=True)
        step()
    for path in ("/echo", "/ws", "/raw/py/room"):
        print("close", path, flush=True)
        close_is_answered(path)
    # Short-lived clients, one after the other.
    for n in range(200):
        ws = create_connection(SERVER + "/echo", timeout=30)
        ws.send(str(n))
        check(ws.recv(), str(n))
        ws.close()
    print("ok")


main()
