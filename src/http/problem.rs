//! Errors on the wire: RFC 9457 problem details with our code. The one place where a [`Code`] becomes a status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::observe;
use crate::app::error::{Code, Error};
use crate::domain::head_count::DifferenceNote;

/// Media type of problems.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong. Small, because most handlers return it.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Problem(Box<Details>);

impl utoipa::PartialSchema for Problem {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        Details::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> std::borrow::Cow<'static, str> {
        Details::name()
    }

    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
        Details::schemas(schemas);
    }
}

/// What went wrong, as RFC 9457 writes it, with a stable code.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Details {
    /// Always `about:blank`: `code` tells the kind.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: &'static str,
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// What failed on which thing, and what to do about it.
    detail: String,
    /// Stable name of what went wrong; see `ErrorCode`.
    #[schema(value_type = ErrorCode)]
    code: Code,
    /// Also in the header `X-Request-Id` and in the server's log.
    request_id: String,
    /// What was wrong with single items, where a request holds several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ItemProblem>,
    /// What does not add up, where a session is to be confirmed without a reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<DifferenceResponse>,
    /// Seconds after which to try again; also in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// What was wrong with one item of a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ItemProblem {
    /// Which item: a file's name, a row, a JSON path.
    pub(crate) item: String,
    #[schema(value_type = ErrorCode)]
    pub(crate) code: Code,
    pub(crate) detail: String,
}

/// Something about a session that does not add up.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Difference)]
pub(crate) struct DifferenceResponse {
    /// Stable name of its kind; there may be more of them later.
    #[schema(example = "COUNT_DIFFERS")]
    code: String,
    /// For the teacher.
    text: String,
}

impl From<DifferenceNote> for DifferenceResponse {
    fn from(DifferenceNote { code, text }: DifferenceNote) -> Self {
        Self { code, text }
    }
}

/// Names of everything that can go wrong. Only described here: the list is that of [`Code`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorCode;

impl utoipa::PartialSchema for ErrorCode {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("Stable names of everything that can go wrong."))
            .enum_values(Some(Code::ALL.iter().map(|code| code.as_str())))
            .into()
    }
}

impl ToSchema for ErrorCode {}

impl Problem {
    /// With the status that belongs to the code.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::with_status(status(code), code, detail)
    }

    pub(crate) fn with_status(status: StatusCode, code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            request_id: observe::request_id(),
            errors: Vec::new(),
            differences: Vec::new(),
            retry_after: None,
        }))
    }

    pub(crate) fn retry_after(mut self, secs: u64) -> Self {
        self.0.retry_after = Some(secs.max(1));
        self
    }

    pub(crate) fn with_errors(mut self, errors: Vec<ItemProblem>) -> Self {
        self.0.errors = errors;
        self
    }

    pub(crate) fn with_differences(mut self, differences: Vec<DifferenceResponse>) -> Self {
        self.0.differences = differences;
        self
    }

    pub(crate) const fn status(&self) -> u16 {
        self.0.status
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = status(error.code);
        // What the message does not say, such as the database's own words, is for the log only.
        let causes: Vec<String> = std::iter::successors(std::error::Error::source(&error), |cause| cause.source())
            .map(ToString::to_string)
            .collect();
        if status.is_server_error() {
            tracing::error!(code = error.code.as_str(), cause = causes.join(": "), "request failed: {error}");
        }
        let problem = Self::with_status(status, error.code, error.message.clone());
        match error.retry_after {
            Some(after) => problem.retry_after(after.as_secs()),
            None if status == StatusCode::SERVICE_UNAVAILABLE => problem.retry_after(5),
            None => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.0.retry_after;
        let mut response = (status, Json(self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(secs) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// 404 for what is not there, 409 for what does not fit with what is, 422 for a request that was understood and cannot be
/// followed, 503 for what may work later.
fn status(code: Code) -> StatusCode {
    use Code::*;
    match code {
        InvalidRequest | InvalidSettings => StatusCode::BAD_REQUEST,
        Unauthenticated | InvalidCredentials => StatusCode::UNAUTHORIZED,
        Forbidden => StatusCode::FORBIDDEN,
        ClassNotFound | StudentNotFound | MemberNotFound | SessionNotFound | SubjectNotFound | JobNotFound
        | PhotoNotFound | FaceNotFound | DecisionNotFound | SampleNotFound | UserNotFound | TokenNotFound
        | PackNotFound | LeaveNotFound | HolidayNotFound | ExportNotFound | RouteNotFound => StatusCode::NOT_FOUND,
        MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        AmbiguousName | LastAdmin | RosterConflict | SamplesDisagree | NameTaken | SessionConfirmed
        | SessionNotReady | HeadCountMismatch | ExportNotReady | AlreadyExists | InUse | IdempotencyConflict
        | Cancelled | WrongSheet | PilotSession | NoEnrolledStudents | InsufficientEvidence => StatusCode::CONFLICT,
        VersionConflict => StatusCode::PRECONDITION_FAILED,
        ImageTooLarge | RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        UnsupportedFormat => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        InvalidImage
        | NoFaceDetected
        | MultipleFacesDetected
        | FaceTooSmall
        | LowQuality
        | InvalidEmbedding
        | InvalidName
        | NoTimestamp
        | ConsentRequired
        | InvalidTable
        | WeakPassword
        | LicenceNotAccepted => StatusCode::UNPROCESSABLE_ENTITY,
        TooManyAttempts | TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        DatabaseError | DatabaseMissing | StorageError | ModelNotLoaded | ProviderUnavailable | Busy | Timeout => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        FetchFailed | FileError | WorkerLost | ProcessingError => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
