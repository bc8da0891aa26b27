//! Files on the wire, most of them pictures: entity tags, parts, and names that name nobody.
//!
//! Browsers may keep them, but have to ask each time whether they still may show them: every look is written down.

use std::ops::Range;

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::extract::header_text;
use super::problem::Problem;
use super::service::Service;
use crate::app::error::{Code, Error};

/// Bytes of a file. Only described here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileBytes;

impl PartialSchema for FileBytes {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).into()
    }
}

impl ToSchema for FileBytes {}

/// A file that is asked for.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) media_type: &'static str,
    /// As a file that is saved would be called; holds ids, no names.
    pub(crate) file_name: String,
    /// Another one whenever the bytes are others. Hex digits and dashes.
    pub(crate) version: String,
}

/// Which bytes of a file are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// From the first up to, but not with, the last.
    Bytes(Range<u64>),
    /// None that it has.
    Beyond,
}

impl Served {
    /// What is sent when the client has this version already.
    pub(crate) fn if_known(&self, headers: &HeaderMap) -> Option<Response> {
        is_known(headers, &self.version).then(|| (StatusCode::NOT_MODIFIED, self.caching()).into_response())
    }

    /// The whole file.
    pub(crate) fn whole(&self, bytes: impl Into<Body>) -> Response {
        (StatusCode::OK, self.caching(), self.content(), bytes.into()).into_response()
    }

    /// Which part of `length` bytes is asked for (RFC 9110, section 14). Several ranges at once get the whole, as do units
    /// that are not bytes and parts of another version.
    pub(crate) fn part(&self, headers: &HeaderMap, length: u64) -> Part {
        let other_version =
            header_text(headers, header::IF_RANGE).is_some_and(|tag| untagged(tag) != Some(&self.version));
        match header_text(headers, header::RANGE) {
            Some(range) if !other_version => part_of(range, length),
            _ => Part::Whole,
        }
    }

    /// A part of `length` bytes, or the problem that there is none.
    pub(crate) fn partial(&self, part: Part, length: u64, bytes: impl Into<Body>) -> Response {
        let ranges = (header::ACCEPT_RANGES, "bytes".to_owned());
        match part {
            Part::Whole => ([ranges], self.whole(bytes)).into_response(),
            Part::Bytes(Range { start, end }) => {
                let place = (header::CONTENT_RANGE, format!("bytes {start}-{}/{length}", end - 1));
                (StatusCode::PARTIAL_CONTENT, [ranges, place], self.caching(), self.content(), bytes.into())
                    .into_response()
            }
            Part::Beyond => {
                let text = format!("the file has {length} bytes; ask for some of them");
                let problem = Problem::with_status(StatusCode::RANGE_NOT_SATISFIABLE, Code::InvalidRequest, text);
                ([(header::CONTENT_RANGE, format!("bytes */{length}"))], problem).into_response()
            }
        }
    }

    /// What is asked for of a file of `length` bytes, as it comes. `open` gets the range, or none for the whole; it is not called
    /// for what the client has already, nor for bytes that the file has not.
    ///
    /// # Errors
    /// `BUSY` when too many streams are open; what `open` says.
    pub(crate) async fn streamed<F, S, E>(
        &self,
        service: &Service,
        headers: &HeaderMap,
        length: u64,
        open: impl FnOnce(Option<Range<u64>>) -> F,
    ) -> Result<Response, Problem>
    where
        F: Future<Output = Result<S, Error>>,
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        if let Some(known) = self.if_known(headers) {
            return Ok(known);
        }
        let part = self.part(headers, length);
        let range = match &part {
            Part::Whole => None,
            Part::Bytes(range) => Some(range.clone()),
            Part::Beyond => return Ok(self.partial(part, length, Body::empty())),
        };
        let room = service.room_for_stream()?;
        let bytes = open(range).await?;
        let held = bytes.inspect(move |_| {
            let _ = &room;
        });
        Ok(self.partial(part, length, Body::from_stream(held)))
    }

    fn caching(&self) -> [(HeaderName, String); 2] {
        let tag = format!("\"{}\"", self.version);
        [(header::ETAG, tag), (header::CACHE_CONTROL, "private, no-cache".to_owned())]
    }

    fn content(&self) -> [(HeaderName, String); 2] {
        let shown = format!("inline; filename=\"{}\"", self.file_name);
        [(header::CONTENT_TYPE, self.media_type.to_owned()), (header::CONTENT_DISPOSITION, shown)]
    }
}

/// Whether the client has this version already (`If-None-Match`; RFC 9110, section 13.1.2).
pub(crate) fn is_known(headers: &HeaderMap, version: &str) -> bool {
    let is_this = |tag: &str| matches!(tag.trim(), "*") || untagged(tag) == Some(version);
    header_text(headers, header::IF_NONE_MATCH).is_some_and(|known| known.split(',').any(is_this))
}

/// What stands in an entity tag. For comparing only: weak ones count as strong (RFC 9110, section 8.8.3.2).
fn untagged(tag: &str) -> Option<&str> {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')
}

/// One range of bytes, as `0-99`, `100-` or `-50`; what is no such range asks for the whole.
fn part_of(range: &str, length: u64) -> Part {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => Some(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => None,
    };
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) if last.is_none_or(|last| first <= last) => {
            let end = last.map_or(length, |last| length.min(last.saturating_add(1)));
            if first < length { Part::Bytes(first..end) } else { Part::Beyond }
        }
        (Some(None), Some(Some(count))) if count > 0 && length > 0 => Part::Bytes(length.saturating_sub(count)..length),
        (Some(None), Some(Some(_))) => Part::Beyond,
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn file() -> Served {
        Served { media_type: "image/jpeg", file_name: "photo-7.jpg".into(), version: "ab-12".into() }
    }

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn text(response: &Response, name: HeaderName) -> &str {
        header_text(response.headers(), name).unwrap_or_default()
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (range, part) in [
            ("bytes=0-99", Part::Bytes(0..100)),
            ("bytes=990-", Part::Bytes(990..1000)),
            ("bytes=990-99999", Part::Bytes(990..1000)),
            ("bytes=-10", Part::Bytes(990..1000)),
            ("bytes=-5000", Part::Bytes(0..1000)),
            ("bytes=0-18446744073709551616", Part::Bytes(0..1000)),
            ("bytes=1000-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=9-8", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=+1-5", Part::Whole),
            ("lines=0-1", Part::Whole),
        ] {
            assert_eq!(part_of(range, 1000), part, "{range}");
        }
        assert_eq!(part_of("bytes=-1", 0), Part::Beyond);
    }

    #[test]
    fn a_part_of_another_version_is_the_whole() {
        let of = |tag: &str| file().part(&headers(&[(header::RANGE, "bytes=0-9"), (header::IF_RANGE, tag)]), 100);
        assert_eq!((of("\"ab-12\""), of("\"other\"")), (Part::Bytes(0..10), Part::Whole));
        assert_eq!(file().part(&HeaderMap::new(), 100), Part::Whole);
    }

    #[test]
    fn a_known_version_is_not_sent_again() {
        let known = |tags: &str| file().if_known(&headers(&[(header::IF_NONE_MATCH, tags)]));
        for tags in ["\"ab-12\"", "\"x\", W/\"ab-12\"", "*"] {
            let response = known(tags).unwrap();
            assert_eq!((response.status(), text(&response, header::ETAG)), (StatusCode::NOT_MODIFIED, "\"ab-12\""));
        }
        assert!(known("\"ab\"").is_none() && known("ab-12").is_none());
        assert!(file().if_known(&HeaderMap::new()).is_none());
    }

    #[test]
    fn answers_say_what_they_hold() {
        let whole = file().partial(Part::Whole, 3, vec![1, 2, 3]);
        assert_eq!((whole.status(), text(&whole, header::ACCEPT_RANGES)), (StatusCode::OK, "bytes"));
        assert_eq!(text(&whole, header::CONTENT_TYPE), "image/jpeg");
        assert_eq!(text(&whole, header::CONTENT_DISPOSITION), "inline; filename=\"photo-7.jpg\"");
        assert_eq!(text(&whole, header::CACHE_CONTROL), "private, no-cache");
        let part = file().partial(Part::Bytes(1..3), 9, vec![2, 3]);
        assert_eq!((part.status(), text(&part, header::CONTENT_RANGE)), (StatusCode::PARTIAL_CONTENT, "bytes 1-2/9"));
        let beyond = file().partial(Part::Beyond, 9, Body::empty());
        assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(text(&beyond, header::CONTENT_RANGE), "bytes */9");
        assert_eq!(text(&beyond, header::CONTENT_TYPE), "application/problem+json");
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_file(range in "bytes=[0-9]{0,4}-[0-9]{0,4}", length in 0_u64..3000) {
            if let Part::Bytes(Range { start, end }) = part_of(&range, length) {
                prop_assert!(start < end && end <= length);
            }
        }

        #[test]
        fn whatever_is_asked_for_is_answered(range in ".{0,40}", length in 0_u64..3000) {
            part_of(&range, length);
        }
    }
}
