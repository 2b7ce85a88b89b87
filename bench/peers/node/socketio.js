// Socket.IO: rooms are its topics. A client joins with "subscribe", which is acknowledged; "publish" goes to the room as "message".
import { createServer } from "node:http";
import { Server } from "socket.io";

const server = createServer();
const io = new Server(server, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });

io.on("connection", (socket) => {
  socket.on("subscribe", (topics, done) => {
    socket.join(topics);
    done();
  });
  socket.on("publish", (topic, data) => io.to(topic).emit("message", topic, data));
});

server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 65535 });
