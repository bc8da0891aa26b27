//! A web server on loopback that does what it is told, and misbehaves on request: it cuts connections, forgets ranges,
//! lies about lengths. Servers of libraries do none of this, hence a plain socket.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as far as tests care.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// First byte of `Range: bytes=N-`.
    pub(crate) from: Option<usize>,
    pub(crate) if_range: Option<String>,
}

/// What goes back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<String>,
    body: Vec<u8>,
    length: Option<usize>,
    cut_after: Option<usize>,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), length: Some(0), cut_after: None }
    }

    /// The whole file, whatever range was asked for.
    pub(crate) fn whole(bytes: &[u8]) -> Self {
        Self { body: bytes.to_vec(), length: Some(bytes.len()), ..Self::status(200) }
    }

    /// The range that was asked for, or the whole file.
    pub(crate) fn ranged(request: &Request, bytes: &[u8]) -> Self {
        let Some(from) = request.from else { return Self::whole(bytes) };
        if from >= bytes.len() {
            return Self::status(416);
        }
        let range = format!("Content-Range: bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        Self { status: 206, ..Self::whole(&bytes[from..]) }.with(&range)
    }

    pub(crate) fn with(mut self, header: &str) -> Self {
        self.headers.push(header.to_owned());
        self
    }

    /// The connection ends after so many bytes of the body, though more were promised.
    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }

    /// Nothing is said about the length: the body ends with the connection.
    pub(crate) fn of_unknown_length(mut self) -> Self {
        self.length = None;
        self
    }
}

type Handler = dyn Fn(&Request, usize) -> Reply + Send + Sync;

/// Answers until the test ends.
pub(crate) struct Server {
    address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// `answer` is given each request and how many came before it.
    pub(crate) fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer): (_, Arc<Handler>) = (Arc::clone(&seen), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                // A client that hangs up in mid-answer is what some tests want.
                thread::spawn(move || serve(&stream.unwrap(), &log, &*answer).ok());
            }
        });
        Self { address, seen }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<Request>>, answer: &Handler) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let mut request = Request::default();
    for (n, line) in lines.by_ref().enumerate() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let value = |name: &str| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        if n == 0 {
            line.split(' ').nth(1).unwrap().clone_into(&mut request.path);
        } else if let Some(range) = value("range") {
            request.from = Some(range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap());
        } else if let Some(validator) = value("if-range") {
            request.if_range = Some(validator);
        }
    }
    let before = {
        let mut log = log.lock().unwrap();
        log.push(request.clone());
        log.len() - 1
    };
    let reply = answer(&request, before);
    let mut head = format!("HTTP/1.1 {} \r\nConnection: close\r\n", reply.status);
    reply.length.iter().for_each(|length| head.push_str(&format!("Content-Length: {length}\r\n")));
    reply.headers.iter().for_each(|header| head.push_str(&format!("{header}\r\n")));
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.write_all(&reply.body[..reply.cut_after.unwrap_or(reply.body.len())])
}
