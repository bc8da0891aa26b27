//! What the store and the SDK say, in our words. The store's own words go to the log; headers and signed addresses nowhere.

use std::error::Error;
use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::primitives::ByteStreamError;

use crate::storage::{StorageError, StorageErrorKind};

const NO_CREDENTIALS: &str = "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give \
                              the machine a role";
const WRONG_CLOCK: &str = "the clock of this machine differs from the store's by more than a quarter of an hour: let it take its \
                           time from the network (NTP)";

/// A call that failed for good.
pub(super) fn storage_error<E>(subject: impl fmt::Display, error: SdkError<E, HttpResponse>) -> StorageError
where
    E: ProvideErrorMetadata + RequestId + Error + 'static,
{
    let words = words(&error);
    let (kind, advice) = match (&error, error.raw_response().map(|answer| answer.status().as_u16())) {
        (SdkError::ServiceError(failed), Some(status)) => meaning(failed.err().code().unwrap_or_default(), status),
        // The SDK keeps no kind for it: its sentences are all there is to know it by.
        _ if words.contains("credentials") => (StorageErrorKind::Denied, Some(NO_CREDENTIALS)),
        _ => (StorageErrorKind::Unavailable, None),
    };
    StorageError::of(kind, subject).advising(advice).caused_by(words)
}

/// Bytes that stopped coming.
pub(super) fn broken_off(subject: impl fmt::Display, error: ByteStreamError) -> StorageError {
    StorageError::of(StorageErrorKind::Unavailable, subject).caused_by(chain(&error))
}

/// What a code of the store means, and what people can do about it. An answer without a body (to HEAD) has only a status.
fn meaning(code: &str, status: u16) -> (StorageErrorKind, Option<&'static str>) {
    use StorageErrorKind::{Denied, Full, NotFound, OutOfRange, Unavailable};
    match (code, status) {
        ("NoSuchBucket", _) => (Denied, Some("there is no such bucket: correct storage.s3.bucket, or make it")),
        ("RequestTimeTooSkewed", _) => (Denied, Some(WRONG_CLOCK)),
        ("InvalidAccessKeyId" | "NotSignedUp", _) => (Denied, Some("the store does not know the access key")),
        ("SignatureDoesNotMatch", _) => (Denied, Some("the secret key is not the one that belongs to the access key")),
        ("ExpiredToken" | "TokenRefreshRequired", _) => (Denied, Some("the credentials have expired")),
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) | (_, 301) => {
            (Denied, Some("the bucket is in another region: correct storage.s3.region"))
        }
        ("QuotaExceeded" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" | "InsufficientStorage", _)
        | (_, 507) => (Full, None),
        ("InvalidRange", _) | (_, 416) => (OutOfRange, None),
        (_, 404) => (NotFound, None),
        // What the SDK tries again on its own, and has done so.
        ("RequestTimeout" | "SlowDown" | "BadDigest" | "IncompleteBody" | "InternalError", _)
        | (_, 408 | 429 | 500..) => (Unavailable, None),
        (_, 400..500) => (Denied, None),
        _ => (Unavailable, None),
    }
}

fn words<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + RequestId + Error + 'static,
{
    let SdkError::ServiceError(failed) = error else { return chain(error) };
    let (status, service) = (failed.raw().status().as_u16(), failed.err());
    let code = service.code().unwrap_or("no code");
    let message = service.message().unwrap_or("no message");
    let request = service.request_id().unwrap_or("unknown");
    format!("HTTP {status}, {code}: {message} (request {request})")
}

/// An error and its causes, each in the short form that is made for people.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_store_become_kinds() {
        use StorageErrorKind::{Denied, Full, NotFound, OutOfRange, Unavailable};
        for (code, status, kind) in [
            ("NoSuchKey", 404, NotFound),
            ("", 404, NotFound),
            ("NoSuchBucket", 404, Denied),
            ("AccessDenied", 403, Denied),
            ("", 403, Denied),
            ("RequestTimeTooSkewed", 403, Denied),
            ("XMinioStorageFull", 507, Full),
            ("InvalidRange", 416, OutOfRange),
            ("SlowDown", 503, Unavailable),
            ("RequestTimeout", 400, Unavailable),
            ("", 500, Unavailable),
            ("TooManyRequests", 429, Unavailable),
        ] {
            assert_eq!(meaning(code, status).0, kind, "{code} {status}");
        }
    }
}
