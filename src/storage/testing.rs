//! What every store must do, run for each of them.

#[path = "../../tests/support/s3.rs"]
pub(crate) mod s3_server;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt as _;
use tempfile::TempDir;

use super::s3::tests::new_store;
pub(crate) use super::s3::tests::public_store;
use super::{
    Digest, Download, ExportExtension, Extension, Key, KeyGroup, LocalStore, MemoryStore, ObjectStore, PhotoLabel,
    StorageErrorKind,
};

pub(super) fn photo(session: i64, bytes: &[u8]) -> Key {
    let starts_at = DateTime::UNIX_EPOCH.naive_utc() + TimeDelta::days(session);
    let label = PhotoLabel::new(Some("Algebra"), "CSE", "A", starts_at);
    Key::SessionPhoto { label, session, sha256: Digest::of(bytes).short(), extension: Extension::Jpg }
}

pub(super) fn photo_by_hash(session: i64, bytes: &[u8]) -> Key {
    Key::PhotoByHash { session, sha256: Digest::of(bytes), extension: Extension::Jpg }
}

pub(super) fn annotated(session: i64, photo: i64) -> Key {
    Key::Annotated { session, photo }
}

fn sample(student: i64, bytes: &[u8]) -> Key {
    Key::Sample { student, sha256: Digest::of(bytes), extension: Extension::Png }
}

fn export(job: i64) -> Key {
    Key::Export { job, extension: ExportExtension::Zip }
}

/// The paths in a group.
pub(super) async fn listed(store: &dyn ObjectStore, group: KeyGroup) -> BTreeSet<String> {
    store.list(group).map_ok(|object| object.key.to_string()).try_collect().await.unwrap()
}

fn paths(keys: &[Key]) -> BTreeSet<String> {
    keys.iter().map(Key::to_string).collect()
}

/// All pieces of a download.
async fn bytes(download: Download) -> Vec<u8> {
    let pieces: Vec<bytes::Bytes> = download.body.try_collect().await.unwrap();
    pieces.concat()
}

/// Three megabytes in which no two places look alike.
fn large() -> Vec<u8> {
    (0..750_000_u32).flat_map(u32::to_le_bytes).collect()
}

macro_rules! on_each_store {
    ($(async fn $name:ident($store:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn check($store: &dyn ObjectStore) $body

            #[tokio::test]
            async fn local() {
                let folder = TempDir::new().unwrap();
                check(&LocalStore::new(folder.path())).await;
            }

            #[tokio::test]
            async fn memory() {
                check(&MemoryStore::new()).await;
            }

            #[tokio::test]
            async fn s3() {
                check(&new_store(s3_server::Server::shared())).await;
            }
        }
    )+};
}

on_each_store! {
    async fn an_object_reads_back_as_written(store) {
        for bytes in [&b""[..], b"\0\xff\r\n", &large()] {
            store.put(&photo(12, bytes), bytes).await.unwrap();
            assert_eq!(store.get(&photo(12, bytes)).await.unwrap(), bytes);
        }
    }

    async fn a_second_write_replaces_the_first(store) {
        let key = annotated(12, 7);
        store.put(&key, b"a long first version").await.unwrap();
        store.put(&key, b"second").await.unwrap();
        assert_eq!(store.get(&key).await.unwrap(), b"second");
        assert_eq!(listed(store, KeyGroup::Sessions).await, paths(&[key]));
    }

    async fn what_is_not_there_is_not_found(store) {
        let key = photo(12, b"one");
        assert!(!store.exists(&key).await.unwrap());
        for error in [
            store.get(&key).await.unwrap_err(),
            store.head(&key).await.unwrap_err(),
            store.open(&key, None).await.unwrap_err(),
            store.open(&key, Some(0..1)).await.unwrap_err(),
        ] {
            assert_eq!(error.kind, StorageErrorKind::NotFound);
            assert_eq!(error.to_string(), format!("there is no object: {key}"));
            assert!(!error.is_transient());
        }
    }

    async fn a_deleted_object_is_gone_and_may_be_deleted_again(store) {
        let (gone, kept) = (photo(12, b"one"), photo(12, b"two"));
        for key in [&gone, &kept] {
            store.put(key, b"bytes").await.unwrap();
        }
        store.delete(&gone).await.unwrap();
        store.delete(&gone).await.unwrap();
        assert!(!store.exists(&gone).await.unwrap());
        assert!(store.exists(&kept).await.unwrap());
    }

    async fn a_group_lists_its_objects_whoever_wrote_them(store) {
        let of_12 = [photo(12, b"one"), photo(12, b"two"), photo_by_hash(12, b"one"), annotated(12, 10), annotated(12, 9)];
        let (of_1, of_student, made) = (photo(1, b"one"), sample(12, b"one"), export(12));
        let coming = Key::Enrolment { class: 12, number: 12 };
        for key in of_12.iter().chain([&of_1, &of_student, &made, &coming, &Key::Probe { number: 12 }]) {
            store.put(key, b"bytes").await.unwrap();
        }
        assert_eq!(listed(store, KeyGroup::Session(12)).await, paths(&of_12));
        assert_eq!(listed(store, KeyGroup::Session(1)).await, paths(&[of_1]));
        assert_eq!(listed(store, KeyGroup::Session(2)).await, paths(&[]));
        assert_eq!(listed(store, KeyGroup::Student(12)).await, paths(std::slice::from_ref(&of_student)));
        assert_eq!(listed(store, KeyGroup::Samples).await, paths(&[of_student]));
        assert_eq!(listed(store, KeyGroup::Exports).await, paths(&[made]));
        assert_eq!(listed(store, KeyGroup::Enrolments).await, paths(&[coming]));
        assert_eq!(listed(store, KeyGroup::Sessions).await.len(), 6);
    }

    async fn a_listing_says_how_long_and_how_old_an_object_is(store) {
        let before = Utc::now() - TimeDelta::seconds(2);
        store.put(&sample(1, b"one"), b"bytes").await.unwrap();
        let listed: Vec<_> = store.list(KeyGroup::Samples).try_collect().await.unwrap();
        assert_eq!((listed.len(), listed[0].head.length), (1, 5));
        let of_head = store.head(&listed[0].key).await.unwrap();
        for head in [listed[0].head, of_head] {
            assert_eq!(head.length, 5);
            assert!(before <= head.modified && head.modified <= Utc::now() + TimeDelta::seconds(1), "{head:?}");
        }
    }

    async fn an_object_comes_in_pieces(store) {
        let (key, large) = (export(1), large());
        store.put(&key, &large).await.unwrap();
        let download = store.open(&key, None).await.unwrap();
        assert_eq!((download.head.length, &download.range), (large.len() as u64, &(0..large.len() as u64)));
        assert!(download.head.modified <= Utc::now() + TimeDelta::seconds(1));
        assert_eq!(bytes(download).await, large);
        store.put(&key, b"").await.unwrap();
        assert_eq!(bytes(store.open(&key, None).await.unwrap()).await, b"");
    }

    async fn a_range_is_a_part_of_the_object(store) {
        let key = export(1);
        store.put(&key, &large()).await.unwrap();
        let length = large().len() as u64;
        let (last, rest) = (length - 1..length, 7..length);
        for (asked, given) in [(0..1, 0..1), (1..200_000, 1..200_000), (last.clone(), last), (7..u64::MAX, rest)] {
            let download = store.open(&key, Some(asked)).await.unwrap();
            assert_eq!((download.head.length, &download.range), (length, &given));
            assert_eq!(bytes(download).await, large()[given.start as usize..given.end as usize]);
        }
        for asked in [length..length + 1, 5..5, u64::MAX - 1..u64::MAX] {
            let error = store.open(&key, Some(asked)).await.unwrap_err();
            assert_eq!(error.kind, StorageErrorKind::OutOfRange, "{error}");
        }
    }

    async fn a_file_becomes_an_object(store) {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("export.zip");
        std::fs::write(&file, large()).unwrap();
        store.put_file(&export(1), &file).await.unwrap();
        assert_eq!(store.get(&export(1)).await.unwrap(), large());
        let missing = store.put_file(&export(2), &folder.path().join("none")).await.unwrap_err();
        assert_eq!(missing.kind, StorageErrorKind::Unavailable);
        assert!(!store.exists(&export(2)).await.unwrap());
    }

    async fn writers_of_one_key_leave_one_whole_object(store) {
        let key = annotated(12, 7);
        let versions = [1_u8, 2, 3].map(|fill| vec![fill; usize::from(fill) * 500_000]);
        let [one, two, three] = &versions;
        let writes = tokio::join!(store.put(&key, one), store.put(&key, two), store.put(&key, three));
        assert!(matches!(writes, (Ok(()), Ok(()), Ok(()))), "{writes:?}");
        assert!(versions.contains(&store.get(&key).await.unwrap()));
    }

    async fn no_link_is_given_where_nobody_reaches_the_store_from_outside(store) {
        store.put(&export(1), b"bytes").await.unwrap();
        assert_eq!(store.presign(&export(1), "a.zip", Duration::from_secs(60)).await.unwrap(), None);
    }
}
