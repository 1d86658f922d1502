#!/usr/bin/env bash
# The official client of the Model Context Protocol, @modelcontextprotocol/sdk 1.32.2, loses a notification of progress
# that it reads together with the result behind it: it handles notifications a moment later than responses, and by then the
# call is over. `onprogress` is not called, and `onerror` gets "Received a progress notification for an unknown token".
# The messages are in the right order on the pipe; a pause between them is enough for both to arrive.
#
# Seen with 1.32.2 on Node.js 20:
#   progress and result in one write: 0 steps, 1 error, result done
#   with 200 ms in between: 1 step, 0 errors, result done
# obscura's server tells no progress of the token that ends a text (src/cli/mcp/tools.rs).
#
# Exits 0 while the client does so, 1 when it behaves otherwise. Needs npm and Node.js 20.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @modelcontextprotocol/sdk@1.32.2
cat >server.mjs <<'END'
import { createInterface } from "node:readline";
const pause = Number(process.argv[2]);
const line = (message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`;
for await (const text of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(text);
  if (method === "initialize") process.stdout.write(line({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "x", version: "1" } } }));
  if (method !== "tools/call") continue;
  const progress = line({ method: "notifications/progress", params: { progressToken: params._meta.progressToken, progress: 1 } });
  const result = line({ id, result: { content: [{ type: "text", text: "done" }] } });
  if (pause === 0) process.stdout.write(progress + result);
  else process.stdout.write(progress, () => setTimeout(() => process.stdout.write(result), pause));
}
END
cat >client.mjs <<'END'
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
const client = new Client({ name: "x", version: "1" });
const errors = [];
client.onerror = ({ message }) => errors.push(message);
await client.connect(new StdioClientTransport({ command: process.execPath, args: ["server.mjs", process.argv[2]] }));
let steps = 0;
const { content } = await client.callTool({ name: "x", arguments: {} }, undefined, { onprogress: () => (steps += 1) });
await new Promise((resolve) => setTimeout(resolve, 100));
const unknown = errors.filter((message) => message.includes("unknown token")).length;
console.log(`${steps} ${steps === 1 ? "step" : "steps"}, ${unknown} ${unknown === 1 ? "error" : "errors"}, result ${content[0].text}`);
await client.close();
END
together=$(node client.mjs 0)
apart=$(node client.mjs 200)
echo "@modelcontextprotocol/sdk 1.32.2 on Node.js $(node --version)"
echo "progress and result in one write: $together"
echo "with 200 ms in between: $apart"
[ "$together" = "0 steps, 1 error, result done" ] && [ "$apart" = "1 step, 0 errors, result done" ]
