//! HTTP requests: redirects followed by hand, because the token is for the hub alone and because the
//! hub says what a file is in the reply that redirects to it; status codes as errors that say what
//! to do.

use super::address::{redirected, same_origin, shown};
use super::patience::Failure;
use super::{Environment, Options};
use crate::Error;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{HeaderMap, Response, header};

const MOST_REDIRECTS: usize = 10;

/// Speaks to the hub and to other servers.
pub struct Client {
    agent: Agent,
    environment: Environment,
}

/// A reply whose body is still to be read.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// Whether the server that was asked answered, not one that it redirected to.
    pub direct: bool,
    pub body: ureq::Body,
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Get,
    Head,
}

impl Client {
    pub fn new(options: &Options) -> Self {
        let config = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            // Ranges and checksums are of the file as it is, not of a compressed one.
            .accept_encoding("identity")
            .user_agent(concat!("obscura/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(options.silence.min(Duration::from_secs(10))))
            .timeout_recv_response(Some(options.silence))
            .timeout_per_read(Some(options.silence))
            .build();
        Self {
            agent: config.into(),
            environment: options.environment.clone(),
        }
    }

    /// Asks for a file. Status 200, 206, 304, 404, 410 and 416 are for the caller to understand.
    pub fn get(&self, url: &str, headers: &[(&str, String)]) -> Result<Reply, Failure> {
        self.follow(Method::Get, url, headers)
    }

    /// Asks what a file is. The reply may be a redirect, if that tells the file's checksum.
    pub fn head(&self, url: &str) -> Result<Reply, Failure> {
        self.follow(Method::Head, url, &[])
    }

    fn follow(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, String)],
    ) -> Result<Reply, Failure> {
        let mut here = url.to_string();
        for _ in 0..=MOST_REDIRECTS {
            let response = self
                .send(method, &here, headers)
                .map_err(|error| failed(url, error))?;
            let status = response.status().as_u16();
            let identified =
                method == Method::Head && response.headers().contains_key("x-linked-etag");
            let location = text(response.headers(), header::LOCATION.as_str());
            match location {
                Some(location) if matches!(status, 301 | 302 | 303 | 307 | 308) && !identified => {
                    here = redirected(&here, &location).ok_or_else(|| {
                        let target = shown(&location).escape_debug();
                        Error::Network(format!(
                            "{} redirects to {target}, which is not followed",
                            shown(url)
                        ))
                    })?;
                }
                _ => return self.understood(url, &here, response),
            }
        }
        Err(Error::Network(format!("{} redirects for ever", shown(url))).into())
    }

    fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, String)],
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let mut request = match method {
            Method::Get => self.agent.get(url),
            Method::Head => self.agent.head(url),
        };
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(token) = self.token_for(url) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.call()
    }

    fn token_for(&self, url: &str) -> Option<&str> {
        let token = self.environment.token.as_deref()?;
        same_origin(url, &self.environment.endpoint).then_some(token)
    }

    /// The reply, if its status is one that a caller can go on with.
    fn understood(
        &self,
        url: &str,
        final_url: &str,
        response: Response<ureq::Body>,
    ) -> Result<Reply, Failure> {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let reply = Reply {
            status,
            headers: head.headers,
            direct: same_origin(url, final_url),
            body,
        };
        let address = shown(url);
        match status {
            200 | 206 | 301..=308 | 404 | 410 | 416 => Ok(reply),
            401 | 403 => Err(self.refused(url, &reply)),
            408 | 425 | 429 | 500..=599 => Err(Failure::Passing {
                error: Error::Network(format!("{address}: the server answers {}", named(status))),
                wait: wait(&reply.headers),
            }),
            _ => Err(
                Error::Network(format!("{address}: the server answers {}", named(status))).into(),
            ),
        }
    }

    fn refused(&self, url: &str, reply: &Reply) -> Failure {
        const HOW: &str = "set HF_TOKEN, or log in with `hf auth login`";
        let (address, status) = (shown(url), reply.status);
        let Environment {
            endpoint, token, ..
        } = &self.environment;
        let gated = reply.error_code() == Some("GatedRepo".into());
        Error::Network(if !same_origin(url, endpoint) {
            format!("{address}: the server refuses access (HTTP {status}); the hub's token is not sent there")
        } else if gated && token.is_none() {
            format!("{address} is gated: accept its conditions on its page at {endpoint}, then {HOW}")
        } else if gated {
            format!("{address} is gated, and your token has no access: accept its conditions on its page at {endpoint}")
        } else if token.is_none() {
            format!(
                "{address}: there is no such repository, or it is private (HTTP {status}). Check the \
                 spelling, or pass a token: {HOW}"
            )
        } else {
            format!(
                "{address}: there is no such repository, or your token has no access to it (HTTP {status}). \
                 Check the spelling and the token (HF_TOKEN)"
            )
        })
        .into()
    }
}

impl Reply {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<String> {
        text(&self.headers, name)
    }

    /// The hub's word for what is wrong.
    pub fn error_code(&self) -> Option<String> {
        self.header("x-error-code")
    }

    /// The body's length, where the server says it.
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// First byte and total of a partial reply.
    pub fn content_range(&self) -> Option<(u64, Option<u64>)> {
        let range = self.header("content-range")?;
        let (range, total) = range.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (start, _) = range.split_once('-')?;
        Some((start.parse().ok()?, total.parse().ok()))
    }

    /// The ETag, if it promises the same bytes and not just the same meaning.
    pub fn strong_etag(&self) -> Option<String> {
        self.header("etag").filter(|etag| etag.starts_with('"'))
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_string)
}

fn named(status: u16) -> String {
    let reason = ureq::http::StatusCode::from_u16(status).ok();
    match reason.and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

/// `Retry-After`, in seconds. Its other form, a date, is left to our own pauses.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = text(headers, "retry-after")?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// A request that got no reply.
fn failed(url: &str, error: ureq::Error) -> Failure {
    let address = shown(url);
    match error {
        ureq::Error::HostNotFound => Failure::passing(format!(
            "{address}: the host was not found; is there a network?"
        )),
        ureq::Error::Timeout(_) => {
            Failure::passing(format!("{address}: the server does not answer"))
        }
        ureq::Error::Io(error) => Failure::passing(format!("{address}: {}", cause(&error))),
        ureq::Error::ConnectionFailed | ureq::Error::Protocol(_) => {
            Failure::passing(format!("{address}: {error}"))
        }
        error => Error::Network(format!("{address}: {error}")).into(),
    }
}

/// What broke a connection, in words.
pub fn cause(error: &std::io::Error) -> String {
    use std::io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof,
    };
    let timeout = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<ureq::Error>());
    match error.kind() {
        _ if matches!(timeout, Some(ureq::Error::Timeout(_))) => "the server fell silent".into(),
        TimedOut => "the server fell silent".into(),
        ConnectionRefused => "the connection was refused; is the server running?".into(),
        ConnectionAborted | ConnectionReset | UnexpectedEof => "the connection broke".into(),
        _ => error.to_string(),
    }
}
