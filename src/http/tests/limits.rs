//! What the server takes on: how many requests, how long, how large, and for how long after it was told to stop.

use std::time::Duration;

use reqwest::multipart::{Form, Part};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::{TestServer, problem};
use crate::domain::access::Scope;

/// A request whose body never comes to its end.
async fn unfinished(server: &TestServer, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /api/v1/classes HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Asks until the answer is `status`: what another connection does may not have come through yet.
async fn ask_until(server: &TestServer, token: &str, status: u16) -> reqwest::Response {
    for _ in 0..600 {
        let answer = server.get("/api/v1/classes").bearer_auth(token).send().await.unwrap();
        if answer.status() == status {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no {status} in half a minute");
}

#[tokio::test]
async fn who_comes_when_everything_is_taken_is_told_to_come_again() {
    let server = TestServer::with(|config| config.server.max_requests = 1).await;
    let token = server.token(&[Scope::Roster, Scope::Enrol]).await;
    let held = unfinished(&server, &token).await;
    let refused = ask_until(&server, &token, 503).await;
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait >= 1);
    assert_eq!(problem(refused).await, (503, "BUSY".into()));
    assert_eq!(server.get("/livez").send().await.unwrap().status(), 200, "who looks after it is answered all the same");
    drop(held);
    ask_until(&server, &token, 200).await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_ended() {
    let server = TestServer::with(|config| config.server.request_timeout_secs = 1).await;
    let token = server.token(&[Scope::Enrol]).await;
    let mut held = unfinished(&server, &token).await;
    let (mut answer, mut piece) = (String::new(), [0; 1024]);
    while !answer.contains("\"code\"") {
        let length = held.read(&mut piece).await.unwrap();
        assert!(length > 0, "{answer}");
        answer.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    let head = answer.to_lowercase();
    assert!(head.starts_with("http/1.1 503 ") && head.contains("\r\nretry-after: "), "{answer}");
    assert!(head.contains("content-type: application/problem+json") && answer.contains("\"TIMEOUT\""), "{answer}");
}

#[tokio::test]
async fn what_is_too_large_is_a_problem() {
    let server = TestServer::with(|config| config.server.max_upload_mb = 1).await;
    let token = server.token(&[Scope::Enrol, Scope::Record, Scope::Recognise]).await;
    let long = json!({ "name": "x".repeat(1024 * 1024) });
    let answer = server.post("/api/v1/classes").bearer_auth(&token).json(&long).send().await.unwrap();
    assert_eq!(problem(answer).await, (413, "REQUEST_TOO_LARGE".into()));
    let form = Form::new().part("image", Part::bytes(vec![0; 1024 * 1024]).file_name("a.jpg"));
    let answer = server.post("/api/v1/detect").bearer_auth(&token).multipart(form).send().await.unwrap();
    assert_eq!(problem(answer).await, (413, "REQUEST_TOO_LARGE".into()));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let server = TestServer::with(|config| {
        config.server.stop_grace_secs = 1;
        config.server.request_timeout_secs = 600;
        config.server.max_requests = 1;
    });
    let server = server.await;
    let token = server.token(&[Scope::Roster, Scope::Enrol]).await;
    let _held = unfinished(&server, &token).await;
    ask_until(&server, &token, 503).await;
    let stopped = tokio::time::timeout(Duration::from_secs(120), server.stop_and_wait()).await;
    assert!(stopped.is_ok(), "the request in flight holds the server");
}

/// Refused before a byte of the body was looked at: nobody has signed in.
async fn refused_upload(stream: &mut TcpStream, length: usize, sent: usize) -> String {
    let head = format!("POST /api/v1/detect HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![0; sent]).await.unwrap();
    let (mut answer, mut piece) = (String::new(), [0; 4096]);
    while !answer.contains("\"request_id\"") {
        let read = stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "the connection was closed after {answer:?}");
        answer.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    answer.to_lowercase()
}

#[tokio::test]
async fn a_connection_is_good_after_a_refusal() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    // More than the kernel holds on to for a reader that does not come.
    let length = 8 << 20;
    for _ in 0..3 {
        let answer = refused_upload(&mut stream, length, length).await;
        assert!(answer.starts_with("http/1.1 401 ") && !answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_that_cannot_be_emptied_is_said_to_be_closed() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let answer = refused_upload(&mut stream, 1 << 40, 1000).await;
    assert!(answer.starts_with("http/1.1 401 ") && answer.contains("connection: close"), "{answer}");
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    let answer = refused_upload(&mut slow, 1000, 10).await;
    assert!(answer.starts_with("http/1.1 401 ") && answer.contains("connection: close"), "{answer}");
}
