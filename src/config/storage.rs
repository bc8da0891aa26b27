//! Where photos and exports are kept.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Where photos and exports are kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Default: `local`.
    pub kind: StorageKind,
    pub s3: S3,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// Folders of the data folder.
    #[default]
    Local,
    /// A bucket of Amazon S3 or of a server that speaks its protocol.
    S3,
}

/// A bucket. Credentials are not settings: they come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`), a
/// profile in `~/.aws`, or the role of the machine or container.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3 {
    pub bucket: String,
    /// What all keys begin with, so that several schools can share a bucket. Default: nothing.
    pub prefix: String,
    /// Address of the server. Default: Amazon's of the region.
    pub endpoint: String,
    /// Address at which browsers and other clients reach the server: they are then given links into the bucket that open for
    /// ten minutes. Default: none, everything is handed out by `rollcall serve`.
    pub public_endpoint: String,
    /// Default: `us-east-1`.
    pub region: String,
    /// The bucket's name is part of the path, not of the host; most servers other than Amazon's want it. Default: false.
    pub path_style: bool,
    /// How the store encrypts what it keeps. Default: `none`, which leaves it to the bucket.
    pub encryption: Encryption,
    /// Id or ARN of the key for `kms`. Default: the account's own for S3.
    pub kms_key: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    #[default]
    None,
    /// With keys of the store (SSE-S3).
    Aes256,
    /// With a key of the key service (SSE-KMS).
    Kms,
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            prefix: String::new(),
            endpoint: String::new(),
            public_endpoint: String::new(),
            region: "us-east-1".into(),
            path_style: false,
            encryption: Encryption::None,
            kms_key: String::new(),
        }
    }
}

impl Storage {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.kind == StorageKind::Local {
            return Ok(());
        }
        let s3 = &self.s3;
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, as far as paths and hosts need it.
        let in_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        let is_bucket = (3..=63).contains(&s3.bucket.len())
            && s3.bucket.chars().all(in_bucket)
            && !s3.bucket.starts_with(['.', '-'])
            && !s3.bucket.contains("..");
        let in_prefix = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        let is_prefix = s3.prefix.len() <= 512
            && s3.prefix.chars().all(in_prefix)
            && (s3.prefix.is_empty() || s3.prefix.split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
        let is_address = |text: &str| text.is_empty() || text.starts_with("https://") || text.starts_with("http://");
        let (is_endpoint, is_public) = (is_address(&s3.endpoint), is_address(&s3.public_endpoint));
        let is_region = !s3.region.is_empty() && s3.region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let is_key = s3.kms_key.is_empty() || s3.encryption == Encryption::Kms;
        let checks = [
            ("storage.s3.bucket", &s3.bucket, is_bucket, "the name of a bucket: 3 to 63 of a-z, 0-9, . and -"),
            ("storage.s3.prefix", &s3.prefix, is_prefix, "words of a-z, A-Z, 0-9, ., _ and - with / between them"),
            ("storage.s3.endpoint", &s3.endpoint, is_endpoint, "an address that begins with https:// or http://"),
            (
                "storage.s3.public_endpoint",
                &s3.public_endpoint,
                is_public,
                "an address that begins with https:// or http://",
            ),
            ("storage.s3.region", &s3.region, is_region, "the name of a region such as eu-central-1"),
            ("storage.s3.kms_key", &s3.kms_key, is_key, "left out unless storage.s3.encryption is \"kms\""),
        ];
        match checks.into_iter().find(|(_, _, is_right, _)| !is_right) {
            Some((key, value, _, rule)) => Err(ConfigError::OutOfRange { key, value: format!("{value:?}"), rule }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut S3)) -> String {
        let mut s3 = S3 { bucket: "rollcall".into(), ..S3::default() };
        change(&mut s3);
        let storage = Storage { kind: StorageKind::S3, s3 };
        storage.validate().map_or_else(|e| e.to_string(), |()| "accepted".into())
    }

    #[test]
    fn what_cannot_work_is_named() {
        assert_eq!(refused(|_| {}), "accepted");
        assert_eq!(refused(|s3| s3.prefix = "schools/green-hill".into()), "accepted");
        let key = |change: fn(&mut S3)| refused(change).split(" is ").next().unwrap().to_owned();
        assert_eq!(key(|s3| s3.bucket.clear()), "settings: storage.s3.bucket");
        assert_eq!(key(|s3| s3.bucket = "../other".into()), "settings: storage.s3.bucket");
        assert_eq!(key(|s3| s3.prefix = "/school".into()), "settings: storage.s3.prefix");
        assert_eq!(key(|s3| s3.prefix = "a/../b".into()), "settings: storage.s3.prefix");
        assert_eq!(key(|s3| s3.endpoint = "minio:9000".into()), "settings: storage.s3.endpoint");
        assert_eq!(key(|s3| s3.public_endpoint = "s3.school".into()), "settings: storage.s3.public_endpoint");
        assert_eq!(key(|s3| s3.region.clear()), "settings: storage.s3.region");
        assert_eq!(key(|s3| s3.kms_key = "alias/school".into()), "settings: storage.s3.kms_key");
    }

    #[test]
    fn a_bucket_is_only_asked_for_where_it_is_used() {
        assert!(Storage::default().validate().is_ok());
    }
}
