//! Two hundred clients at once on one server with its own worker: `cargo bench --bench service`.
//!
//! Each client asks again as soon as it is answered: mostly lists and records, some pictures and sheets, few uploads, as on a
//! morning when every teacher of a college takes attendance in the same minute. Printed are the answers by kind, the times in
//! which they came, and the memory of the server before, at its peak and after. The school is the demo school, in SQLite and a
//! folder. CLIENTS and SECONDS change the size of the run; PROGRAM is another build to measure.

#![expect(clippy::unwrap_used, reason = "a failed step ends the run")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Of a hundred requests, so many are of this kind.
const MIX: [(Kind, u32); 7] = [
    (Kind::Sessions, 25),
    (Kind::Records, 30),
    (Kind::Students, 20),
    (Kind::Photos, 13),
    (Kind::Picture, 8),
    (Kind::Sheet, 2),
    (Kind::Upload, 2),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Sessions,
    Records,
    Students,
    Photos,
    Picture,
    Sheet,
    Upload,
}

/// What came back for the requests of one kind.
#[derive(Default)]
struct Answers {
    served: Vec<Duration>,
    /// 503 with `Retry-After`.
    later: u32,
    wrong: BTreeMap<String, u32>,
}

fn program() -> Command {
    Command::new(std::env::var("PROGRAM").as_deref().unwrap_or(env!("CARGO_BIN_EXE_rollcall")))
}

struct Server {
    process: Child,
    url: String,
    _school: TempDir,
}

impl Server {
    fn start() -> Self {
        let school = tempfile::tempdir().unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = |args: &[&str]| {
            let mut command = program();
            command.current_dir(repository).args(["--provider", "cpu", "--data-dir"]).arg(school.path()).args(args);
            command
        };
        let demo = |part: &str| repository.join("dataset/demo").join(part).into_os_string().into_string().unwrap();
        for step in [
            &["init"][..],
            &["roster", "import", &demo("roster.csv")],
            &["enrol", &demo("dataset"), "--consent", "recorded"],
            &["batch", &demo("class_photos")],
        ] {
            let done = program(step).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            assert!(matches!(done.code(), Some(0 | 3)), "{step:?}");
        }
        let mut serve = program(&["serve", "--with-worker", "--listen", "127.0.0.1:0"]);
        // One token for everybody, so the limit for one caller is not what is measured.
        serve.env("ROLLCALL_SERVER__RATE_PER_MINUTE", "1000000").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = serve.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.find_map(|line| line.split_once(" at http://").map(|(_, at)| format!("http://{at}"))).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url, _school: school }
    }

    fn token(&self) -> String {
        let scopes = ["roster", "attendance", "record"].iter().flat_map(|scope| ["--scope", scope]);
        let mut add = program();
        add.arg("--data-dir").arg(self._school.path()).args(["--json", "admin", "token", "add", "load"]).args(scopes);
        let output = add.stderr(Stdio::inherit()).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// Memory in use now and at most, MB.
    fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let kib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        (kib("VmRSS:") / 1024, kib("VmHWM:") / 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Load {
    http: Client,
    root: String,
    token: String,
    class: i64,
    sessions: Vec<i64>,
    photos: Vec<i64>,
    /// A class photo of some faces.
    picture: Vec<u8>,
    /// Makes each upload another photo.
    uploads: AtomicU32,
    answers: Mutex<BTreeMap<Kind, Answers>>,
}

impl Load {
    async fn prepare(server: &Server) -> Self {
        let http = Client::builder().timeout(Duration::from_secs(120)).build().unwrap();
        let (root, token) = (format!("{}/api/v1", server.url), server.token());
        let list = async |path: &str| {
            let answer = http.get(format!("{root}{path}")).bearer_auth(&token).send().await.unwrap();
            answer.json::<Value>().await.unwrap()["items"].as_array().unwrap().clone()
        };
        let ids = |items: Vec<Value>| items.iter().map(|item| item["id"].as_i64().unwrap()).collect::<Vec<_>>();
        let class = ids(list("/classes").await)[0];
        let sessions = ids(list("/sessions").await);
        let mut photos = Vec::new();
        for session in &sessions {
            photos.extend(ids(list(&format!("/sessions/{session}/photos")).await));
        }
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("dataset/demo/class_photos");
        let whole = image::open(demo.join("CSE-A_2026-11-17_0900_full.jpg")).unwrap().into_rgb8();
        let view = image::imageops::crop_imm(&whole, 500, 500, 900, 600).to_image();
        let mut picture = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut picture, 90).encode_image(&view).unwrap();
        let (uploads, answers) = (AtomicU32::new(0), Mutex::default());
        Self { http, root, token, class, sessions, photos, picture, uploads, answers }
    }

    async fn send(&self, kind: Kind, number: usize) -> reqwest::Result<Response> {
        let get = |path: String| self.http.get(format!("{}{path}", self.root)).bearer_auth(&self.token).send();
        let session = self.sessions[number % self.sessions.len()];
        match kind {
            Kind::Sessions => get("/sessions?per_page=20".into()).await,
            Kind::Records => get(format!("/sessions/{session}/records")).await,
            Kind::Students => get("/students?search=a&per_page=20".into()).await,
            Kind::Photos => get(format!("/sessions/{session}/photos")).await,
            Kind::Picture => get(format!("/photos/{}/original", self.photos[number % self.photos.len()])).await,
            Kind::Sheet => get(format!("/sessions/{session}/sheet?format=xlsx")).await,
            Kind::Upload => self.upload().await,
        }
    }

    /// A new photo for a lesson of its own.
    async fn upload(&self) -> reqwest::Result<Response> {
        let n = self.uploads.fetch_add(1, Ordering::Relaxed);
        let starts_at =
            format!("2026-{:02}-{:02}T{:02}:{:02}:00Z", 1 + n / 600 % 12, 1 + n / 24 % 25, n % 24, n / 7200);
        let post = |path: &str| self.http.post(format!("{}{path}", self.root)).bearer_auth(&self.token);
        let made = post("/sessions").json(&json!({ "class_id": self.class, "starts_at": starts_at })).send().await?;
        if !made.status().is_success() {
            return Ok(made);
        }
        let session = made.json::<Value>().await?["id"].as_i64().unwrap();
        // What follows the end of a JPEG is not looked at, but is part of its hash.
        let bytes = [self.picture.as_slice(), &n.to_le_bytes()].concat();
        let form = Form::new().part("photo", Part::bytes(bytes).file_name("class.jpg"));
        post(&format!("/sessions/{session}/photos")).multipart(form).send().await
    }

    /// Asks until the time is over.
    async fn client(self: Arc<Self>, seed: usize, until: Instant) {
        let mut number = seed;
        while Instant::now() < until {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let kind = kind_of((number >> 33) as u32 % 100);
            let start = Instant::now();
            let answer = match self.send(kind, number >> 40).await {
                Ok(answer) => {
                    let (status, later) = (answer.status(), answer.headers().contains_key("retry-after"));
                    answer.bytes().await.map(|_| (status, later)).map_err(|e| innermost(&e))
                }
                Err(error) => Err(innermost(&error)),
            };
            let took = start.elapsed();
            let wait = {
                let mut all = self.answers.lock().unwrap();
                let answers = all.entry(kind).or_default();
                match &answer {
                    Ok((status, _)) if status.is_success() => answers.served.push(took),
                    Ok((status, true)) if status.as_u16() == 503 => answers.later += 1,
                    Ok((status, _)) => *answers.wrong.entry(status.to_string()).or_default() += 1,
                    Err(error) => *answers.wrong.entry(error.clone()).or_default() += 1,
                }
                matches!(answer, Ok((status, _)) if status.as_u16() == 503)
            };
            if wait {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// What was wrong in the end, without addresses.
fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map_or_else(String::new, ToString::to_string)
}

fn kind_of(percent: u32) -> Kind {
    let mut below = 0;
    let kind = MIX.iter().find(|(_, share)| {
        below += share;
        percent < below
    });
    kind.expect("the shares make a hundred").0
}

fn quantile(sorted: &[Duration], q: f64) -> f64 {
    let index = ((sorted.len() as f64 * q).ceil() as usize).clamp(1, sorted.len()) - 1;
    sorted[index].as_secs_f64() * 1e3
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    // `cargo test` builds and runs benches too; this one is only for `cargo bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let (clients, seconds) = (number("CLIENTS", 200), number("SECONDS", 60));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::start();
    let load = Arc::new(runtime.block_on(Load::prepare(&server)));
    let (before, _) = server.memory();
    let start = Instant::now();
    runtime.block_on(async {
        let until = start + Duration::from_secs(seconds);
        let all: Vec<_> = (0..clients).map(|n| tokio::spawn(Arc::clone(&load).client(n as usize, until))).collect();
        for client in all {
            client.await.unwrap();
        }
    });
    let elapsed = start.elapsed();
    let (at_end, peak) = server.memory();
    println!("{clients} clients, {:.0} s, one server with a worker", elapsed.as_secs_f64());
    println!(
        "{:>10} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}",
        "", "served", "later", "wrong", "p50 ms", "p95 ms", "p99 ms"
    );
    let mut every = Answers::default();
    let mut photos = 0;
    for (kind, answers) in std::mem::take(&mut *load.answers.lock().unwrap()) {
        print(&format!("{kind:?}").to_lowercase(), &answers);
        if kind == Kind::Upload {
            photos = answers.served.len();
        }
        every.served.extend(answers.served);
        every.later += answers.later;
        answers.wrong.into_iter().for_each(|(what, n)| *every.wrong.entry(what).or_default() += n);
    }
    print("all", &every);
    println!("{:.0} answers a second", every.served.len() as f64 / elapsed.as_secs_f64());
    every.wrong.iter().for_each(|(what, n)| println!("wrong: {n} x {what}"));
    let waiting = Instant::now();
    while runtime.block_on(photos_wait(&load, &server.url)) && waiting.elapsed() < Duration::from_secs(600) {
        std::thread::sleep(Duration::from_secs(1));
    }
    println!("{} photos uploaded, the last looked at {:.0} s after the end", photos, waiting.elapsed().as_secs_f64());
    println!(
        "memory of the server, MB: {before} before, {peak} at most, {at_end} at the end, {} with all done",
        server.memory().0
    );
    assert!(every.wrong.is_empty(), "every answer is right, or says when to come again");
}

fn print(what: &str, answers: &Answers) {
    let mut sorted = answers.served.clone();
    sorted.sort_unstable();
    let wrong: u32 = answers.wrong.values().sum();
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|q| if sorted.is_empty() { 0.0 } else { quantile(&sorted, q) });
    println!("{what:>10} {:>8} {:>8} {wrong:>8} {p50:>9.1} {p95:>9.1} {p99:>9.1}", sorted.len(), answers.later);
}

/// Whether the server's figures tell of jobs that are not done.
async fn photos_wait(load: &Load, url: &str) -> bool {
    let figures = load.http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    let unfinished = |line: &&str| line.starts_with("rollcall_queue_jobs") && !line.ends_with(" 0");
    figures.lines().filter(unfinished).any(|line| line.contains("queued") || line.contains("running"))
}
