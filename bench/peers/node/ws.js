// The ws library: a set of clients a topic. What to send is made once, as a buffer, and handed to send for each.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { answer } from "./subset.js";

const topics = new Map(); // topic → set of clients
const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false });

wss.on("connection", (ws, request) => {
  if (request.url === "/echo") {
    ws.on("message", (data, binary) => ws.send(data, { binary }));
    return;
  }
  const joined = [];
  const join = (topic) => {
    let clients = topics.get(topic);
    if (!clients) topics.set(topic, (clients = new Set()));
    clients.add(ws);
    joined.push(clients);
  };
  ws.on("message", (data) => {
    const reply = answer(data.toString(), join, publish);
    if (reply) ws.send(reply);
  });
  ws.on("close", () => joined.forEach((clients) => clients.delete(ws)));
  ws.on("error", () => ws.terminate());
});

function publish(topic, message) {
  const data = Buffer.from(message);
  for (const client of topics.get(topic) ?? []) client.send(data, { binary: false });
}

const server = createServer((request, response) => response.writeHead(426).end());
server.on("upgrade", (request, socket, head) =>
  wss.handleUpgrade(request, socket, head, (ws) => wss.emit("connection", ws, request)));
server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 65535 });
