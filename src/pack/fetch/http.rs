//! One file over HTTP, continued where an earlier attempt ended.
//!
//! A download that breaks off is resumed with a `Range` request (RFC 9110, section 14), in the same run or in a later one.
//! The validator of the first answer is kept beside the part and sent as `If-Range`, so that a file that has changed on
//! the server is fetched anew instead of being glued together. Only HTTP and HTTPS exist here, an HTTPS address is never
//! left for HTTP, and no more is read than the manifest allows.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use ureq::http::header::{CONTENT_RANGE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::error::FetchError;
use super::part::{Part, copy};
use crate::pack::manifest::Fingerprint;

/// Attempts that bring nothing new before the download gives up.
const FRUITLESS_ATTEMPTS: u32 = 3;
/// Pause before the next attempt, times the number of fruitless ones.
const PAUSE: Duration = Duration::from_millis(400);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// A server that says nothing for so long is gone.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// What fetches. One for all files of a pack.
#[derive(Debug, Clone)]
pub(super) struct Client {
    secure: Agent,
    plain: Agent,
}

/// What one attempt came to.
enum Attempt {
    Complete,
    /// The connection ended early, or the server wants the request in another way.
    Again {
        reason: String,
    },
}

impl Client {
    pub(super) fn new() -> Self {
        Self { secure: agent(true), plain: agent(false) }
    }

    /// Fetches `url` to `part` and moves it into place. `progress` is told the bytes that have arrived.
    ///
    /// # Errors
    /// [`FetchError::Unreachable`] when it breaks off and cannot be continued now (what has arrived stays),
    /// [`FetchError::Status`], [`FetchError::WrongBytes`].
    pub(super) fn download(
        &self,
        url: &str,
        part: &Part,
        expected: Fingerprint<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), FetchError> {
        let download = Download { agent: self.agent(url), url, part, expected };
        let mut resumed = part.len() > 0;
        loop {
            download.finish(progress)?;
            match part.accept(url, expected) {
                // What lay here from before may be of another file: once more from the start.
                Err(FetchError::WrongBytes { .. }) if resumed => resumed = false,
                Err(e) => {
                    download.forget_validator();
                    return Err(e);
                }
                Ok(()) => {
                    download.forget_validator();
                    return Ok(());
                }
            }
        }
    }

    fn agent(&self, url: &str) -> &Agent {
        let secure = url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        if secure { &self.secure } else { &self.plain }
    }
}

struct Download<'a> {
    agent: &'a Agent,
    url: &'a str,
    part: &'a Part,
    expected: Fingerprint<'a>,
}

impl Download<'_> {
    /// Attempts until all bytes have arrived. Attempts that bring something do not count.
    fn finish(&self, progress: &mut dyn FnMut(u64)) -> Result<(), FetchError> {
        let (mut most, mut fruitless) = (self.part.len(), 0);
        loop {
            let reason = match self.attempt(progress)? {
                Attempt::Complete => return Ok(()),
                Attempt::Again { reason } => reason,
            };
            let arrived = self.part.len();
            fruitless = if arrived > most { 0 } else { fruitless + 1 };
            most = most.max(arrived);
            if fruitless == FRUITLESS_ATTEMPTS {
                return Err(FetchError::Unreachable { url: self.url.to_owned(), reason });
            }
            sleep(PAUSE * fruitless);
        }
    }

    fn attempt(&self, progress: &mut dyn FnMut(u64)) -> Result<Attempt, FetchError> {
        let have = self.part.len();
        if have == self.expected.bytes {
            return Ok(Attempt::Complete);
        }
        if have > self.expected.bytes {
            self.part.discard()?;
            return self.attempt(progress);
        }
        let mut request = self.agent.get(self.url);
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
            if let Ok(validator) = fs::read_to_string(self.validator_file()) {
                request = request.header(IF_RANGE, validator);
            }
        }
        match request.call() {
            Ok(answer) => self.take(answer, have, progress),
            Err(e) => Ok(Attempt::Again { reason: e.to_string() }),
        }
    }

    fn take(&self, answer: Response<Body>, have: u64, progress: &mut dyn FnMut(u64)) -> Result<Attempt, FetchError> {
        let start = match answer.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => match content_range(answer.headers()) {
                Some((start, total)) if start == have && total.is_none_or(|t| t == self.expected.bytes) => have,
                _ => return self.start_over("the server sent another range than was asked for"),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                return self.start_over("the server's file ends before what has arrived");
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Ok(Attempt::Again { reason: format!("the server answered with status {}", status.as_u16()) });
            }
            status => return Err(FetchError::Status { url: self.url.to_owned(), status: status.as_u16() }),
        };
        self.check_length(&answer, start)?;
        if start == 0 {
            self.remember_validator(answer.headers())?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        if start == 0 {
            options.truncate(true)
        } else {
            options.append(true)
        };
        let mut file = options.open(self.part.path()).map_err(FetchError::io(self.part.path()))?;
        let mut body = answer.into_body().into_reader().take(self.expected.bytes - start + 1);
        let copied = copy(&mut body, &mut file, &mut |bytes| progress(start + bytes));
        file.flush().map_err(FetchError::io(self.part.path()))?;
        match copied {
            Ok(_) if self.part.len() >= self.expected.bytes => Ok(Attempt::Complete),
            Ok(_) => Ok(Attempt::Again { reason: self.ended_at() }),
            Err(e) => Ok(Attempt::Again { reason: format!("{} ({e})", self.ended_at()) }),
        }
    }

    /// A file of another length is refused before its first byte.
    fn check_length(&self, answer: &Response<Body>, start: u64) -> Result<(), FetchError> {
        match answer.body().content_length() {
            Some(length) if start + length != self.expected.bytes => {
                self.part.discard()?;
                self.forget_validator();
                let reason =
                    format!("the server has {} bytes of it instead of {}", start + length, self.expected.bytes);
                Err(FetchError::WrongBytes { origin: self.url.to_owned(), reason })
            }
            _ => Ok(()),
        }
    }

    fn start_over(&self, reason: &str) -> Result<Attempt, FetchError> {
        self.part.discard()?;
        self.forget_validator();
        Ok(Attempt::Again { reason: reason.to_owned() })
    }

    fn ended_at(&self) -> String {
        format!("the connection ended after {} of {} bytes", self.part.len(), self.expected.bytes)
    }

    fn validator_file(&self) -> PathBuf {
        self.part.path().with_added_extension("validator")
    }

    /// A strong ETag, or else the date: what `If-Range` takes.
    fn remember_validator(&self, headers: &HeaderMap) -> Result<(), FetchError> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let validator = text(ETAG).filter(|tag| !tag.starts_with("W/")).or_else(|| text(LAST_MODIFIED));
        let file = self.validator_file();
        match validator {
            Some(validator) => fs::write(&file, validator).map_err(FetchError::io(&file)),
            None => {
                self.forget_validator();
                Ok(())
            }
        }
    }

    fn forget_validator(&self) {
        // One that is not there is forgotten already.
        let _ = fs::remove_file(self.validator_file());
    }
}

/// `Content-Range: bytes START-END/TOTAL`: start and, unless it is `*`, total.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, total) = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

fn agent(https_only: bool) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    Agent::config_builder()
        .https_only(https_only)
        .http_status_as_error(false)
        .tls_config(tls)
        .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(SILENCE_TIMEOUT))
        .timeout_per_read(Some(SILENCE_TIMEOUT))
        .build()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_writes_them() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, text.parse().unwrap());
            content_range(&headers)
        };
        assert_eq!(read("bytes 42-1233/1234"), Some((42, Some(1234))));
        assert_eq!(read("bytes 42-1233/*"), Some((42, None)));
        assert_eq!(read("bytes */1234"), None);
        assert_eq!(read("lines 1-2/3"), None);
    }
}
