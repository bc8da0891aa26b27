//! The document: checked in, so that a change of the contract is seen in review.

use serde_json::Value;

use super::server::TestServer;
use super::snapshot;

#[tokio::test]
async fn the_document_is_the_one_that_is_checked_in() {
    let server = TestServer::start().await;
    let served: Value = server.get("/openapi.json").send().await.unwrap().json().await.unwrap();
    assert_eq!(served["openapi"], "3.1.0");
    snapshot("deploy/openapi.json", &(serde_json::to_string_pretty(&served).unwrap() + "\n"));
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let server = TestServer::start().await;
    let document: Value = server.get("/openapi.json").send().await.unwrap().json().await.unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50, "{}", references.len());
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_needs_no_other_host() {
    let server = TestServer::start().await;
    let page = server.get("/docs/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    assert!(text.contains("swagger"), "{text}");
    assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("src=\"//"), "{text}");
}
