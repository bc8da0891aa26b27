//! A server of its own for each test.

use std::sync::Arc;

use chrono::Utc;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::app::audit::By;
use crate::app::auth::tokens::{self, TokenWish};
use crate::app::auth::users::{self, Newcomer};
use crate::app::auth::{Keys, Password};
use crate::app::error::Error;
use crate::app::work::{Shift, work};
use crate::app::{Recogniser, School};
use crate::config::Config;
use crate::domain::access::{Role, Scope};
use crate::domain::ids::ClassId;
use crate::http::Server;
use crate::queue::Stop;
use crate::storage::ObjectStore;

pub(super) const PASSWORD: &str = "correct horse battery";

pub(super) struct TestServer {
    pub(super) school: School,
    base: String,
    client: Client,
    stop: Stop,
    running: JoinHandle<Result<(), Error>>,
    _folder: TempDir,
}

impl TestServer {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings than the defaults; the rate is high, so that tests meet it only where they mean to.
    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(change, None).await
    }

    /// On another store than a folder.
    pub(super) async fn on(change: impl FnOnce(&mut Config), store: Option<Arc<dyn ObjectStore>>) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = Config { data_dir: folder.path().into(), ..Config::default() };
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.rate_per_minute = 1_000_000;
        change(&mut config);
        let mut school = School::create(&config).await.unwrap();
        school.store = store.unwrap_or(school.store);
        let keys = Keys::of(&school).await.unwrap();
        let stop = Stop::default();
        let recogniser = Recogniser::fake(&config);
        let server = Server::bind(school.clone(), recogniser, keys, stop.clone()).await.unwrap();
        let base = format!("http://{}", server.address().unwrap());
        let running = tokio::spawn(server.run());
        Self { school, base, client: Client::new(), stop, running, _folder: folder }
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Tells it to stop, and returns when it has.
    pub(super) async fn stop_and_wait(mut self) {
        self.stop.now();
        (&mut self.running).await.unwrap().unwrap();
    }

    pub(super) fn stop(&self) {
        self.stop.now();
    }

    /// And a worker beside it.
    pub(super) fn with_worker(self) -> Self {
        let (school, recogniser, stop) =
            (self.school.clone(), Recogniser::fake(self.school.config()), self.stop.clone());
        tokio::spawn(async move {
            work(&school, &recogniser, Shift::Endless, &stop, &mut |_| {}).await.unwrap();
        });
        self
    }

    pub(super) async fn user(&self, name: &str, role: Role, classes: &[ClassId]) -> String {
        let password = Password::from(PASSWORD.to_owned());
        let new = Newcomer { name: name.into(), display_name: None, role, password, classes: classes.to_vec() };
        users::create(&self.school, By::command(), new, Utc::now()).await.unwrap();
        self.login(name).await
    }

    /// An access token.
    pub(super) async fn login(&self, name: &str) -> String {
        let body = serde_json::json!({ "name": name, "password": PASSWORD });
        let answer = self.post("/api/v1/auth/login").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    pub(super) async fn token(&self, scopes: &[Scope]) -> String {
        let wish = TokenWish { name: "a machine".into(), scopes: scopes.to_vec(), expires_at: None };
        tokens::create(&self.school, By::command(), wish, Utc::now()).await.unwrap().secret
    }

    pub(super) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", self.base))
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.request("GET", path)
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.request("POST", path)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.now();
    }
}

/// The problem of an answer: its status and code.
pub(super) async fn problem(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        (body["status"].as_u64(), body["request_id"].as_str()),
        (Some(status.into()), Some(id.as_str())),
        "{body}"
    );
    (status, body["code"].as_str().unwrap().to_owned())
}
