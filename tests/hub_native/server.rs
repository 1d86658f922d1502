//! A web server for tests, with the faults of real ones, and a hub made of two of them: one that
//! knows what the files are, and one on another port that has the large ones.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// One request, and what it was answered.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    pub status: u16,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What goes wrong with one reply.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection breaks after so many bytes of the body.
    Cut(usize),
    /// Nothing more is said after so many bytes, but the connection stays.
    Stall(usize),
    /// The body comes in pieces of so many bytes, with pauses.
    Drip(usize, Duration),
    /// A status instead of the file, with headers.
    Status(u16, Vec<(&'static str, String)>),
    /// `Content-Length` is off by so much.
    Length(i64),
    /// One byte of the body is another one.
    Damage,
    /// The file becomes another one, before the request is answered.
    Change(Vec<u8>),
    /// No fault, this time.
    None,
}

/// How a server treats a file.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub bytes: Vec<u8>,
    /// Without quotes; none is sent if it is empty.
    pub etag: String,
    pub last_modified: Option<String>,
    /// Instead of the file.
    pub status: Option<u16>,
    /// Sent with every reply.
    pub headers: Vec<(&'static str, String)>,
    /// Redirects here instead of sending bytes.
    pub location: Option<String>,
    pub no_ranges: bool,
    /// Answers ranges whatever `If-Range` says.
    pub ignores_if_range: bool,
}

#[derive(Default)]
struct State {
    pages: BTreeMap<String, Page>,
    faults: HashMap<String, VecDeque<Fault>>,
    /// For paths without a page.
    missing: Vec<(&'static str, String)>,
    requests: Vec<Request>,
}

/// A web server that ends with the test.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    over: Arc<AtomicBool>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (state, over) = (
            Arc::new(Mutex::new(State::default())),
            Arc::new(AtomicBool::new(false)),
        );
        let (shared, ended) = (state.clone(), over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (shared, ended) = (shared.clone(), ended.clone());
                std::thread::spawn(move || {
                    stream.and_then(|stream| answer(stream, &shared, &ended))
                });
            }
        });
        Self {
            address,
            state,
            over,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread has panicked")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn put(&self, path: &str, page: Page) {
        self.state().pages.insert(path.into(), page);
    }

    pub fn remove(&self, path: &str) {
        self.state().pages.remove(path);
    }

    /// Changes a page that is there.
    pub fn change(&self, path: &str, change: impl FnOnce(&mut Page)) {
        change(self.state().pages.get_mut(path).expect("a page"));
    }

    /// What happens to the next requests for the bytes of `path`, one after the other.
    pub fn fail(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state()
            .faults
            .entry(path.into())
            .or_default()
            .extend(faults);
    }

    /// Headers of replies with status 404.
    pub fn missing(&self, headers: Vec<(&'static str, String)>) {
        self.state().missing = headers;
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    pub fn forget_requests(&self) {
        self.state().requests.clear();
    }

    /// Requests for the bytes of `path`.
    pub fn gets(&self, path: &str) -> Vec<Request> {
        let requests = self.requests().into_iter();
        requests
            .filter(|request| request.method == "GET" && request.path == path)
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address)); // wakes the listener up
    }
}

/// A page as most servers have it: with an ETag, and with ranges.
pub fn page(bytes: impl Into<Vec<u8>>) -> Page {
    let bytes = bytes.into();
    let etag = sha256(&bytes)[..32].to_string();
    Page {
        bytes,
        etag,
        ..Page::default()
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn answer(stream: TcpStream, state: &Mutex<State>, over: &AtomicBool) -> std::io::Result<()> {
    let Some(mut request) = read_request(&stream)? else {
        return Ok(());
    };
    let (reply, fault) = {
        let mut state = state.lock().expect("no thread has panicked");
        let fault = next_fault(&mut state, &request);
        let reply = reply(&state, &request, &fault);
        request.status = reply.status;
        state.requests.push(request.clone());
        (reply, fault)
    };
    send(stream, &request, &reply, &fault, over)
}

fn read_request(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_string);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            return Ok(Some(Request {
                method,
                path,
                headers,
                status: 0,
            }));
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_string());
    }
}

fn next_fault(state: &mut State, request: &Request) -> Fault {
    let queue = state
        .faults
        .get_mut(&request.path)
        .filter(|_| request.method == "GET");
    let fault = queue.and_then(VecDeque::pop_front).unwrap_or(Fault::None);
    if let Fault::Change(bytes) = &fault {
        let page = state.pages.get_mut(&request.path).expect("a page");
        let headers = std::mem::take(&mut page.headers);
        *page = Page {
            headers,
            ..self::page(bytes.clone())
        };
    }
    fault
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn reply(state: &State, request: &Request, fault: &Fault) -> Reply {
    if let Fault::Status(status, headers) = fault {
        return Reply {
            status: *status,
            headers: headers.clone(),
            body: b"a page for people".to_vec(),
        };
    }
    let Some(page) = state.pages.get(&request.path) else {
        return Reply {
            status: 404,
            headers: state.missing.clone(),
            body: b"nothing".to_vec(),
        };
    };
    let mut headers = page.headers.clone();
    if let Some(status) = page.status {
        return Reply {
            status,
            headers,
            body: b"a page for people".to_vec(),
        };
    }
    if let Some(location) = &page.location {
        headers.push(("Location", location.clone()));
        return Reply {
            status: 302,
            headers,
            body: Vec::new(),
        };
    }
    let etag = format!("\"{}\"", page.etag);
    if !page.etag.is_empty() {
        headers.push(("ETag", etag.clone()));
    }
    headers.extend(
        page.last_modified
            .clone()
            .map(|date| ("Last-Modified", date)),
    );
    let unchanged = request.header("if-none-match") == Some(&etag)
        || (page.last_modified.is_some()
            && request.header("if-modified-since") == page.last_modified.as_deref());
    if unchanged {
        return Reply {
            status: 304,
            headers,
            body: Vec::new(),
        };
    }
    let total = page.bytes.len();
    let current =
        request.header("if-range").is_none_or(|asked| asked == etag) || page.ignores_if_range;
    let start = request
        .header("range")
        .filter(|_| !page.no_ranges && current);
    let start = start.map(|range| {
        range["bytes=".len()..]
            .trim_end_matches('-')
            .parse::<usize>()
            .expect("a number")
    });
    match start {
        None => Reply {
            status: 200,
            headers,
            body: page.bytes.clone(),
        },
        Some(start) if start >= total => {
            headers.push(("Content-Range", format!("bytes */{total}")));
            Reply {
                status: 416,
                headers,
                body: Vec::new(),
            }
        }
        Some(start) => {
            headers.push((
                "Content-Range",
                format!("bytes {start}-{}/{total}", total - 1),
            ));
            Reply {
                status: 206,
                headers,
                body: page.bytes[start..].to_vec(),
            }
        }
    }
}

fn send(
    mut stream: TcpStream,
    request: &Request,
    reply: &Reply,
    fault: &Fault,
    over: &AtomicBool,
) -> std::io::Result<()> {
    let mut body = reply.body.clone();
    let difference = if let Fault::Length(difference) = fault {
        *difference
    } else {
        0
    };
    let length = body.len() as i64 + difference;
    let mut head = format!(
        "HTTP/1.1 {} Reply\r\nConnection: close\r\nContent-Length: {length}\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method == "HEAD" {
        return Ok(());
    }
    match fault {
        Fault::Cut(count) => stream.write_all(&body[..body.len().min(*count)])?,
        Fault::Stall(count) => {
            stream.write_all(&body[..body.len().min(*count)])?;
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Fault::Drip(size, pause) => {
            for piece in body.chunks(*size) {
                stream.write_all(piece)?;
                std::thread::sleep(*pause);
            }
        }
        _ => {
            if let (Fault::Damage, Some(byte)) = (fault, body.last_mut()) {
                *byte ^= 1;
            }
            stream.write_all(&body)?;
        }
    }
    // Reading to the end keeps the system from resetting the connection before all has arrived.
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.take(1 << 16).read_to_end(&mut Vec::new()).map(drop)
}

/// A hub with one repository, `owner/name`.
pub struct Hub {
    /// Says what the files are, and has the small ones.
    pub front: Server,
    /// Has the large ones.
    pub storage: Server,
}

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Hub {
    /// A hub whose `main` is at [`COMMIT`]. Files named like weights are large ones.
    pub fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let hub = Self {
            front: Server::start(),
            storage: Server::start(),
        };
        hub.front
            .missing(vec![("X-Error-Code", "EntryNotFound".into())]);
        hub.publish("main", COMMIT, files);
        hub
    }

    /// Puts files up under a revision and under its commit.
    pub fn publish(&self, revision: &str, commit: &str, files: &[(&str, Vec<u8>)]) {
        for (file, bytes) in files {
            for at in [revision, commit] {
                self.front
                    .put(&path_at(at, file), self.page_of(file, bytes, commit));
            }
        }
    }

    fn page_of(&self, file: &str, bytes: &[u8], commit: &str) -> Page {
        let mut headers = vec![("X-Repo-Commit", commit.to_string())];
        if ![".safetensors", ".bin", ".gguf"]
            .iter()
            .any(|ending| file.ends_with(ending))
        {
            return Page {
                headers,
                ..page(bytes)
            };
        }
        let sum = sha256(bytes);
        self.storage.put(&format!("/{sum}"), page(bytes));
        headers.push(("X-Linked-Etag", format!("\"{sum}\"")));
        headers.push(("X-Linked-Size", bytes.len().to_string()));
        let location = Some(self.storage.url(&format!("/{sum}")));
        Page {
            headers,
            location,
            ..Page::default()
        }
    }

    /// The files that bytes were sent of, in order.
    pub fn fetched(&self) -> Vec<String> {
        let requests = self.front.requests().into_iter();
        let served = requests.filter(|request| request.method == "GET" && request.status < 400);
        served
            .map(|request| {
                request
                    .path
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_string()
            })
            .collect()
    }
}

/// Where a file of the hub is.
pub fn path_at(revision: &str, file: &str) -> String {
    format!("/owner/name/resolve/{revision}/{file}")
}
