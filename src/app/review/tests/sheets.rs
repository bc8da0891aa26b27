//! Sheets that a teacher sends back.

use super::*;
use crate::app::Mode;
use crate::app::report::{self, EvidenceWish, MoodleIdentifier, SessionFile};
use crate::db::testing::{new_session, on_each_database};

const CSV: SessionFile = SessionFile::Csv;
const XLSX: SessionFile = SessionFile::Workbook(EvidenceWish::Members);

impl Scene {
    fn sheet(&self, file: SessionFile) -> Vec<u8> {
        self.wait(report::session_file(&self.school, self.session, file)).unwrap()
    }

    /// The CSV with other words for the statuses of these members.
    fn corrected(&self, statuses: &[(usize, &str)]) -> Vec<u8> {
        let mut lines: Vec<String> = String::from_utf8(self.sheet(CSV)).unwrap().lines().map(str::to_owned).collect();
        for (index, status) in statuses {
            let mut fields: Vec<String> = lines[index + 1].split(',').map(str::to_owned).collect();
            fields[10] = (*status).to_owned();
            lines[index + 1] = fields.join(",");
        }
        lines.join("\n").into_bytes()
    }

    fn import(&self, bytes: Vec<u8>, mode: Mode, conflicts: ConflictRule) -> Result<SheetImported, Error> {
        let import = SheetImport { session: Some(self.session), bytes: bytes.into(), mode, conflicts };
        self.wait(import_sheet(&self.school, import, ann()))
    }
}

/// Of each change: whose, from what, to what, whether it is a conflict, whether it was made.
fn told(imported: &SheetImported) -> Vec<(&str, AttendanceStatus, AttendanceStatus, bool, bool)> {
    let changes = imported.changes.iter();
    changes.map(|c| (c.roll_no.as_str(), c.from.status, c.to.status, c.conflict.is_some(), c.is_applied)).collect()
}

on_each_database! {
    fn a_preview_tells_and_an_apply_makes_the_changes_in_the_senders_name(db) {
        let scene = Scene::settled(db);
        let bytes = scene.corrected(&[(1, "Late"), (2, "x")]);
        let before = scene.everything();
        let preview = scene.import(bytes.clone(), Mode::Preview, ConflictRule::Skip).unwrap();
        assert_eq!(told(&preview), [("2", Absent, Late, false, false)]);
        assert_eq!((preview.unchanged, preview.problems.len(), preview.problems[0].row), (1, 1, 4));
        assert_eq!(scene.everything(), before, "a preview changes nothing");

        let applied = scene.import(bytes.clone(), Mode::Apply, ConflictRule::Skip).unwrap();
        assert_eq!(told(&applied), [("2", Absent, Late, false, true)]);
        let record = scene.record(1);
        assert_eq!((record.status, record.source, record.note), (Late, RecordSource::Manual, None));
        let [line] = &scene.history(1)[..] else { panic!("one line") };
        assert_eq!((line.from_status, line.status, line.actor.as_str()), (Absent, Late, "ann"));
        assert_eq!(scene.told("record.corrected").len(), 1);

        let again = scene.import(bytes, Mode::Apply, ConflictRule::Skip).unwrap();
        assert_eq!((again.changes.len(), again.unchanged), (0, 2), "it was taken over already");
        assert_eq!(scene.history(1).len(), 1);
    }

    fn what_somebody_has_changed_meanwhile_is_skipped_or_overwritten_as_asked(db) {
        let scene = Scene::settled(db);
        let bytes = scene.corrected(&[(0, "excused"), (1, "late")]);
        scene.correct(1, Present).unwrap();
        let skipped = scene.import(bytes.clone(), Mode::Apply, ConflictRule::Skip).unwrap();
        assert_eq!(told(&skipped), [("1", Present, Excused, false, true), ("2", Present, Late, true, false)]);
        let conflict = skipped.changes[1].conflict.as_ref().unwrap();
        assert_eq!((conflict.status, conflict.by.as_deref()), (Present, Some("ann")));
        assert_eq!(conflict.at, scene.record(1).updated_at.map(|at| at.and_utc()));
        assert_eq!(scene.statuses(), [Excused, Present, Absent]);
        let forced = scene.import(bytes, Mode::Apply, ConflictRule::Overwrite).unwrap();
        assert_eq!(told(&forced), [("2", Present, Late, true, true)]);
        assert_eq!(scene.statuses(), [Excused, Late, Absent]);
    }

    fn what_the_program_has_changed_meanwhile_is_its_own_doing(db) {
        let scene = Scene::unsettled(db);
        let bytes = scene.corrected(&[(1, "late")]);
        scene.look_at_photos(&scene.matching().pack.version);
        let imported = scene.import(bytes, Mode::Preview, ConflictRule::Skip).unwrap();
        let conflict = imported.changes[0].conflict.as_ref().unwrap();
        assert_eq!((conflict.status, conflict.by.as_deref()), (Absent, None));
        assert!(conflict.at.is_some());
    }

    fn a_workbook_that_was_not_touched_changes_nothing(db) {
        let scene = Scene::settled(db);
        scene.correct(2, Excused).unwrap();
        for file in [XLSX, CSV] {
            let imported = scene.import(scene.sheet(file), Mode::Apply, ConflictRule::Overwrite).unwrap();
            assert_eq!((imported.changes.len(), imported.unchanged, imported.problems.len()), (0, 3, 0), "{file:?}");
        }
        assert_eq!(scene.history(2).len(), 1);
    }

    fn a_confirmed_session_and_the_sheet_of_another_are_refused(db) {
        let scene = Scene::settled(db);
        let bytes = scene.corrected(&[(1, "late")]);
        let (class, session) = (scene.class, scene.session);
        let other = scene.change(|conn| Ok(sessions::find_or_insert(conn, &new_session(class, "2025-09-02 03:30:00"))?.id));
        let import = |session: Option<SessionId>| {
            let import = SheetImport { session, bytes: bytes.clone().into(), mode: Mode::Apply, conflicts: ConflictRule::Skip };
            scene.wait(import_sheet(&scene.school, import, ann()))
        };
        assert_eq!(code(import(Some(other))), Code::WrongSheet);
        assert_eq!(code(import(Some(SessionId(404)))), Code::SessionNotFound);
        assert_eq!(import(None).unwrap().session, session, "the sheet says which");
        assert_eq!(code(scene.import(b"name,age\n1,2\n".to_vec(), Mode::Preview, ConflictRule::Skip)), Code::WrongSheet);
        assert_eq!(code(scene.import(b"PK\x03\x04".to_vec(), Mode::Preview, ConflictRule::Skip)), Code::InvalidTable);
        scene.confirm(Unmarked::Keep).unwrap();
        for mode in [Mode::Preview, Mode::Apply] {
            assert_eq!(code(scene.import(bytes.clone(), mode, ConflictRule::Skip)), Code::SessionConfirmed);
        }
    }

    fn moodle_is_given_identifiers_and_acronyms(db) {
        let scene = Scene::settled(db);
        let text = |by| String::from_utf8(scene.sheet(SessionFile::Moodle(by))).unwrap();
        let (prns, emails) = (text(MoodleIdentifier::Prn), text(MoodleIdentifier::Email));
        let first = scene.record(0);
        assert!(prns.starts_with(&format!("idnumber,scantime,status,remarks\r\n{},,P,\r\n", first.prn)), "{prns}");
        let email = scene.change(|conn| {
            let student = members::get(conn, first.member)?.student_id;
            Ok(crate::db::students::get(conn, student)?.email.unwrap_or_default())
        });
        assert!(emails.starts_with(&format!("email,scantime,status,remarks\r\n{email},,P,\r\n")), "{emails}");
    }
}
