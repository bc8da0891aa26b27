//! Pictures in requests: as files of a form, or as text in JSON.
//!
//! A form is read part by part, so that one picture is in memory at a time, whatever else is on its way; a picture that is
//! too large is passed over without being kept. What is wrong with one picture is said of that picture, so that it need
//! not spoil the others. Whether the bytes are a picture is found out by `app`.

use std::fmt;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use base64::Engine as _;
use base64::alphabet::{self, Alphabet};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::extract::{Json, header_text};
use super::problem::{ItemProblem, Problem};
use super::service::Service;
use crate::app::error::{Code, Error};

/// Most files of one form.
const MAX_FILES: usize = 200;

/// A picture that was sent.
#[derive(Debug)]
pub(crate) struct Picture {
    /// Name of its part of the form, where a request has several kinds of pictures.
    pub(crate) part: String,
    /// The file's own name, without folders; the part's where it has none.
    pub(crate) name: String,
    /// Its bytes, or why they were not taken.
    pub(crate) bytes: Result<Bytes, Error>,
}

/// The files of a form, one after the other.
#[derive(Debug)]
pub(crate) struct Pictures {
    form: Multipart,
    max_bytes: u64,
    taken: usize,
}

impl Pictures {
    /// Reads a form whose files have up to `max_bytes` each.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT` for another kind of body.
    pub(crate) async fn of(request: Request, max_bytes: u64) -> Result<Self, Problem> {
        let refused = |e: axum::extract::multipart::MultipartRejection| {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Problem::with_status(
                status,
                Code::UnsupportedFormat,
                format!("send multipart/form-data: {}", e.body_text()),
            )
        };
        let form = Multipart::from_request(request, &()).await.map_err(refused)?;
        Ok(Self { form, max_bytes, taken: 0 })
    }

    /// The next picture, if there is another.
    ///
    /// # Errors
    /// What ends the whole form: it is cut off, too large, has too many files, or a part that is none.
    pub(crate) async fn next(&mut self) -> Result<Option<Picture>, Problem> {
        let Some(mut field) = self.form.next_field().await.map_err(|e| broken(&e))? else { return Ok(None) };
        self.taken += 1;
        if self.taken > MAX_FILES {
            return Err(Problem::new(
                Code::RequestTooLarge,
                format!("more than {MAX_FILES} files; send them in several requests"),
            ));
        }
        let part = field.name().unwrap_or_default().to_owned();
        let Some(name) = field.file_name().map(file_name) else {
            return Err(Problem::new(Code::InvalidRequest, format!("the part {part:?} of the form is no file")));
        };
        let name = if name.is_empty() { part.clone() } else { name };
        let bytes = read(&mut field, self.max_bytes).await.map_err(|e| broken(&e))?;
        Ok(Some(Picture { part, name, bytes }))
    }

    /// The only picture of the form.
    ///
    /// # Errors
    /// As [`Pictures::next`]; `INVALID_REQUEST` for none and for several. What is wrong with the picture is said in it.
    pub(crate) async fn only(mut self) -> Result<Picture, Problem> {
        let first = self.next().await?.ok_or_else(|| Problem::new(Code::InvalidRequest, "the form has no file"))?;
        match self.next().await? {
            None => Ok(first),
            Some(_) => Err(Problem::new(Code::InvalidRequest, "the form has several files; send one")),
        }
    }
}

impl FromRequest<Service> for Pictures {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        Self::of(request, max_picture_bytes(service)).await
    }
}

/// Largest picture of the settings, bytes.
pub(crate) fn max_picture_bytes(service: &Service) -> u64 {
    u64::from(service.config().photos.max_mb) * 1024 * 1024
}

/// A body in one of the two ways to send pictures.
#[derive(Debug)]
pub(crate) enum Sent<T> {
    Form(Pictures),
    Json(T),
}

impl<T: DeserializeOwned> FromRequest<Service> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        if is_form(&request) {
            return Pictures::from_request(request, service).await.map(Self::Form);
        }
        Json::<T>::from_request(request, service).await.map(|json| Self::Json(json.0))
    }
}

/// Whether a request brings a form with files.
pub(super) fn is_form(request: &Request) -> bool {
    let kind = header_text(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
}

/// The one file of a request: the body itself, of one of these kinds, or the only file of a form. As large as an upload may
/// be.
///
/// # Errors
/// `UNSUPPORTED_FORMAT` for another kind of body, `REQUEST_TOO_LARGE`, and those of [`Pictures::only`] and of its picture.
pub(crate) async fn only_file(service: &Service, request: Request, kinds: &[&str]) -> Result<Bytes, Problem> {
    if is_form(&request) {
        let max_bytes = u64::from(service.config().server.max_upload_mb) * 1024 * 1024;
        return Ok(Pictures::of(request, max_bytes).await?.only().await?.bytes?);
    }
    let kind = header_text(request.headers(), header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    if !kinds.iter().any(|known| kind.split(';').next().is_some_and(|kind| kind.trim() == *known)) {
        let what = format!("send {} or a form with one file", kinds.join(", "));
        return Err(Problem::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::UnsupportedFormat, what));
    }
    Bytes::from_request(request, &()).await.map_err(|rejection| {
        let code = if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Code::RequestTooLarge
        } else {
            Code::InvalidRequest
        };
        Problem::with_status(rejection.status(), code, format!("the body cannot be read: {}", rejection.body_text()))
    })
}

/// Some browsers send folders, too; they say nothing that is needed.
fn file_name(sent: &str) -> String {
    sent.rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
}

/// All bytes of a part, unless they are too many: those are counted and dropped.
async fn read(field: &mut Field<'_>, max_bytes: u64) -> Result<Result<Bytes, Error>, MultipartError> {
    let (mut kept, mut length) = (BytesMut::new(), 0_u64);
    while let Some(chunk) = field.chunk().await? {
        length += chunk.len() as u64;
        if length <= max_bytes {
            kept.extend_from_slice(&chunk);
        } else {
            kept = BytesMut::new();
        }
    }
    Ok(if length <= max_bytes { Ok(kept.freeze()) } else { Err(too_large(length, max_bytes)) })
}

fn broken(error: &MultipartError) -> Problem {
    let status = error.status();
    let code = if status == StatusCode::PAYLOAD_TOO_LARGE { Code::RequestTooLarge } else { Code::InvalidRequest };
    Problem::with_status(status, code, format!("the form cannot be read: {}", error.body_text()))
}

fn too_large(length: u64, limit: u64) -> Error {
    let mb = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
    let what = format!("the file has {:.1} MB, the limit is {:.1} MB; send a smaller copy", mb(length), mb(limit));
    Error::new(Code::ImageTooLarge, what)
}

/// A failure said of one item of a request.
pub(crate) fn item_problem(item: impl Into<String>, error: &Error) -> ItemProblem {
    ItemProblem { item: item.into(), code: error.code, detail: error.message.clone() }
}

/// A picture as text in JSON: a `data:` URI with base64, or base64 alone; with or without padding, in the ordinary alphabet
/// or the one for addresses. Its text is decoded while the body is read, so it is in memory once.
#[derive(Debug)]
pub(crate) struct InlinePicture(Result<Bytes, Error>);

impl InlinePicture {
    /// Its bytes, if they are within the limit.
    ///
    /// # Errors
    /// `INVALID_IMAGE` for text that is no base64, `IMAGE_TOO_LARGE`.
    pub(crate) fn bytes(self, max_bytes: u64) -> Result<Bytes, Error> {
        let bytes = self.0?;
        let length = bytes.len() as u64;
        if length > max_bytes { Err(too_large(length, max_bytes)) } else { Ok(bytes) }
    }
}

impl<'de> Deserialize<'de> for InlinePicture {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = InlinePicture;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a picture as a data: URI or base64 text")
            }

            fn visit_str<E>(self, text: &str) -> Result<InlinePicture, E> {
                Ok(InlinePicture(decoded(text)))
            }
        }
        from.deserialize_str(Text)
    }
}

impl utoipa::PartialSchema for InlinePicture {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let about =
            "A picture as a `data:` URI with base64 (`data:image/jpeg;base64,/9j/4AAQ...`), or as base64 alone.";
        let text: Object = ObjectBuilder::new().schema_type(Type::String).description(Some(about)).into();
        utoipa::openapi::RefOr::T(text.into())
    }
}

impl ToSchema for InlinePicture {}

const fn tolerant(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

const ORDINARY: GeneralPurpose = tolerant(&alphabet::STANDARD);
const FOR_ADDRESSES: GeneralPurpose = tolerant(&alphabet::URL_SAFE);

/// The bytes that a `data:` URI (RFC 2397) or base64 text (RFC 4648) stands for.
fn decoded(text: &str) -> Result<Bytes, Error> {
    let invalid = |what: String| Error::new(Code::InvalidImage, what);
    let text = text.trim();
    let encoded = match text.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("data:") => {
            let (head, data) = text.split_once(',').ok_or_else(|| invalid("the data: URI has no comma".into()))?;
            if !head.to_ascii_lowercase().ends_with(";base64") {
                return Err(invalid("the data: URI is not in base64; write `data:image/jpeg;base64,...`".into()));
            }
            data
        }
        _ => text,
    };
    let whole: String;
    let encoded = if encoded.contains(|c: char| c.is_ascii_whitespace()) {
        whole = encoded.split_ascii_whitespace().collect();
        &whole
    } else {
        encoded
    };
    let base64 = if encoded.contains(['-', '_']) { FOR_ADDRESSES } else { ORDINARY };
    match base64.decode(encoded) {
        Ok(bytes) if bytes.is_empty() => Err(invalid("the picture is empty".into())),
        Ok(bytes) => Ok(bytes.into()),
        Err(e) => Err(invalid(format!("the text is no base64: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn inline(text: &str) -> Result<Bytes, Error> {
        let json = serde_json::to_string(text).unwrap();
        serde_json::from_str::<InlinePicture>(&json).unwrap().bytes(1000)
    }

    proptest! {
        #[test]
        fn every_way_to_write_base64_is_read(
            bytes in proptest::collection::vec(any::<u8>(), 1..300), way in 0_usize..4, line in 1_usize..80,
        ) {
            let text = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD][way].encode(&bytes);
            let lines: Vec<&str> = text.as_bytes().chunks(line).map(|l| std::str::from_utf8(l).unwrap()).collect();
            for text in [text.clone(), lines.join("\r\n"), format!("data:image/png;base64,{text}"), format!("DATA:;BASE64,{text}\n")] {
                prop_assert_eq!(inline(&text).unwrap(), bytes.clone());
            }
        }

        #[test]
        fn arbitrary_text_is_bytes_or_an_invalid_image(text in "(data:)?[ -~é]{0,40}") {
            if let Err(error) = inline(&text) {
                prop_assert_eq!(error.code, Code::InvalidImage);
            }
        }
    }

    #[test]
    fn text_that_is_no_picture_says_why() {
        for (text, why) in [
            ("", "empty"),
            ("data:image/png;base64,", "empty"),
            ("data:image/png,abc", "not in base64"),
            ("data:image/png;base64", "no comma"),
            ("!!!!", "no base64"),
            ("QUI", ""),
            ("QUJ", "no base64"),
        ] {
            let said = inline(text).map(|bytes| bytes.to_vec());
            match why {
                "" => assert_eq!(said.unwrap(), b"AB"),
                why => assert!(said.as_ref().is_err_and(|e| e.message.contains(why)), "{text}: {said:?}"),
            }
        }
        let large = inline(&STANDARD.encode(vec![7; 1001])).unwrap_err();
        assert_eq!(large.code, Code::ImageTooLarge);
        assert!(serde_json::from_str::<InlinePicture>("7").is_err());
    }

    fn form(parts: &[(&str, &str, usize)]) -> Request {
        let mut body = Vec::new();
        for (name, disposition, length) in parts {
            body.extend_from_slice(
                format!("--X\r\ncontent-disposition: form-data; name=\"{name}\"{disposition}\r\n\r\n").as_bytes(),
            );
            body.extend(std::iter::repeat_n(b'a', *length));
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--X--\r\n");
        // In small pieces, as from a network.
        let pieces: Vec<Result<Bytes, std::io::Error>> =
            body.chunks(7).map(|p| Ok(Bytes::copy_from_slice(p))).collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        Request::builder().header("content-type", "multipart/form-data; boundary=X").body(body).unwrap()
    }

    #[tokio::test]
    async fn files_come_one_after_the_other_and_a_large_one_spoils_no_other() {
        let request = form(&[
            ("a", "; filename=\"one.jpg\"", 10),
            ("b", "; filename=\"C:\\\\x\\\\large.jpg\"", 500),
            ("c", "; filename=\"\"", 100),
        ]);
        let mut pictures = Pictures::of(request, 100).await.unwrap();
        let mut seen = Vec::new();
        while let Some(picture) = pictures.next().await.unwrap() {
            let length = picture.bytes.map(|bytes| bytes.len()).map_err(|e| e.code);
            seen.push((picture.part, picture.name, length));
        }
        let expected = [("a", "one.jpg", Ok(10)), ("b", "large.jpg", Err(Code::ImageTooLarge)), ("c", "c", Ok(100))];
        assert_eq!(seen, expected.map(|(part, name, length)| (part.to_owned(), name.to_owned(), length)));
    }

    #[tokio::test]
    async fn what_is_no_form_of_files_is_refused() {
        let status = async |request| match Pictures::of(request, 100).await {
            Ok(mut pictures) => loop {
                match pictures.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break 200,
                    Err(problem) => break problem.status(),
                }
            },
            Err(problem) => problem.status(),
        };
        assert_eq!(status(Request::new(Body::from("{}"))).await, 415);
        assert_eq!(status(form(&[("note", "", 3)])).await, 400);
        let cut_off = Request::builder().header("content-type", "multipart/form-data; boundary=X");
        let cut_off =
            cut_off.body(Body::from("--X\r\ncontent-disposition: form-data; name=\"a\"; filename=\"a\"\r\n\r\nab"));
        assert_eq!(status(cut_off.unwrap()).await, 400);
        let file = ("a", "; filename=\"a.jpg\"", 1);
        assert_eq!(status(form(&[file; MAX_FILES])).await, 200);
        assert_eq!(status(form(&[file; MAX_FILES + 1])).await, 413);
    }

    #[tokio::test]
    async fn the_only_picture_is_one() {
        let file = ("a", "; filename=\"a.jpg\"", 1);
        let only = async |request| {
            let only = Pictures::of(request, 100).await.unwrap().only().await.map_err(|p| p.status())?;
            Ok::<_, u16>((only.name, only.bytes.map_err(|e| Problem::from(e).status())?))
        };
        assert_eq!(only(form(&[file])).await, Ok(("a.jpg".into(), Bytes::from_static(b"a"))));
        assert_eq!(only(form(&[])).await, Err(400));
        assert_eq!(only(form(&[file, file])).await, Err(400));
        assert_eq!(only(form(&[("a", "; filename=\"a.jpg\"", 101)])).await, Err(413));
    }
}
