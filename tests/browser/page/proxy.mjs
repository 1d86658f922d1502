// A proxy between the browser and everything else: it writes down each request, whoever in the browser
// makes it (page, workers, service worker), and forwards those that stay on this machine.

import { createServer, request as ask } from "node:http";

/** @returns {Promise<{address: string, requests: string[], bytes(): number, close(): Promise<void>}>} `bytes` have come back. */
export function startProxy() {
  const requests = []; // "METHOD address", in order
  let received = 0;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const { hostname, port, pathname, search } = new URL(request.url);
    if (hostname !== "localhost" && hostname !== "127.0.0.1") return response.writeHead(502).end();
    const forwarded = ask({ hostname: "127.0.0.1", port, path: pathname + search, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      received += answer.rawHeaders.join(": ").length;
      answer.on("data", (part) => (received += part.length));
      answer.pipe(response);
    });
    forwarded.on("error", () => response.destroy()); // the server behind is gone: so is the connection
    request.pipe(forwarded);
  });
  server.on("connect", (request, socket) => {
    requests.push(`CONNECT ${request.url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  return new Promise((started) => {
    server.listen(0, "127.0.0.1", () => {
      const close = () => new Promise((done) => (server.close(done), server.closeAllConnections()));
      started({ address: `http://127.0.0.1:${server.address().port}`, requests, bytes: () => received, close });
    });
  });
}
