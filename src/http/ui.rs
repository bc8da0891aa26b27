//! The page for teachers and administrators: its files, as they lie in `ui/`, inside the program.
//!
//! Only bytes and headers. What the page shows and does it asks of the public interface, like any other client; nothing of it
//! comes from another host. A debug build reads the files from the source folder at every request, so that a change is seen
//! by loading the page again.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::download::is_known;
use super::problem::Problem;
use crate::app::error::Code;

/// Below `/ui/`; `index.html` is also what `/` shows.
#[derive(RustEmbed)]
#[folder = "src/http/ui/"]
struct Files;

const INDEX: &str = "index.html";

/// What the page may load: its own files, and pictures that it made itself out of what the interface answered. Text that somebody
/// typed can then never become a program.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The camera, for enrolment and class photos, and nothing else.
const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(), geolocation=(), payment=(), usb=()";

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(|headers: HeaderMap| async move { file(INDEX, &headers) }))
        .route("/ui/{*path}", get(|Path(path): Path<String>, headers: HeaderMap| async move { file(&path, &headers) }))
}

/// A file, or that the caller has it already. Names stay the same from release to release, so browsers ask each time and are
/// answered in a few bytes.
fn file(path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = Files::get(path) else {
        return Problem::new(Code::RouteNotFound, format!("the page has no file {path}")).into_response();
    };
    let version = version(&file);
    let mut response = if is_known(headers, &version) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(file.data).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS_POLICY));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Of the content alone.
fn version(file: &EmbeddedFile) -> String {
    file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::table::{Audit, Row, rows};

    /// All files of the page that are text.
    fn texts() -> impl Iterator<Item = (String, String)> {
        Files::iter()
            .filter(|path| !content_type(path).starts_with("image/png"))
            .map(|path| (path.to_string(), String::from_utf8(Files::get(&path).unwrap().data.into_owned()).unwrap()))
    }

    #[test]
    fn every_file_has_a_type_that_browsers_run() {
        for path in Files::iter() {
            assert_ne!(content_type(&path), "application/octet-stream", "{path}");
        }
    }

    #[test]
    fn nothing_comes_from_another_host() {
        for (path, text) in texts() {
            for (at, _) in text.match_indices("://") {
                let start = text[..at].rfind(|c: char| !c.is_ascii_alphabetic()).map_or(0, |i| i + 1);
                let end = text[at..].find(['"', '\'', '`', ' ', '\n', ')']).map_or(text.len(), |i| at + i);
                assert_eq!(&text[start..end], "http://www.w3.org/2000/svg", "{path}");
            }
        }
    }

    #[test]
    fn no_script_or_style_stands_inside_the_page() {
        let page = String::from_utf8(Files::get(INDEX).unwrap().data.into_owned()).unwrap();
        assert!(!page.contains("<style") && !page.contains("style=") && !page.contains(" on"), "{page}");
        for (at, _) in page.match_indices("<script") {
            assert!(page[at..].starts_with("<script type=\"module\" src=\"/ui/"), "{}", &page[at..]);
        }
    }

    /// A module that is named wrongly would leave the page empty in the browser.
    #[test]
    fn every_module_that_is_imported_is_there() {
        for (path, text) in texts().filter(|(path, _)| path.ends_with(".js")) {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let imported = text.match_indices("from \"").chain(text.match_indices("import(\"")).map(|(at, found)| {
                let rest = &text[at + found.len()..];
                rest[..rest.find('"').unwrap()].to_owned()
            });
            for name in imported.filter(|name| name.starts_with('.')) {
                let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
                for part in name.split('/') {
                    match part {
                        "." => {}
                        ".." => drop(parts.pop()),
                        part => parts.push(part),
                    }
                }
                assert!(Files::get(&parts.join("/")).is_some(), "{path} imports {name}");
            }
        }
    }

    #[test]
    fn whatever_the_audit_log_says_has_words() {
        let read = |path: &str| String::from_utf8(Files::get(path).unwrap().data.into_owned()).unwrap();
        let (words, actions) = (read("js/strings/en/admin.js"), read("js/screens/admin/audit-lines.js"));
        let rows = rows();
        for Row { operation, .. } in rows.iter().filter(|row| row.audit == Audit::Line) {
            assert!(words.contains(&format!(" {operation}: \"")), "no words for {operation}");
            assert!(actions.contains(&format!("\"{operation}\"")), "{operation} cannot be looked for");
        }
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let first = file(INDEX, &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].clone();
        let again = HeaderMap::from_iter([(header::IF_NONE_MATCH, tag)]);
        assert_eq!(file(INDEX, &again).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(file("no/such.js", &again).status(), StatusCode::NOT_FOUND);
        assert_eq!(file("../ui.rs", &again).status(), StatusCode::NOT_FOUND);
    }
}
