//! What only a store behind a network can do wrong. The server is real, on loopback.

use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

use super::*;
use crate::storage::testing::s3_server::{ACCESS_KEY, SECRET_KEY, Server};
use crate::storage::testing::{annotated, listed, photo};

/// A store in an empty bucket.
pub(in crate::storage) fn new_store(server: &Server) -> S3Store {
    store_of(&settings(server), SECRET_KEY)
}

/// The same, and clients reach it under another name.
pub(crate) fn public_store(server: &Server) -> S3Store {
    let public_endpoint = server.endpoint().replace("127.0.0.1", "localhost");
    store_of(&S3 { public_endpoint, ..settings(server) }, SECRET_KEY)
}

fn settings(server: &Server) -> S3 {
    S3 { bucket: server.new_bucket(), endpoint: server.endpoint(), path_style: true, ..S3::default() }
}

fn store_of(settings: &S3, secret_key: &str) -> S3Store {
    let credentials = Credentials::new(ACCESS_KEY, secret_key, None, None, "tests");
    let shared = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    S3Store::with(settings, &shared)
}

/// What its message and its causes say.
fn words(error: &StorageError) -> String {
    format!("{error} {:?}", std::error::Error::source(error))
}

#[tokio::test]
async fn wrong_credentials_are_denied_with_what_is_wrong() {
    let server = Server::shared();
    let store = store_of(&settings(server), "not-the-secret");
    let key = photo(1, b"one");
    for error in [
        store.put(&key, b"bytes").await.unwrap_err(),
        store.get(&key).await.unwrap_err(),
        store.exists(&key).await.unwrap_err(),
        store.delete(&key).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, StorageErrorKind::Denied, "{error}");
        assert!(!error.is_transient());
        assert!(!words(&error).contains("not-the-secret") && !words(&error).contains("Signature="), "{error:?}");
    }
    let error = store.get(&key).await.unwrap_err();
    assert!(error.to_string().contains("the secret key is not the one"), "{error}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_said_to_be_missing() {
    let server = Server::shared();
    let store = store_of(&S3 { bucket: "no-such-bucket".into(), ..settings(server) }, SECRET_KEY);
    let error = store.list(KeyGroup::Samples).next().await.unwrap().unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Denied);
    assert!(error.to_string().contains("there is no such bucket"), "{error}");
}

#[tokio::test]
async fn a_link_opens_one_object_without_credentials_until_it_is_over() {
    let store = public_store(Server::shared());
    let (key, other) = (photo(1, b"one"), photo(2, b"two"));
    store.put(&key, b"one").await.unwrap();
    store.put(&other, b"two").await.unwrap();
    let link = store.presign(&key, "photo-1.jpg", Duration::from_secs(3)).await.unwrap().unwrap();
    assert!(link.as_str().starts_with("http://localhost:") && link.as_str().contains("photo-1.jpg"), "{link:?}");
    assert!(!format!("{link:?}").contains("Signature"), "{link:?}");
    let answer = reqwest::get(link.as_str()).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &"image/jpeg".parse().unwrap()));
    assert_eq!(answer.bytes().await.unwrap(), "one");
    let elsewhere = link.as_str().replace(&key.to_string(), &other.to_string());
    assert_ne!(elsewhere, link.as_str());
    assert_eq!(reqwest::get(elsewhere).await.unwrap().status(), 403);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(reqwest::get(link.as_str()).await.unwrap().status(), 403, "it is over");
}

#[tokio::test]
async fn schools_with_a_prefix_of_their_own_share_a_bucket() {
    let server = Server::shared();
    let settings = settings(server);
    let of = |prefix: &str| store_of(&S3 { prefix: prefix.into(), ..settings.clone() }, SECRET_KEY);
    let (hill, valley) = (of("schools/hill"), of("schools/hill-2"));
    hill.put(&photo(1, b"one"), b"one").await.unwrap();
    valley.put(&photo(2, b"two"), b"two").await.unwrap();
    assert_eq!(listed(&hill, KeyGroup::Sessions).await, [photo(1, b"one").to_string()].into());
    let expected = [format!("schools/hill-2/{}", photo(2, b"two")), format!("schools/hill/{}", photo(1, b"one"))];
    assert_eq!(server.keys(&settings.bucket), expected.into());
}

#[tokio::test]
async fn a_listing_goes_on_over_many_pages() {
    let server = Server::shared();
    let store = new_store(server);
    // A page has a thousand. Written past the server, which would take long.
    let folder = server.file(&store.bucket, "attendance_photos/7/annotated");
    std::fs::create_dir_all(&folder).unwrap();
    for id in 0..2_500 {
        std::fs::write(folder.join(format!("{id}.jpg")), "x").unwrap();
    }
    std::fs::write(folder.join("no object.txt"), "x").unwrap();
    let before = server.requests();
    assert_eq!(listed(&store, KeyGroup::Sessions).await.len(), 2_500);
    assert!(server.requests() - before >= 3);
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_and_works_when_it_is_back() {
    let server = Server::start();
    let store = new_store(&server);
    let key = photo(1, b"one");
    store.put(&key, b"one").await.unwrap();
    server.stop();
    let error = store.get(&key).await.unwrap_err();
    assert!(error.kind == StorageErrorKind::Unavailable && error.is_transient(), "{error}");
    assert_eq!(error.to_string(), format!("the storage is not available: {key}"));
    server.resume();
    assert_eq!(store.get(&key).await.unwrap(), b"one");
}

#[tokio::test]
async fn a_store_that_is_busy_is_asked_again() {
    let server = Server::start();
    let store = new_store(&server);
    let key = photo(1, b"one");
    server.refuse(ATTEMPTS - 1);
    store.put(&key, b"one").await.unwrap();
    assert_eq!(server.requests(), ATTEMPTS);
    server.refuse(ATTEMPTS);
    let error = store.get(&key).await.unwrap_err();
    assert!(error.is_transient() && words(&error).contains("SlowDown"), "{error:?}");
    assert_eq!(server.requests(), 2 * ATTEMPTS, "tries are bounded");
    assert_eq!(store.get(&key).await.unwrap(), b"one");
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let server = Server::start();
    let store = new_store(&server);
    let key = annotated(1, 1);
    server.cut_after(Some(300_000));
    let error = store.put(&key, &vec![7; 1_000_000]).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Unavailable, "{error:?}");
    server.cut_after(None);
    assert!(!store.exists(&key).await.unwrap());
    assert_eq!(server.keys(&store.bucket), [].into());
    assert_eq!(server.unfinished(), 0);
    store.put(&key, &vec![7; 1_000_000]).await.unwrap();
    assert_eq!(store.head(&key).await.unwrap().length, 1_000_000);
}

#[tokio::test]
async fn bytes_that_change_on_the_way_are_not_taken_for_the_object() {
    let server = Server::shared();
    let store = new_store(server);
    let key = photo(1, b"one");
    store.put(&key, b"one").await.unwrap();
    std::fs::write(server.file(&store.bucket, &key.to_string()), "two").unwrap();
    let error = store.get(&key).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Unavailable, "the checksum of the upload does not fit");
}

#[tokio::test]
async fn encryption_is_asked_for_with_every_upload() {
    let server = Server::start();
    let kms = S3 { encryption: Encryption::Kms, kms_key: "alias/school".into(), ..settings(&server) };
    store_of(&kms, SECRET_KEY).put(&photo(1, b"one"), b"one").await.unwrap();
    let said = |name: &str| server.header_of_put(&format!("x-amz-{name}"));
    assert_eq!(said("server-side-encryption").as_deref(), Some("aws:kms"));
    assert_eq!(said("server-side-encryption-aws-kms-key-id").as_deref(), Some("alias/school"));
    let of_store = S3 { encryption: Encryption::Aes256, ..settings(&server) };
    let file = tempfile::NamedTempFile::new().unwrap();
    store_of(&of_store, SECRET_KEY).put_file(&photo(1, b""), file.path()).await.unwrap();
    assert_eq!(said("server-side-encryption").as_deref(), Some("AES256"));
    assert_eq!(said("checksum-sha256"), Some(BASE64_STANDARD.encode(Digest::of(b"").bytes())));
}
