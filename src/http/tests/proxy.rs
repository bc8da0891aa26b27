//! Behind a proxy: who is believed, and what addresses answers hold.

use serde_json::{Value, json};

use super::server::TestServer;
use crate::config::Config;
use crate::db::photos;
use crate::db::testing::{new_photo, school};
use crate::domain::access::Scope;

/// Headers of a proxy, or of somebody who says to be one.
const FORWARDED: [(&str, &str); 5] = [
    ("x-forwarded-for", "198.51.100.7"),
    ("x-forwarded-proto", "gopher"),
    ("x-forwarded-host", "evil.example"),
    ("forwarded", "for=198.51.100.7;proto=gopher;host=evil.example"),
    ("host", "evil.example"),
];

/// Where a new class is said to be, a link to a photo, and the address that the audit log has, for a request with all of them.
async fn told(change: impl FnOnce(&mut Config)) -> (String, String, String) {
    let server = TestServer::with(change).await;
    let made = server.school.change(|conn| {
        let session = school(conn)?.session;
        Ok(photos::insert(conn, &new_photo(session, 1))?)
    });
    let photo = made.await.unwrap().0;
    let token = server.token(&[Scope::Enrol, Scope::Attendance, Scope::Manage]).await;
    let post = |path: &str, body: Value| {
        let request = server.post(path).bearer_auth(&token).json(&body);
        FORWARDED.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send()
    };
    let created = post("/api/v1/classes", json!({ "name": "9" })).await.unwrap();
    assert_eq!(created.status(), 201);
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    let links = post(&format!("/api/v1/photos/{photo}/links"), json!({})).await.unwrap();
    assert!(links.status().is_success());
    let links: Value = links.json().await.unwrap();
    let log = server.get("/api/v1/audit?action=create_class").bearer_auth(&token).send().await.unwrap();
    let log: Value = log.json().await.unwrap();
    let address = log["items"][0]["address"].as_str().unwrap().to_owned();
    (location, links["original"].as_str().unwrap().to_owned(), address)
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_about_the_client_and_nobody_about_our_own_name() {
    let (location, link, address) =
        told(|config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    assert_eq!(address, "198.51.100.7");
    assert!(location.starts_with("/api/v1/classes/"), "{location}");
    assert!(link.starts_with("/api/v1/photos/"), "{link}");
}

#[tokio::test]
async fn anybody_else_is_not_believed_at_all() {
    let (location, link, address) = told(|_| {}).await;
    assert_eq!(address, "127.0.0.1");
    assert!(location.starts_with("/api/v1/classes/") && link.starts_with("/api/v1/photos/"), "{location} {link}");
}

#[tokio::test]
async fn links_begin_with_the_public_address_where_there_is_one() {
    let (location, link, _) = told(|config| config.server.public_url = "https://rollcall.school.example".into()).await;
    assert!(link.starts_with("https://rollcall.school.example/api/v1/photos/"), "{link}");
    assert!(location.starts_with("/api/v1/classes/"), "relative to the address that was asked: {location}");
}

#[tokio::test]
async fn the_way_to_the_documentation_stays_on_its_site() {
    let server = TestServer::start().await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let asked = client.get(format!("http://{}/docs", server.address())).header("host", "evil.example");
    let answer = asked.send().await.unwrap();
    assert!(answer.status().is_redirection(), "{}", answer.status());
    assert_eq!(answer.headers()["location"], "/docs/");
}
