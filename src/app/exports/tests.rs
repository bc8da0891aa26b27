use std::sync::Arc;

use futures_util::TryStreamExt as _;

use super::*;
use crate::app::report::{MoodleIdentifier, SessionFormat, SessionOptions};
use crate::app::testing::{run, school};
use crate::app::work::{Shift, work};
use crate::app::{Recogniser, storage_check};
use crate::db::Db;
use crate::db::testing::{self, day, on_each_database};
use crate::domain::pilot::PilotSessions;
use crate::queue::Stop;
use crate::queue::store::Ask;
use crate::storage::{KeyGroup, LocalStore};

struct Scene {
    school: School,
    class: ClassId,
    session: SessionId,
}

impl Scene {
    fn new(db: &Db) -> Self {
        let made = db.run_blocking(testing::school).unwrap();
        Self { school: school(db), class: made.class, session: made.session }
    }

    fn register(&self) -> RegisterOf {
        let days = (day("2025-09-01"), day("2025-09-30"));
        RegisterOf { class: self.class, days, subject: None, pilots: PilotSessions::LeftOut }
    }

    async fn ask(&self, sheet: Sheet, format: SheetFormat) -> Result<JobId, Error> {
        request(&self.school, ExportWish::of(sheet, format), Some("user:5".into())).await
    }

    /// A worker that ends when nothing is due.
    async fn work(&self) {
        self.work_until_drained(&self.school).await;
    }

    async fn work_until_drained(&self, school: &School) {
        let recogniser = Recogniser::fake(school.config());
        work(school, &recogniser, Shift::Drain, &Stop::default(), &mut |_| {}).await.unwrap();
    }

    async fn stored(&self) -> Vec<String> {
        let keys = self.school.store.list(KeyGroup::Exports).map_ok(|object| object.key.to_string());
        keys.try_collect().await.unwrap()
    }

    async fn fetch(&self, id: JobId) -> Vec<u8> {
        let download = file(&self.school, id).await.unwrap().open(&self.school, None).await.unwrap();
        download.body.try_collect::<Vec<_>>().await.unwrap().concat()
    }

    /// Deletes what nobody needs as if it were an hour later.
    async fn sweep(&self) -> u64 {
        storage_check::sweep_before(&self.school, chrono::Utc::now() + chrono::TimeDelta::hours(1)).await.unwrap()
    }
}

on_each_database! {
    fn a_session_is_made_as_it_was_asked_for(db) {
        run(async {
            let scene = Scene::new(db);
            let has_evidence = async |options| {
                let file = SessionFile::of(SessionFormat::Xlsx, options).unwrap();
                let id = request(&scene.school, ExportWish::session(scene.session, file), None).await.unwrap();
                scene.work().await;
                // Names of parts stand in an archive as they are.
                scene.fetch(id).await.windows(24).any(|name| name == b"xl/worksheets/sheet2.xml")
            };
            assert!(has_evidence(SessionOptions::default()).await);
            assert!(!has_evidence(SessionOptions { evidence: Some(false), ..Default::default() }).await);
            let moodle = ExportWish::session(scene.session, SessionFile::Moodle(MoodleIdentifier::Email));
            let id = request(&scene.school, moodle.clone(), None).await.unwrap();
            scene.work().await;
            assert!(scene.fetch(id).await.starts_with(b"email,scantime"));
            let made = get(&scene.school, id).await.unwrap().made.unwrap();
            assert_eq!(made.file_name, format!("moodle-session-{}.csv", scene.session.0));
            let (class, session) = (scene.class, scene.session);
            let pilot = scene.school.change(move |conn| {
                classes::set_pilot(conn, class, Some(testing::at("2025-08-01 00:00:00")))?;
                Ok(sessions::find_or_insert(conn, &testing::new_session(class, "2025-09-02 03:30:00"))?.id)
            });
            let pilot = pilot.await.unwrap();
            assert_ne!(pilot, session);
            let refused = ExportWish::session(pilot, SessionFile::Moodle(MoodleIdentifier::Prn));
            assert_eq!(request(&scene.school, refused, None).await.unwrap_err().code, Code::PilotSession);
            assert!(request(&scene.school, ExportWish::session(pilot, SessionFile::Csv), None).await.is_ok());
        });
    }

    fn every_sheet_is_made_by_a_worker(db) {
        run(async {
            let scene = Scene::new(db);
            for (sheet, format, name, begin) in [
                (Sheet::Session(scene.session), SheetFormat::Xlsx, format!("session-{}.xlsx", scene.session.0), &b"PK"[..]),
                (Sheet::Session(scene.session), SheetFormat::Csv, format!("session-{}.csv", scene.session.0), "\u{feff}".as_bytes()),
                (
                    Sheet::Register(scene.register()), SheetFormat::Csv,
                    format!("class-{}_2025-09-01_2025-09-30.csv", scene.class.0), "\u{feff}".as_bytes(),
                ),
                (
                    Sheet::Workbook(scene.register()), SheetFormat::Xlsx,
                    format!("class-{}_2025-09-01_2025-09-30_sessions.xlsx", scene.class.0), b"PK",
                ),
            ] {
                let id = scene.ask(sheet, format).await.unwrap();
                let waiting = get(&scene.school, id).await.unwrap();
                assert_eq!((waiting.state, waiting.class, waiting.made), (JobState::Queued, scene.class, None));
                assert_eq!(file(&scene.school, id).await.unwrap_err().code, Code::ExportNotReady);
                scene.work().await;
                let done = get(&scene.school, id).await.unwrap();
                assert_eq!(done.state, JobState::Done, "{done:?}");
                let bytes = scene.fetch(id).await;
                assert_eq!(done.made, Some(Made { export_id: id.0, file_name: name, bytes: bytes.len() as u64 }));
                assert!(bytes.starts_with(begin));
            }
            assert_eq!(scene.stored().await.len(), 4);
        });
    }

    fn what_cannot_be_made_is_refused_at_once(db) {
        run(async {
            let scene = Scene::new(db);
            let code = async |sheet, format| scene.ask(sheet, format).await.unwrap_err().code;
            assert_eq!(code(Sheet::Session(SessionId(404)), SheetFormat::Csv).await, Code::SessionNotFound);
            let register = |change: fn(&mut RegisterOf)| {
                let mut register = scene.register();
                change(&mut register);
                Sheet::Register(register)
            };
            assert_eq!(code(register(|r| r.class = ClassId(404)), SheetFormat::Csv).await, Code::ClassNotFound);
            assert_eq!(code(register(|r| r.subject = Some("Alchemy".into())), SheetFormat::Csv).await, Code::SubjectNotFound);
            assert_eq!(code(register(|r| r.days = (r.days.1, r.days.0)), SheetFormat::Csv).await, Code::InvalidRequest);
            assert_eq!(code(Sheet::Workbook(scene.register()), SheetFormat::Csv).await, Code::InvalidRequest);
            assert_eq!(get(&scene.school, JobId(404)).await.unwrap_err().code, Code::ExportNotFound);
        });
    }

    fn the_same_wish_waits_once_for_each_who_has_it(db) {
        run(async {
            let scene = Scene::new(db);
            let first = scene.ask(Sheet::Session(scene.session), SheetFormat::Csv).await.unwrap();
            assert_eq!(scene.ask(Sheet::Session(scene.session), SheetFormat::Csv).await.unwrap(), first);
            assert_ne!(scene.ask(Sheet::Session(scene.session), SheetFormat::Xlsx).await.unwrap(), first);
            let wish = ExportWish::of(Sheet::Session(scene.session), SheetFormat::Csv);
            assert_ne!(request(&scene.school, wish, Some("user:6".into())).await.unwrap(), first);
        });
    }

    fn a_worker_that_dies_after_writing_leaves_nothing_that_is_not_accounted_for(db) {
        run(async {
            let scene = Scene::new(db);
            let id = scene.ask(Sheet::Session(scene.session), SheetFormat::Csv).await.unwrap();
            let ask = Ask {
                topics: vec![TOPIC.into()],
                worker: "dead".into(),
                run_id: None,
                count: 1,
                lease: Duration::ZERO,
            };
            let claimed = scene.school.change(move |conn| Ok(store::claim(conn, &ask)?)).await.unwrap();
            assert_eq!(claimed[0].claim.id, id);
            scene.school.store.put(&key(id, SheetFormat::Csv), b"half of it was true").await.unwrap();
            assert_eq!(scene.sweep().await, 0, "its job goes on");
            scene.work().await;
            let done = get(&scene.school, id).await.unwrap();
            assert_eq!((done.state, scene.fetch(id).await.len() as u64), (JobState::Done, done.made.unwrap().bytes));
            assert_eq!(scene.stored().await, [format!("exports/by_request/{}.csv", id.0)]);
            assert!(matches!(make(&scene.school, &claimed[0]).await, Err(Failure::LeaseLost)), "it cannot finish it again");
        });
    }

    fn an_export_goes_with_its_job(db) {
        run(async {
            let scene = Scene::new(db);
            let id = scene.ask(Sheet::Session(scene.session), SheetFormat::Csv).await.unwrap();
            scene.work().await;
            assert_eq!(scene.sweep().await, 0);
            let tomorrow = chrono::Utc::now().naive_utc() + chrono::TimeDelta::days(1);
            scene.school.change(move |conn| Ok(store::prune(conn, tomorrow, 9)?)).await.unwrap();
            assert_eq!(storage_check::sweep(&scene.school).await.unwrap(), 0, "it is young");
            assert_eq!((scene.sweep().await, scene.stored().await.len()), (1, 0));
            assert_eq!(get(&scene.school, id).await.unwrap_err().code, Code::ExportNotFound);
        });
    }

    fn a_file_that_is_gone_is_to_be_asked_for_again(db) {
        run(async {
            let scene = Scene::new(db);
            let id = scene.ask(Sheet::Session(scene.session), SheetFormat::Csv).await.unwrap();
            scene.work().await;
            scene.school.store.delete(&key(id, SheetFormat::Csv)).await.unwrap();
            let gone = file(&scene.school, id).await.unwrap_err();
            assert!(gone.code == Code::ExportNotFound && gone.message.contains("again"), "{gone}");
        });
    }

    fn a_store_that_is_away_costs_no_attempt(db) {
        run(async {
            let scene = Scene::new(db);
            let id = scene.ask(Sheet::Session(scene.session), SheetFormat::Csv).await.unwrap();
            // A file in the place of the folder: nothing can be written or asked for.
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("data");
            std::fs::write(&root, "no folder").unwrap();
            let school = School { store: Arc::new(LocalStore::new(root)), ..scene.school.clone() };
            scene.work_until_drained(&school).await;
            let row = scene.school.read(move |conn| Ok::<_, Error>(store::get(conn, id)?)).await.unwrap();
            assert_eq!((row.state.as_str(), row.attempt, row.errors.0[0].code.as_str()), ("queued", 0, "STORAGE_ERROR"));
        });
    }

    fn every_worker_makes_exports_whatever_its_pack(db) {
        run(async {
            let scene = Scene::new(db);
            let export = scene.ask(Sheet::Session(scene.session), SheetFormat::Csv).await.unwrap();
            let photo = NewJob {
                kind: "photo",
                topic: "photo:another@1".into(),
                payload: serde_json::json!({ "photo": 1 }),
                dedup_key: "photo:1".into(),
                run_id: None,
                priority: Priority::Person,
                max_attempts: 1,
                owner: None,
            };
            let photo = scene.school.change(move |conn| Ok(queue::enqueue(conn, &photo)?)).await.unwrap();
            scene.work().await;
            let states = scene.school.read(move |conn| {
                let state = |conn: &mut _, id| store::get(conn, id).map(|row| row.job_state());
                Ok::<_, Error>([state(conn, export)?, state(conn, photo)?])
            });
            assert_eq!(states.await.unwrap(), [JobState::Done, JobState::Queued]);
        });
    }

    fn an_export_is_of_its_class_whoever_asked_for_it(db) {
        use crate::app::reach::{Belongs, Named, classes_of};
        run(async {
            let scene = Scene::new(db);
            let id = scene.ask(Sheet::Session(scene.session), SheetFormat::Csv).await.unwrap();
            let of = scene.school.read(move |conn| {
                Ok::<_, Error>([Named::Export(id), Named::Job(id)].map(|named| classes_of(conn, named, Some("user:5")).unwrap()))
            });
            assert_eq!(of.await.unwrap(), [Belongs::To(vec![scene.class]), Belongs::ToCaller]);
        });
    }
}

/// A job may wait since before there were options.
#[test]
fn older_wishes_are_read() {
    let older = serde_json::json!({ "sheet": { "session": 7 }, "format": "xlsx" });
    let wish: ExportWish = serde_json::from_value(older.clone()).unwrap();
    assert_eq!(wish, ExportWish::of(Sheet::Session(SessionId(7)), SheetFormat::Xlsx));
    assert_eq!(wish.session_file(), SessionFile::from(SheetFormat::Xlsx));
    assert_eq!(serde_json::json!(wish), older);
    let asked = ExportWish::session(SessionId(7), SessionFile::Moodle(MoodleIdentifier::Email));
    let stored = serde_json::json!(asked);
    assert_eq!(stored["session_file"], serde_json::json!({ "moodle": "email" }));
    assert_eq!(serde_json::from_value::<ExportWish>(stored).unwrap(), asked);
}
