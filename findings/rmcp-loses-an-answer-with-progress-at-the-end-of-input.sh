#!/usr/bin/env bash
# rmcp 3.11.0, the official Rust SDK of the Model Context Protocol, answers the calls that run when standard input ends: it
# waits five seconds for them. A call that reports progress in that time gets no answer, though: the notification is not
# written any more, whoever waits for that waits for ever, and rmcp drops the call after the five seconds. The same call
# without a progress token is answered. Seen with 3.11.0 and tokio 1.54.1:
#   without a progress token: 1 answers after 1 s
#   with a progress token: 0 answers after 5 s
# obscura's server (src/cli/mcp/calls.rs) waits for its notifications, so that no answer overtakes them.
#
# Exits 0 while rmcp does so, 1 when it behaves otherwise. Needs Rust.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'END'
[package]
name = "server"
version = "0.1.0"
edition = "2024"

[dependencies]
rmcp = { version = "=3.11.0", default-features = false, features = ["server", "transport-io"] }
tokio = { version = "=1.54.1", default-features = false, features = ["rt", "time"] }
END
cat >src/main.rs <<'END'
use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use std::time::Duration;

struct Server;

impl ServerHandler for Server {
    async fn call_tool(&self, _: CallToolRequestParams, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Some(token) = context.meta.get_progress_token() {
            let _ = context.peer.notify_progress(ProgressNotificationParam::new(token, 1.0)).await;
        }
        Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into())
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        Server.serve(rmcp::transport::stdio()).await.unwrap().waiting().await.unwrap();
    });
}
END
cargo build --quiet --release
call() {
    local hello='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}'
    local started=$SECONDS
    local answered
    answered=$(printf '%s\n' "$hello" '{"jsonrpc":"2.0","method":"notifications/initialized"}' \
        '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"'"$1"'}}' | target/release/server | grep -c '"id":2' || true)
    echo "$answered answers after $((SECONDS - started)) s"
}
without=$(call '')
with=$(call ',"_meta":{"progressToken":"p"}')
echo "rmcp 3.11.0, $(rustc --version)"
echo "without a progress token: $without"
echo "with a progress token: $with"
[[ "$without" =~ ^1\ answers\ after\ [12]\ s$ ]] && [[ "$with" =~ ^0\ answers\ after\ [56]\ s$ ]]
