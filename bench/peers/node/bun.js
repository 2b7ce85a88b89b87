// Bun's own WebSocket server: topics are its own, publish is one call.
import { answer } from "./subset.js";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  fetch(request, server) {
    const echo = new URL(request.url).pathname === "/echo";
    if (server.upgrade(request, { data: echo })) return undefined;
    return new Response("a WebSocket, please", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    backpressureLimit: 1 << 20,
    closeOnBackpressureLimit: true,
    message(ws, text) {
      if (ws.data) {
        ws.send(text);
        return;
      }
      const reply = answer(text, (topic) => ws.subscribe(topic), (topic, message) => server.publish(topic, message));
      if (reply) ws.send(reply);
    },
  },
});
