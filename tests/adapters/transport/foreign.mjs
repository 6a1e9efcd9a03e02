// A provider as Node's own HTTP server speaks; see test_foreign.py.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  const body = [];
  request.on("data", (piece) => body.push(piece));
  request.on("end", () => {
    switch (request.url) {
      case "/echo":
        return response.writeHead(201, { "content-type": "application/json" }).end(Buffer.concat(body));
      case "/pieces":
        response.writeHead(200);
        return ["one ", "two ", "three"].forEach((text) => response.write(text)) ?? response.end();
      case "/none":
        return response.writeHead(204).end();
      case "/last":
        return response.writeHead(200, { connection: "close" }).end("bye");
      case "/early":
        response.writeEarlyHints({ link: "</style.css>; rel=preload" });
        return response.writeHead(404).end("no such card");
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
