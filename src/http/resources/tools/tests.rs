use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::http::testing::{answer, demo, form, json as json_request, service};

const ANANYA: &str = "dataset/Ananya_Foxglove_CSE-A-03/face.jpg";
const ANANYA_AGAIN: &str = "dataset/Ananya_Foxglove_CSE-A-03/face_2.jpg";
const DEVAN: &str = "dataset/Devan_Moonfield_CSE-A-05/face.jpg";

async fn routes() -> (Router, tempfile::TempDir) {
    let (service, folder) = service().await;
    let routes = Router::new()
        .route("/detect", post(detect_faces))
        .route("/embed", post(embed_faces))
        .route("/compare", post(compare_faces))
        .route("/verify", post(verify_faces))
        .layer(DefaultBodyLimit::max(64 << 20))
        .with_state(service);
    (routes, folder)
}

fn uri(path: &str) -> String {
    format!("data:image/jpeg;base64,{}", STANDARD.encode(demo(path)))
}

#[tokio::test]
async fn a_picture_is_the_same_as_a_file_and_as_text() {
    let (routes, _folder) = routes().await;
    let (status, by_text) = answer(&routes, json_request("/detect", &json!({ "image": uri(ANANYA) }))).await;
    assert_eq!((status.as_u16(), by_text["faces"].as_array().unwrap().len()), (200, 1), "{by_text}");
    let face = &by_text["faces"][0];
    assert!(
        face["box"].as_array().unwrap().len() == 4 && face["landmarks"]["nose"][0].as_f64().unwrap() > 0.0,
        "{face}"
    );
    assert_eq!((by_text["pack"].as_str(), by_text["provider"].as_str()), (Some("starter@0"), Some("cpu")));
    let (_, by_file) = answer(&routes, form("/detect", &[("image", "a.jpg", &demo(ANANYA))])).await;
    assert_eq!(by_file["faces"], by_text["faces"]);
}

#[tokio::test]
async fn embeddings_and_pictures_are_compared_alike() {
    let (routes, _folder) = routes().await;
    let (_, embedded) = answer(&routes, form("/embed?faces=largest", &[("image", "a.jpg", &demo(ANANYA))])).await;
    let embedding = &embedded["faces"][0]["embedding"];
    assert_eq!((embedding.as_array().unwrap().len(), embedded["dims"].as_u64()), (512, Some(512)));
    let request = json!({
        "probe": { "embedding": embedding },
        "references": [
            { "id": "devan", "image": uri(DEVAN) },
            { "id": "broken", "image": "data:image/png;base64,AAAA" },
            { "id": "short", "embedding": [1.0, 2.0] },
            { "id": "ananya", "image": uri(ANANYA) },
        ],
    });
    let (status, compared) = answer(&routes, json_request("/compare", &request)).await;
    assert_eq!(status.as_u16(), 200, "{compared}");
    let best = &compared["best"];
    assert_eq!((best["id"].as_str(), best["verdict"].as_str()), (Some("ananya"), Some("match")), "{best}");
    assert_eq!(best["runner_up"]["id"], "devan");
    assert!(best["cosine"].as_f64().unwrap() > 0.9999 && best["euclidean"].as_f64().unwrap() < 0.01, "{best}");
    let references = compared["references"].as_array().unwrap();
    let codes: Vec<&str> = references.iter().map(|r| r["error"]["code"].as_str().unwrap_or("-")).collect();
    assert!(codes[0] == "-" && codes[2] == "INVALID_EMBEDDING" && codes[3] == "-", "{codes:?}");
    assert!(["INVALID_IMAGE", "UNSUPPORTED_FORMAT"].contains(&codes[1]), "{codes:?}");
    let files = [
        ("references", "devan", demo(DEVAN)),
        ("probe", "p.jpg", demo(ANANYA)),
        ("references", "ananya", demo(ANANYA)),
    ];
    let files: Vec<(&str, &str, &[u8])> =
        files.iter().map(|(part, name, bytes)| (*part, *name, bytes.as_slice())).collect();
    let (_, by_files) = answer(&routes, form("/compare", &files)).await;
    assert_eq!(by_files["best"]["id"], "ananya", "{by_files}");
}

#[tokio::test]
async fn two_pictures_are_of_one_person_or_not() {
    let (routes, _folder) = routes().await;
    let (_, same) =
        answer(&routes, form("/verify", &[("first", "1", &demo(ANANYA)), ("second", "2", &demo(ANANYA_AGAIN))])).await;
    let request = json!({ "first": { "image": uri(ANANYA) }, "second": { "image": uri(DEVAN) } });
    let (_, other) = answer(&routes, json_request("/verify", &request)).await;
    assert_ne!(same["verdict"], "different", "{same}");
    assert_eq!(other["verdict"], "different", "{other}");
    assert!(same["confidence"].as_f64() > other["confidence"].as_f64());
}

#[tokio::test]
async fn what_cannot_be_done_has_a_code() {
    let (routes, _folder) = routes().await;
    let blank = image::RgbImage::from_pixel(200, 200, image::Rgb([90, 120, 60]));
    let mut png = std::io::Cursor::new(Vec::new());
    blank.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let blank = STANDARD.encode(png.into_inner());
    let reference = json!({ "id": "a", "image": blank });
    let many = json!({ "probe": { "image": uri(ANANYA) }, "references": vec![reference.clone(); 101] });
    for (path, body, expected) in [
        ("/embed", json!({ "image": blank }), (422, "NO_FACE_DETECTED")),
        ("/detect", json!({ "image": "" }), (422, "INVALID_IMAGE")),
        ("/detect", json!({ "picture": "" }), (422, "INVALID_REQUEST")),
        (
            "/compare",
            json!({ "probe": { "image": uri(ANANYA) }, "references": [reference] }),
            (422, "NO_FACE_DETECTED"),
        ),
        ("/compare", json!({ "probe": {}, "references": [reference] }), (400, "INVALID_REQUEST")),
        ("/compare", json!({ "probe": {}, "references": [{ "id": "", "image": blank }] }), (400, "INVALID_REQUEST")),
        ("/compare", many, (400, "INVALID_REQUEST")),
        ("/verify", json!({ "first": { "embedding": [] }, "second": {} }), (422, "INVALID_EMBEDDING")),
    ] {
        let (status, problem) = answer(&routes, json_request(path, &body)).await;
        assert_eq!((status.as_u16(), problem["code"].as_str().unwrap()), expected, "{path}: {problem}");
    }
    let (status, problem) = answer(&routes, form("/verify", &[("first", "1", b"x")])).await;
    assert_eq!(status.as_u16(), 400, "{problem}");
}
