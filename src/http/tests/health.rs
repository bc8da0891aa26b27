//! The health of a worker, which answers nothing else.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::problem;
use crate::app::{Recogniser, School};
use crate::config::Config;
use crate::db::{DbError, transaction};
use crate::http::HealthServer;
use crate::queue::store::{self, Ask};
use crate::queue::{NewJob, Priority, Stop};

/// A worker's health: its address, its school, what stops it.
async fn start() -> (String, School, Stop, TempDir) {
    let folder = TempDir::new().unwrap();
    let config = Config { data_dir: folder.path().into(), ..Config::default() };
    let school = School::create(&config).await.unwrap();
    let (recogniser, stop) = (Recogniser::fake(&config), Stop::default());
    let any_port = "127.0.0.1:0".parse().unwrap();
    let server = HealthServer::bind(any_port, school.clone(), &recogniser, stop.clone()).await.unwrap();
    let base = format!("http://{}", server.address().unwrap());
    tokio::spawn(server.run());
    (base, school, stop, folder)
}

#[tokio::test]
async fn a_worker_tells_its_health_and_nothing_else() {
    let (base, _school, stop, _folder) = start().await;
    let get = |path: &str| reqwest::get(format!("{base}{path}"));
    assert_eq!(get("/livez").await.unwrap().status(), 200);
    let ready = get("/readyz").await.unwrap();
    let body: Value = ready.json().await.unwrap();
    assert_eq!((&body["database"]["ok"], &body["storage"]["ok"]), (&json!(true), &json!(true)), "{body}");
    for path in ["/api/v1/classes", "/docs/", "/openapi.json"] {
        assert_eq!(problem(get(path).await.unwrap()).await, (404, "ROUTE_NOT_FOUND".into()), "{path}");
    }
    stop.now();
    assert_eq!(get("/readyz").await.unwrap().status(), 503, "a worker that stops takes no photos");
    assert_eq!(get("/livez").await.unwrap().status(), 200, "and lives until its photos are done");
}

#[tokio::test]
async fn a_queue_that_is_empty_again_is_told_as_empty() {
    let (base, school, _stop, _folder) = start().await;
    let figure = async || {
        let text = reqwest::get(format!("{base}/metrics")).await.unwrap().text().await.unwrap();
        let start = r#"rollcall_queue_jobs{kind="health",state="queued"} "#;
        text.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned)
    };
    let new = NewJob {
        kind: "health",
        topic: "health".into(),
        payload: json!({}),
        dedup_key: "health".into(),
        run_id: None,
        priority: Priority::Person,
        max_attempts: 1,
        owner: None,
    };
    school.change(move |conn| Ok(store::enqueue(conn, &new)?)).await.unwrap();
    assert_eq!(figure().await.as_deref(), Some("1"));
    let lease = std::time::Duration::from_secs(30);
    let ask = Ask { topics: vec!["health".into()], worker: "w".into(), run_id: None, count: 1, lease };
    let end = move |conn: &mut crate::db::AnyConnection| {
        transaction::<_, DbError>(conn, |conn| {
            let claimed = store::claim(conn, &ask)?;
            store::finish(conn, &claimed[0].claim)
        })
    };
    school.read(move |conn| Ok(end(conn)?)).await.unwrap();
    assert_eq!(figure().await.as_deref(), Some("0"));
}
