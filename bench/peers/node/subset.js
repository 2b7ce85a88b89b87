// As much of megawire.v1 as the load generator needs, for servers that have no protocol of their own. Requests are the load
// generator's, so that a look at a few fixed places is enough; payloads are passed on as they came.

const seqs = new Map(); // topic → seq of its newest message

// answer deals with a request. join(topic) subscribes its sender; publish(topic, message) sends to all subscribers. It
// returns what to answer, if anything.
export function answer(text, join, publish) {
  if (text.startsWith('{"op":"publish"')) {
    const from = text.indexOf('"topic":"') + 9;
    const topic = text.slice(from, text.indexOf('"', from));
    const seq = (seqs.get(topic) ?? 0) + 1;
    seqs.set(topic, seq);
    const data = text.slice(text.indexOf('"data":') + 7); // with the request's own closing brace
    publish(topic, `{"topic":"${topic}","seq":${seq},"ts":${Date.now()},"data":${data}`);
    return undefined;
  }
  const request = JSON.parse(text);
  switch (request.op) {
    case "subscribe": {
      const topics = request.topics.map((topic) => {
        join(topic);
        return { topic, epoch: "0", seq: seqs.get(topic) ?? 0 };
      });
      return JSON.stringify({ op: "ok", id: request.id, client: "0", topics });
    }
    case "ping":
      return JSON.stringify({ op: "pong", id: request.id });
  }
  return JSON.stringify({ op: "error", id: request.id, code: "bad_request", message: "not in this subset" });
}
