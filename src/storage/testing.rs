//! What every store must do, run for each of them.

use tempfile::TempDir;

use super::{Digest, Extension, Key, KeyGroup, LocalStore, MemoryStore, ObjectStore, StorageErrorKind};

pub(super) fn photo(session: i64, bytes: &[u8]) -> Key {
    Key::SessionPhoto { session, sha256: Digest::of(bytes), extension: Extension::Jpg }
}

pub(super) fn annotated(session: i64, photo: i64) -> Key {
    Key::Annotated { session, photo }
}

fn sample(student: i64, bytes: &[u8]) -> Key {
    Key::Sample { student, sha256: Digest::of(bytes), extension: Extension::Png }
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
        }
    )+};
}

on_each_store! {
    async fn an_object_reads_back_as_written(store) {
        let large: Vec<u8> = (0..3_000_000_u32).map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
        for bytes in [&b""[..], b"\0\xff\r\n", &large] {
            store.put(&photo(12, bytes), bytes).await.unwrap();
            assert_eq!(store.get(&photo(12, bytes)).await.unwrap(), bytes);
        }
    }

    async fn a_second_write_replaces_the_first(store) {
        let key = annotated(12, 7);
        store.put(&key, b"a long first version").await.unwrap();
        store.put(&key, b"second").await.unwrap();
        assert_eq!(store.get(&key).await.unwrap(), b"second");
        assert_eq!(store.list(KeyGroup::Sessions).await.unwrap(), [key]);
    }

    async fn what_is_not_there_is_not_found(store) {
        let key = photo(12, b"one");
        assert!(!store.exists(&key).await.unwrap());
        let error = store.get(&key).await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::NotFound);
        assert_eq!(error.to_string(), format!("there is no object: {key}"));
        assert!(!error.is_transient());
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

    async fn a_group_lists_its_objects_sorted_by_path(store) {
        let mut of_12 = vec![photo(12, b"one"), photo(12, b"two"), annotated(12, 10), annotated(12, 9)];
        let (of_1, of_student) = (photo(1, b"one"), sample(12, b"one"));
        for key in of_12.iter().chain([&of_1, &of_student]) {
            store.put(key, b"bytes").await.unwrap();
        }
        of_12.sort_by_key(Key::to_string);
        assert_eq!(store.list(KeyGroup::Session(12)).await.unwrap(), of_12);
        assert_eq!(store.list(KeyGroup::Session(1)).await.unwrap(), [of_1]);
        assert_eq!(store.list(KeyGroup::Session(2)).await.unwrap(), []);
        assert_eq!(store.list(KeyGroup::Student(12)).await.unwrap(), [of_student]);
        assert_eq!(store.list(KeyGroup::Samples).await.unwrap(), [of_student]);
        assert_eq!(store.list(KeyGroup::Sessions).await.unwrap().len(), 5);
    }

    async fn writers_of_one_key_leave_one_whole_object(store) {
        let key = annotated(12, 7);
        let versions = [1_u8, 2, 3].map(|fill| vec![fill; usize::from(fill) * 500_000]);
        let [one, two, three] = &versions;
        let writes = tokio::join!(store.put(&key, one), store.put(&key, two), store.put(&key, three));
        assert!(matches!(writes, (Ok(()), Ok(()), Ok(()))), "{writes:?}");
        assert!(versions.contains(&store.get(&key).await.unwrap()));
    }
}
