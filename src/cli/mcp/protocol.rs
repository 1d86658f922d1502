//! The messages of JSON-RPC and of the Model Context Protocol, as far as a server of tools needs them:
//! <https://modelcontextprotocol.io/specification>.

use super::calls::{Call, Calls, Output};
use obscura::Error;
use serde_json::{Map, Value, json};
use std::io::{BufRead, Read};

/// Versions of the protocol that this serves, the newest first; the differences between them are not in tools.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Longest message: a picture of 96 MB in base64 has room.
const LONGEST_MESSAGE: u64 = 128 << 20;

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

/// What a line of input is.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    Request {
        id: Value,
        method: String,
        params: Map<String, Value>,
    },
    /// Wants no answer.
    Notification {
        method: String,
        params: Map<String, Value>,
    },
    /// The answer to a request of ours, of which there are none.
    Response,
    Wrong {
        id: Value,
        code: i32,
        words: String,
    },
}

#[derive(Debug, PartialEq)]
pub enum Line {
    Message(Incoming),
    Empty,
    End,
}

/// The next line. A longer one than may be is passed over, without being held.
pub fn next_line(input: &mut impl BufRead) -> std::io::Result<Line> {
    let mut line = Vec::new();
    let read = input
        .by_ref()
        .take(LONGEST_MESSAGE)
        .read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(Line::End);
    }
    if line.last() != Some(&b'\n') && read as u64 == LONGEST_MESSAGE {
        input.skip_until(b'\n')?;
        let words = format!("the message is longer than {} MB", LONGEST_MESSAGE >> 20);
        return Ok(Line::Message(wrong(Value::Null, INVALID_REQUEST, words)));
    }
    match line.trim_ascii() {
        [] => Ok(Line::Empty),
        line => Ok(Line::Message(Incoming::parse(line))),
    }
}

fn wrong(id: Value, code: i32, words: impl Into<String>) -> Incoming {
    let words = words.into();
    Incoming::Wrong { id, code, words }
}

impl Incoming {
    fn parse(line: &[u8]) -> Self {
        let value: Value = match serde_json::from_slice(line) {
            Ok(value) => value,
            Err(error) => {
                return wrong(
                    Value::Null,
                    PARSE_ERROR,
                    format!("the message is not JSON: {error}"),
                );
            }
        };
        let Value::Object(mut message) = value else {
            return wrong(
                Value::Null,
                INVALID_REQUEST,
                "the message is no object; batches are not supported",
            );
        };
        let id = message.remove("id");
        if id
            .as_ref()
            .is_some_and(|id| !id.is_string() && !id.is_number())
        {
            return wrong(
                Value::Null,
                INVALID_REQUEST,
                "the id is neither a text nor a number",
            );
        }
        let Some(Value::String(method)) = message.remove("method") else {
            let is_response = message.contains_key("result") || message.contains_key("error");
            return match is_response {
                true => Incoming::Response,
                false => wrong(
                    id.unwrap_or(Value::Null),
                    INVALID_REQUEST,
                    "the message has no method",
                ),
            };
        };
        let params = match message.remove("params") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => {
                return wrong(
                    id.unwrap_or(Value::Null),
                    INVALID_PARAMS,
                    "params is no object",
                );
            }
        };
        match id {
            Some(id) => Incoming::Request { id, method, params },
            None => Incoming::Notification { method, params },
        }
    }
}

/// Answers what takes no time; gives the call of a tool to be worked on.
pub fn answer(
    incoming: Incoming,
    offered: &[Value],
    calls: &Calls,
    output: &Output,
) -> Option<Call> {
    let (id, method, mut params) = match incoming {
        Incoming::Request { id, method, params } => (id, method, params),
        Incoming::Notification { method, params } => {
            if method == "notifications/cancelled"
                && let Some(id) = params.get("requestId")
            {
                calls.cancel(id);
            }
            return None;
        }
        Incoming::Response => return None,
        Incoming::Wrong { id, code, words } => {
            output.send(&error(&id, code, &words));
            return None;
        }
    };
    let answer = match method.as_str() {
        "initialize" => Ok(welcome(&params)),
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({ "tools": offered })),
        "tools/call" => match call(&id, &mut params, offered, calls) {
            Ok(call) => return Some(call),
            Err(words) => Err((INVALID_PARAMS, words)),
        },
        _ => Err((METHOD_NOT_FOUND, format!("there is no method '{method}'"))),
    };
    output.send(&match answer {
        Ok(result) => response(&id, result),
        Err((code, words)) => error(&id, code, &words),
    });
    None
}

fn welcome(params: &Map<String, Value>) -> Value {
    let asked = params.get("protocolVersion").and_then(Value::as_str);
    let version = VERSIONS.iter().find(|version| asked == Some(version));
    json!({
        "protocolVersion": version.unwrap_or(&VERSIONS[0]),
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "obscura", "title": "obscura", "version": env!("CARGO_PKG_VERSION") },
        "instructions": "Looks at pictures on this machine. A picture is given by path, if it lies in a folder that the \
            server may read, or as data in base64.",
    })
}

/// The call that `tools/call` asks for.
fn call(
    id: &Value,
    params: &mut Map<String, Value>,
    offered: &[Value],
    calls: &Calls,
) -> Result<Call, String> {
    let Some(Value::String(tool)) = params.remove("name") else {
        return Err("the call has no name of a tool".to_string());
    };
    if !offered.iter().any(|one| one["name"] == *tool) {
        let names: Vec<&str> = offered
            .iter()
            .filter_map(|one| one["name"].as_str())
            .collect();
        return Err(format!(
            "there is no tool '{tool}'; there are {}",
            names.join(", ")
        ));
    }
    let arguments = match params.remove("arguments") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(arguments)) => arguments,
        Some(_) => return Err("the arguments of the call are no object".to_string()),
    };
    let token = params
        .get("_meta")
        .and_then(|meta| meta.get("progressToken"))
        .cloned();
    let token = token.filter(|token| token.is_string() || token.is_number());
    Ok(calls.begin(id.clone(), tool, arguments, token))
}

/// The answer to a call. What went wrong with a tool is a result, too: the agent is meant to read it.
pub fn result_of(id: &Value, result: Result<Value, Error>) -> Value {
    let result = match result {
        Ok(value) => json!({
            "content": [{ "type": "text", "text": value.to_string() }],
            "structuredContent": value,
            "isError": false,
        }),
        Err(error) => json!({
            "content": [{ "type": "text", "text": error.to_string() }],
            "isError": true,
        }),
    };
    response(id, result)
}

fn response(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn error(id: &Value, code: i32, words: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": words } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Incoming) {
        assert_eq!(
            next_line(&mut line.as_bytes()).unwrap(),
            Line::Message(expected),
            "{line}"
        );
    }

    #[test]
    fn lines_are_requests_notifications_or_responses() {
        let method = "ping".to_string();
        let params = Map::new();
        let id = json!("a");
        check(
            "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"}\r\n",
            Incoming::Request {
                id,
                method: method.clone(),
                params: params.clone(),
            },
        );
        check(
            "{\"method\":\"ping\",\"params\":null}",
            Incoming::Notification { method, params },
        );
        check("{\"id\":1,\"result\":{}}\n", Incoming::Response);
        assert_eq!(next_line(&mut "  \n".as_bytes()).unwrap(), Line::Empty);
        assert_eq!(next_line(&mut "".as_bytes()).unwrap(), Line::End);
    }

    #[test]
    fn lines_that_are_none_of_these_are_refused_by_their_code() {
        for (line, expected) in [
            ("{", PARSE_ERROR),
            ("\u{1}", PARSE_ERROR),
            ("[]", INVALID_REQUEST),
            ("{\"id\":1}", INVALID_REQUEST),
            ("{\"id\":null,\"method\":\"ping\"}", INVALID_REQUEST),
            ("{\"id\":[],\"method\":\"ping\"}", INVALID_REQUEST),
            (
                "{\"id\":1,\"method\":\"ping\",\"params\":[]}",
                INVALID_PARAMS,
            ),
        ] {
            let found = next_line(&mut line.as_bytes()).unwrap();
            let Line::Message(Incoming::Wrong { code, .. }) = found else {
                panic!("{line}: {found:?}");
            };
            assert_eq!(code, expected, "{line}");
        }
    }
}
