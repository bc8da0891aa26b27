//! Everything that a service stands on goes away under it, one after the other: a worker, the database, the photos.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::service::{PASSWORD, Service, add_user, worker};
use crate::support::{Photos, School, demo, fifty, substance};
use crate::{bucket, postgres, s3};

/// Longer than a client and the program itself keep trying; what an operator needs to restart a storage.
const STORAGE_AWAY: Duration = Duration::from_secs(60);
/// For everything that has to happen some time.
const PATIENCE: Duration = Duration::from_secs(300);

/// A client that goes on until it is served, and notes what it was told on the way.
struct Persistent {
    http: Client,
    root: String,
    token: String,
    refusals: BTreeSet<String>,
}

impl Persistent {
    async fn sign_in(url: &str) -> Self {
        let http = Client::builder().timeout(Duration::from_secs(100)).build().unwrap();
        let root = format!("{url}/api/v1");
        let body = json!({ "name": "ann", "password": PASSWORD });
        let answer = http.post(format!("{root}/auth/login")).json(&body).send().await.unwrap();
        let token = answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
        Self { http, root, token, refusals: BTreeSet::new() }
    }

    /// The answer of a success. Everything else has to be a problem that says when to come again.
    async fn until_served(&mut self, send: impl AsyncFn(&Self) -> reqwest::Result<Response>) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = send(self).await.expect("the server itself never goes away");
            let status = answer.status();
            if status.is_success() {
                return answer.json().await.unwrap();
            }
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            let retry_after = answer.headers().get("retry-after").cloned();
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
            assert!(retry_after.is_some(), "{problem}");
            self.refusals.insert(problem["code"].as_str().unwrap().to_owned());
            assert!(Instant::now() < deadline, "{problem}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn get(&mut self, path: &str) -> Value {
        let path = format!("{}{path}", self.root);
        self.until_served(async |client| client.http.get(&path).bearer_auth(&client.token).send().await).await
    }

    /// Makes a session and uploads its photos; both may be sent again and again.
    async fn attend(&mut self, class: &Value, lesson: &Lesson) -> i64 {
        let Lesson { starts_at, photos } = lesson;
        let sessions = format!("{}/sessions", self.root);
        let body = json!({ "class_id": class, "starts_at": starts_at });
        let made =
            async |client: &Self| client.http.post(&sessions).bearer_auth(&client.token).json(&body).send().await;
        let session = self.until_served(made).await["id"].as_i64().unwrap();
        let photos_of = format!("{sessions}/{session}/photos");
        let upload = async |client: &Self| {
            let form = photos.iter().fold(Form::new(), |form, (name, bytes)| {
                form.part("photo", Part::bytes(bytes.clone()).file_name(name.clone()))
            });
            let request = client.http.post(&photos_of).bearer_auth(&client.token);
            request.header("Idempotency-Key", format!("lesson-{session}")).multipart(form).send().await
        };
        let uploaded = self.until_served(upload).await;
        assert_eq!(uploaded["photos"].as_array().unwrap().len(), photos.len(), "{uploaded}");
        session
    }
}

/// One meeting of the class.
struct Lesson {
    starts_at: String,
    /// Names and bytes.
    photos: Vec<(String, Vec<u8>)>,
}

/// The photos of a folder by lesson.
fn lessons(photos: &Photos) -> Vec<Lesson> {
    let mut lessons: Vec<Lesson> = Vec::new();
    let mut names: Vec<String> =
        std::fs::read_dir(photos.path()).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    for name in names {
        let day = name.split('_').nth(1).unwrap();
        let starts_at = format!("{day}T09:00:00Z");
        let bytes = std::fs::read(photos.path().join(&name)).unwrap();
        match lessons.last_mut() {
            Some(last) if last.starts_at == starts_at => last.photos.push((name, bytes)),
            _ => lessons.push(Lesson { starts_at, photos: vec![(name, bytes)] }),
        }
    }
    lessons
}

impl Service {
    /// Kills a worker where it is, and starts another as an operator would.
    fn replace_a_worker(&mut self, school: &School) {
        self.processes[0].kill().unwrap();
        self.processes[0].wait().unwrap();
        self.processes[0] = worker(school);
    }
}

async fn ready(http: &Client, url: &str) -> (StatusCode, Value) {
    let answer = http.get(format!("{url}/readyz")).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[test]
fn a_service_loses_nothing_when_a_worker_the_database_and_the_storage_go_away() {
    let photos = fifty();
    let calm = substance(&School::enrolled().batch(&photos, 0));
    // Both are disturbed, so nobody else may use them.
    let database: &'static postgres::Server = Box::leak(Box::new(postgres::Server::start()));
    let storage = s3::Server::start();
    let bucket = storage.new_bucket();
    let mut variables = bucket::variables(&storage, &bucket);
    let impatient = [("ROLLCALL_QUEUE__LEASE_SECS", "2"), ("ROLLCALL_PHOTOS__IN_FLIGHT", "2")];
    variables.extend(impatient.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let school = School::empty_on(Some(database)).with_variables(variables);
    school.run(&["roster", "import", demo("roster.csv").to_str().unwrap()]).expect(0);
    school.run(&["enrol", demo("dataset").to_str().unwrap(), "--consent", "recorded"]).expect(0);
    add_user(&school, "ann", "admin");
    let mut service = Service::start(&school, 2);
    let url = service.url.clone();
    let lessons = lessons(&photos);
    assert_eq!(lessons.len(), 25);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let refusals = runtime.block_on(async {
        let mut client = Persistent::sign_in(&url).await;
        let classes = client.get("/classes?search=CSE").await;
        let class = classes["items"].as_array().unwrap().iter().find(|c| c["section"] == "A").unwrap()["id"].clone();
        let mut sessions = Vec::new();
        for (n, lesson) in lessons.iter().enumerate() {
            match n {
                // With photos in hand: those of the lessons before.
                4 | 8 => service.replace_a_worker(&school),
                12 => drop(tokio::task::spawn_blocking(|| database.restart())),
                16 => {
                    storage.stop();
                    let since = Instant::now();
                    // Tries to upload all the while; what does not need the storage works.
                    let mut other = Persistent::sign_in(&url).await;
                    let reads = async {
                        loop {
                            let (status, state) = ready(&other.http, &url).await;
                            if since.elapsed() >= STORAGE_AWAY {
                                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{state}");
                                assert_eq!(state["storage"]["ok"], false, "{state}");
                                storage.resume();
                                break;
                            }
                            assert!(other.get("/sessions").await["total"].as_i64().unwrap() >= 16);
                            tokio::time::sleep(Duration::from_secs(1)).await;
                        }
                        other.refusals
                    };
                    let (session, reading) = tokio::join!(client.attend(&class, lesson), reads);
                    assert_eq!(reading, BTreeSet::new(), "reading a list needs no storage");
                    sessions.push(session);
                    continue;
                }
                _ => {}
            }
            sessions.push(client.attend(&class, lesson).await);
        }
        assert_eq!(sessions.iter().collect::<BTreeSet<_>>().len(), 25);
        let deadline = Instant::now() + PATIENCE;
        for session in sessions {
            while client.get(&format!("/sessions/{session}")).await["photos"]["waiting"] != 0 {
                assert!(Instant::now() < deadline, "session {session} is never settled");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        client.refusals
    });
    assert!(refusals.contains("STORAGE_ERROR"), "{refusals:?}");
    let known = ["STORAGE_ERROR", "DATABASE_ERROR", "TIMEOUT"];
    assert!(refusals.iter().all(|code| known.contains(&code.as_str())), "{refusals:?}");
    assert_eq!(runtime.block_on(ready(&Client::new(), &url)).0, StatusCode::OK, "all is well again");
    drop(service);

    // A batch over the same photos has nothing to do, and says what a calm one says.
    let report = school.batch(&photos, 0);
    assert!(report["photos"].as_array().unwrap().iter().all(|photo| photo["status"] == "duplicate"), "{report}");
    assert_eq!(substance(&report), calm);
    let counts = school.run(&["--json", "admin", "jobs"]).expect(0).json()["counts"].clone();
    assert_eq!((&counts["done"], &counts["failed"], &counts["queued"]), (&json!(50), &json!(0), &json!(0)));
    let check = school.run(&["--json", "admin", "storage", "check", "--hashes"]).expect(0).json();
    assert_eq!((&check["rows"], &check["objects"]), (&json!(146), &json!(146)));
}
