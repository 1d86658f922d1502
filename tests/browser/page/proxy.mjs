// A proxy between the browser and everything else: it writes down each request, whoever in the browser
// makes it (page, workers, service worker), and forwards those that stay on this machine.

import { createServer, request as ask } from "node:http";

/** @returns {Promise<{address: string, requests: string[], close(): Promise<void>}>} */
export function startProxy() {
  const requests = []; // "METHOD address", in order
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const { hostname, port, pathname, search } = new URL(request.url);
    if (hostname !== "localhost" && hostname !== "127.0.0.1") return response.writeHead(502).end();
    const forwarded = ask({ hostname: "127.0.0.1", port, path: pathname + search, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
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
      started({ address: `http://127.0.0.1:${server.address().port}`, requests, close });
    });
  });
}
