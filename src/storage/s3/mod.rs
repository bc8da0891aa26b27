//! Objects in a bucket of Amazon S3 or of a server that speaks its protocol.
//!
//! The only place that knows the SDK. Every call is tried several times with growing pauses and ends after a bounded
//! time; what it failed with is put into our words in `failure`.

mod failure;
#[cfg(test)]
pub(super) mod tests;

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Region, RequestChecksumCalculation};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, DateTime as SdkDateTime};
use aws_sdk_s3::types::{Object, ServerSideEncryption};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::{
    Body, Digest, Download, Head, Key, KeyGroup, Listed, ObjectStore, SignedLink, StorageError, StorageErrorKind,
};
use crate::config::{Encryption, S3};
use failure::{broken_off, storage_error};

/// Tries of one call, the first included.
const ATTEMPTS: u32 = 4;
/// Longest pause before the second try; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(5);
/// For everything but bytes: until the answer begins.
const ANSWER: Duration = Duration::from_secs(30);
/// An upload may take long on a slow line. One that stands still ends sooner: the SDK watches that bytes flow.
const UPLOAD: Duration = Duration::from_secs(15 * 60);
/// The protocol allows no link for longer.
const LONGEST_LINK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Keeps every object under its key behind a common prefix.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    /// Signs links at the address that others reach; never sends anything itself.
    public: Option<Client>,
    bucket: String,
    /// Empty, or ending with `/`.
    prefix: String,
    encryption: Option<ServerSideEncryption>,
    kms_key: Option<String>,
}

impl S3Store {
    /// A store by the settings, with the credentials that the AWS tools would find: environment, profile, role of the machine.
    /// They are only looked for when the store is used; nothing is connected to before that.
    pub async fn open(settings: &S3) -> Self {
        let region = Region::new(settings.region.clone());
        let shared = aws_config::defaults(BehaviorVersion::latest()).region(region).load().await;
        Self::with(settings, &shared)
    }

    fn with(settings: &S3, shared: &SdkConfig) -> Self {
        let retry = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(FIRST_PAUSE)
            .with_max_backoff(LONGEST_PAUSE);
        let config = Builder::from(shared)
            .retry_config(retry)
            .timeout_config(time_limits(ANSWER))
            .force_path_style(settings.path_style)
            // We send a SHA-256 of our own; servers other than Amazon's do not always know the trailers of the SDK's.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let at = |endpoint: &str| {
            let config = config.clone();
            // Without one, that of the profile or of Amazon's region.
            Client::from_conf(if endpoint.is_empty() { config } else { config.endpoint_url(endpoint) }.build())
        };
        let encryption = match settings.encryption {
            Encryption::None => None,
            Encryption::Aes256 => Some(ServerSideEncryption::Aes256),
            Encryption::Kms => Some(ServerSideEncryption::AwsKms),
        };
        Self {
            client: at(&settings.endpoint),
            public: (!settings.public_endpoint.is_empty()).then(|| at(&settings.public_endpoint)),
            bucket: settings.bucket.clone(),
            prefix: if settings.prefix.is_empty() { String::new() } else { format!("{}/", settings.prefix) },
            encryption,
            kms_key: Some(settings.kms_key.clone()).filter(|key| !key.is_empty()),
        }
    }

    fn path(&self, key: &Key) -> String {
        format!("{}{key}", self.prefix)
    }

    /// One request with the whole object: the store keeps all of it, and only if its hash is the one we sent, or nothing.
    async fn upload(&self, key: &Key, body: ByteStream, sha256: Digest) -> Result<(), StorageError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.path(key))
            .body(body)
            .checksum_sha256(BASE64_STANDARD.encode(sha256.bytes()))
            .content_type(key.media_type())
            .set_server_side_encryption(self.encryption.clone())
            .set_ssekms_key_id(self.kms_key.clone())
            .customize()
            .config_override(Builder::new().timeout_config(time_limits(UPLOAD)));
        request.send().await.map(drop).map_err(|error| storage_error(key, error))
    }

    fn reading(&self, key: &Key) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(&self.bucket).key(self.path(key))
    }

    /// The next page of a listing.
    async fn page(&self, group: KeyGroup, after: Option<String>) -> Result<Page, StorageError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket);
        let request = request.prefix(format!("{}{group}", self.prefix)).set_continuation_token(after);
        let answer = request.send().await.map_err(|error| storage_error(group, error))?;
        let objects = answer.contents().iter().filter_map(|object| self.listed(object));
        let objects = objects.filter(|object| group.contains(&object.key)).collect();
        Ok(Page { objects, next: answer.next_continuation_token.filter(|_| answer.is_truncated == Some(true)) })
    }

    fn listed(&self, object: &Object) -> Option<Listed> {
        let key = object.key()?.strip_prefix(&self.prefix)?.parse().ok()?;
        Some(Listed { key, head: head(object.size(), object.last_modified()) })
    }
}

#[derive(Debug)]
struct Page {
    objects: Vec<Listed>,
    /// Where the next one begins.
    next: Option<String>,
}

fn time_limits(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(attempt * 2)
        .build()
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put(&self, key: &Key, bytes: &[u8]) -> Result<(), StorageError> {
        self.upload(key, bytes.to_vec().into(), Digest::of(bytes)).await
    }

    async fn put_file(&self, key: &Key, file: &Path) -> Result<(), StorageError> {
        let unreadable = |cause: String| StorageError::of(StorageErrorKind::Unavailable, key).caused_by(cause);
        let path = file.to_owned();
        let hashed = tokio::task::spawn_blocking(move || Digest::of_reader(File::open(path)?)).await;
        let sha256 = hashed.map_err(|error| unreadable(error.to_string()))?;
        let sha256 = sha256.map_err(|error| unreadable(error.to_string()))?;
        let body = ByteStream::from_path(file).await.map_err(|error| unreadable(error.to_string()))?;
        self.upload(key, body, sha256).await
    }

    async fn get(&self, key: &Key) -> Result<Vec<u8>, StorageError> {
        let answer = self.reading(key).send().await.map_err(|error| storage_error(key, error))?;
        let bytes = answer.body.collect().await.map_err(|error| broken_off(key, error))?;
        Ok(bytes.to_vec())
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Download, StorageError> {
        let asked =
            range.map(|range| header_of(&range).ok_or_else(|| StorageError::of(StorageErrorKind::OutOfRange, key)));
        let asked = asked.transpose()?;
        let answer = self.reading(key).set_range(asked).send().await.map_err(|error| storage_error(key, error))?;
        let (range, length) = extent(&answer).ok_or_else(|| {
            let strange = format!("content range {:?}, length {:?}", answer.content_range, answer.content_length);
            StorageError::of(StorageErrorKind::Unavailable, key).caused_by(strange)
        })?;
        let head = Head { length, ..head(None, answer.last_modified()) };
        Ok(Download { head, range, body: body(key.clone(), answer.body) })
    }

    async fn head(&self, key: &Key) -> Result<Head, StorageError> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.path(key));
        let answer = request.send().await.map_err(|error| storage_error(key, error))?;
        Ok(head(answer.content_length(), answer.last_modified()))
    }

    async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(self.path(key));
        match request.send().await.map_err(|error| storage_error(key, error)) {
            Err(error) if error.kind != StorageErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn list(&self, group: KeyGroup) -> BoxStream<'static, Result<Listed, StorageError>> {
        let store = self.clone();
        // The first page is asked for with no token, the page after the last one not at all.
        let pages = stream::try_unfold(Some(None), move |next: Option<Option<String>>| {
            let store = store.clone();
            async move {
                let Some(after) = next else { return Ok(None) };
                let page = store.page(group, after).await?;
                Ok::<_, StorageError>(Some((page.objects, page.next.map(Some))))
            }
        });
        pages
            .map(|page| page.map_or_else(|error| vec![Err(error)], |page| page.into_iter().map(Ok).collect()))
            .flat_map(stream::iter)
            .boxed()
    }

    async fn presign(
        &self,
        key: &Key,
        saved_as: &str,
        valid_for: Duration,
    ) -> Result<Option<SignedLink>, StorageError> {
        let Some(public) = &self.public else { return Ok(None) };
        let times = PresigningConfig::expires_in(valid_for.min(LONGEST_LINK));
        let times = times.expect("the longest validity was respected");
        let request = public.get_object().bucket(&self.bucket).key(self.path(key));
        let request = request.response_content_disposition(format!("inline; filename=\"{saved_as}\""));
        let signed = request.presigned(times).await.map_err(|error| storage_error(key, error))?;
        Ok(Some(SignedLink(signed.uri().to_owned())))
    }
}

/// A range as HTTP writes it (RFC 9110, 14.1.2), with its last byte in place of its end; `None` where no object has bytes. Not
/// every server reads numbers of more than 63 bits.
fn header_of(range: &Range<u64>) -> Option<String> {
    let end = range.end.min(i64::MAX as u64);
    (range.start < end).then(|| format!("bytes={}-{}", range.start, end - 1))
}

/// Which bytes come, and how many the object has.
fn extent(answer: &GetObjectOutput) -> Option<(Range<u64>, u64)> {
    let Some(range) = answer.content_range() else {
        let length = u64::try_from(answer.content_length()?).ok()?;
        return Some((0..length, length));
    };
    // RFC 9110, 14.4: `bytes 0-99/1234`.
    let (range, length) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let last: u64 = last.parse().ok()?;
    Some((first.parse().ok()?..last.checked_add(1)?, length.parse().ok()?))
}

fn head(length: Option<i64>, modified: Option<&SdkDateTime>) -> Head {
    let modified = modified.and_then(|at| DateTime::<Utc>::from_timestamp(at.secs(), at.subsec_nanos()));
    // Servers say both; an object that tells no time counts as just written, so that nobody takes it for an old one.
    Head { length: length.and_then(|n| n.try_into().ok()).unwrap_or(0), modified: modified.unwrap_or_else(Utc::now) }
}

fn body(key: Key, bytes: ByteStream) -> Body {
    let key = std::sync::Arc::new(key);
    let pieces = stream::try_unfold(bytes, move |mut bytes| {
        let key = std::sync::Arc::clone(&key);
        async move {
            let piece = bytes.try_next().await.map_err(|error| broken_off(key, error))?;
            Ok(piece.map(|piece| (piece, bytes)))
        }
    });
    pieces.boxed()
}
