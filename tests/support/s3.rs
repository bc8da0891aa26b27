//! An S3 server of the tests' own: the real protocol with signatures, on loopback, its objects in a temporary folder. It can
//! be stopped and started again, refuse requests, and break connections off.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::{AbortHandle, JoinSet};

pub(crate) const ACCESS_KEY: &str = "ROLLCALLTESTS";
pub(crate) const SECRET_KEY: &str = "a-secret-of-the-tests";

/// A server; ends with the value.
pub(crate) struct Server {
    folder: TempDir,
    address: SocketAddr,
    service: S3Service,
    faults: Arc<Faults>,
    buckets: AtomicU32,
    accepting: Mutex<Option<AbortHandle>>,
    /// Taken by `drop` only.
    runtime: Option<Runtime>,
}

/// What the server does wrong.
#[derive(Default)]
struct Faults {
    /// Requests that are still to be answered with 503.
    refusals: AtomicU32,
    requests: AtomicU32,
    headers_of_put: Mutex<http::HeaderMap>,
    /// New connections break off after so many bytes; 0 is never.
    cut_after: AtomicU64,
    /// The file behind the server keeps an object and its checksum apart, so two writers must not meet.
    writing: tokio::sync::Mutex<()>,
}

impl Server {
    /// One for all tests of the program that do not disturb it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Server> = LazyLock::new(Server::start);
        &SHARED
    }

    /// One for a test that disturbs it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("rollcall-s3-").tempdir().unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = Self {
            folder,
            address: free_address(),
            service: service.build(),
            faults: Arc::default(),
            buckets: AtomicU32::new(0),
            accepting: Mutex::default(),
            runtime: Some(runtime),
        };
        server.resume();
        server
    }

    /// Makes an empty bucket and returns its name.
    pub(crate) fn new_bucket(&self) -> String {
        let bucket = format!("rollcall-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        std::fs::create_dir(self.folder.path().join(&bucket)).unwrap();
        bucket
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where an object lies that the server keeps.
    pub(crate) fn file(&self, bucket: &str, key: &str) -> PathBuf {
        self.folder.path().join(bucket).join(key)
    }

    /// The keys of all objects of a bucket.
    pub(crate) fn keys(&self, bucket: &str) -> BTreeSet<String> {
        let root = self.folder.path().join(bucket);
        let mut keys = BTreeSet::new();
        files_below(&root, &root, &mut keys);
        keys
    }

    /// Uploads that did not end and were not cleaned up.
    pub(crate) fn unfinished(&self) -> usize {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".tmp.")).count()
    }

    /// Nobody listens any more and every connection is gone.
    pub(crate) fn stop(&self) {
        if let Some(accepting) = self.accepting.lock().unwrap().take() {
            accepting.abort();
            // The port is free once the task is gone.
            while !accepting.is_finished() {
                std::thread::yield_now();
            }
        }
    }

    /// Listens again, at the same address.
    pub(crate) fn resume(&self) {
        let (service, faults, address) = (self.service.clone(), Arc::clone(&self.faults), self.address);
        let runtime = self.runtime.as_ref().unwrap();
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let task = runtime.spawn(async move { serve(TcpListener::from_std(listener).unwrap(), service, faults).await });
        *self.accepting.lock().unwrap() = Some(task.abort_handle());
    }

    /// Answers the next requests with `503 SlowDown`.
    pub(crate) fn refuse(&self, requests: u32) {
        self.faults.refusals.store(requests, Ordering::SeqCst);
    }

    /// Requests that were answered, refused ones too.
    pub(crate) fn requests(&self) -> u32 {
        self.faults.requests.load(Ordering::SeqCst)
    }

    /// What the newest upload said.
    pub(crate) fn header_of_put(&self, name: &str) -> Option<String> {
        let headers = self.faults.headers_of_put.lock().unwrap();
        headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    /// Connections made from now on break off after so many bytes from the client; `None` mends them.
    pub(crate) fn cut_after(&self, bytes: Option<u64>) {
        self.faults.cut_after.store(bytes.unwrap_or(0), Ordering::SeqCst);
        // Those that are open were made before.
        self.stop();
        self.resume();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed where async tests drop it.
            runtime.shutdown_background();
        }
    }
}

/// A port that nobody uses; kept for as long as the server lives, also while it is stopped.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Accepts until it is aborted; its connections end with it.
async fn serve(listener: TcpListener, service: S3Service, faults: Arc<Faults>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let limit = faults.cut_after.load(Ordering::SeqCst);
        let stream = Limited { stream, left: (limit > 0).then_some(limit) };
        let (service, faults) = (service.clone(), Arc::clone(&faults));
        let answer = tower::service_fn(move |request| {
            let (service, faults) = (service.clone(), Arc::clone(&faults));
            async move { answer(&service, &faults, request).await }
        });
        connections.spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            // A connection that a test breaks off ends with an error; the test looks at what its client says.
            let _ = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(answer)).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer<B>(
    service: &S3Service,
    faults: &Faults,
    request: http::Request<B>,
) -> Result<s3s::HttpResponse, s3s::HttpError>
where
    s3s::Body: From<B> + From<String>,
{
    faults.requests.fetch_add(1, Ordering::SeqCst);
    if faults.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
        return Ok(http::Response::builder()
            .status(503)
            .body(<s3s::Body as From<String>>::from(body.to_owned()))
            .unwrap());
    }
    let _alone = if request.method() == http::Method::PUT {
        request.headers().clone_into(&mut faults.headers_of_put.lock().unwrap());
        Some(faults.writing.lock().await)
    } else {
        None
    };
    service.call(request.map(<s3s::Body as From<B>>::from)).await
}

fn files_below(root: &Path, folder: &Path, keys: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(root, &path, keys);
        } else {
            keys.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// A connection that breaks off after some bytes from the client.
struct Limited {
    stream: TcpStream,
    left: Option<u64>,
}

impl AsyncRead for Limited {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == Some(0) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let n = (buf.filled().len() - before) as u64;
        self.left = self.left.map(|left| left.saturating_sub(n));
        read
    }
}

impl AsyncWrite for Limited {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
