//! The register as CSV, portion by portion: a class of any size over any number of days, in little memory.
//!
//! Held are the sessions and the roll. Records are read for some members at a time, when whoever fetches the file has taken the
//! rows before; no connection is held in between, so a client that reads slowly is in nobody's way. What is corrected meanwhile
//! shows in the rows that are still to come: each row is of one moment, the file as a whole need not be.

use chrono::Utc;
use futures_util::{Stream, stream};

use super::outline::{MarksWish, PORTION};
use super::{Outline, RegisterOf, bom, outline};
use crate::app::School;
use crate::app::attendance::require_range;
use crate::app::error::Error;
use crate::domain::ids::MemberId;
use crate::domain::sheet::{RegisterColumn, RegisterMember, RegisterSheet};
use crate::export::{Bom, register_csv_head, register_csv_rows};

/// Records that are held at a time, about two megabytes of them.
const PORTION_CELLS: usize = 20_000;

/// The rows of a register that are still to come.
#[derive(Debug)]
pub struct RegisterPortions {
    school: School,
    marks: MarksWish,
    /// Without members.
    sheet: RegisterSheet,
    /// Members whose rows are still to come, in their order.
    roll: std::vec::IntoIter<RegisterMember>,
    /// Members in a portion.
    size: usize,
    /// What stands before the rows, until it was given.
    head: Option<Bom>,
}

impl RegisterPortions {
    /// # Errors
    /// As [`super::register_of`].
    pub async fn open(school: &School, wanted: RegisterOf) -> Result<Self, Error> {
        Self::of_cells(school, wanted, PORTION_CELLS).await
    }

    async fn of_cells(school: &School, wanted: RegisterOf, cells: usize) -> Result<Self, Error> {
        require_range(wanted.days)?;
        let (config, now) = (school.config.clone(), Utc::now());
        let read = school.read(move |conn| outline(conn, &wanted, &config, now));
        let Outline { sheet, columns, mut roll, marks, .. } = read.await?;
        roll.sort_by(RegisterMember::cmp_by_roll);
        Ok(Self {
            school: school.clone(),
            marks,
            size: (cells / columns.len().max(1)).clamp(1, PORTION),
            sheet: sheet.filled(Vec::new(), columns, &[]),
            roll: roll.into_iter(),
            head: Some(bom(&school.config)),
        })
    }

    /// The next part of the text, first of all the header row; nothing when all was given.
    ///
    /// # Errors
    /// Database failures: what was given so far is then only a beginning.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(bom) = self.head.take() {
            return Ok(Some(register_csv_head(&self.sheet, bom)?));
        }
        let members: Vec<RegisterMember> = self.roll.by_ref().take(self.size).collect();
        if members.is_empty() {
            return Ok(None);
        }
        let ids: Vec<MemberId> = members.iter().map(|member| member.id).collect();
        let wanted = self.marks;
        let marks = self.school.read(move |conn| wanted.read(conn, &ids)).await?;
        let sessions: Vec<RegisterColumn> = self.sheet.sessions().to_vec();
        let portion = self.sheet.clone().filled(members, sessions, &marks);
        Ok(Some(register_csv_rows(&portion)?))
    }

    /// The same for whoever takes a stream. It ends with the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Vec<u8>, Error>> + Send + 'static {
        stream::try_unfold(self, async |mut rest| Ok(rest.next().await?.map(|part| (part, rest))))
    }

    /// All that is still to come.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn collect(mut self) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        while let Some(part) = self.next().await? {
            text.extend(part);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::app::error::Code;
    use crate::app::report::{RegisterWish, SheetFormat, one_register, register_of, register_sheet, workbook_of};
    use crate::app::term::ClassWish;
    use crate::app::testing::{run, school};
    use crate::db::records::NewRecord;
    use crate::db::testing::{self, at, day, new_member, new_student, on_each_database};
    use crate::db::{Db, DbError, members, records, students};
    use crate::domain::ids::SessionId;
    use crate::domain::pilot::PilotSessions;
    use crate::domain::status::{AttendanceStatus, Consent, RecordSource};
    use crate::export::register_csv;

    const MEMBERS: usize = 30;

    /// A class of thirty with one session, which nobody has decided yet.
    fn scene(db: &Db) -> (School, RegisterOf, SessionId, Vec<MemberId>) {
        let (made, all) = db
            .run_blocking::<_, DbError>(|conn| {
                let made = testing::school(conn)?;
                let mut all = made.members.to_vec();
                for number in all.len() + 1..=MEMBERS {
                    let student = students::insert(conn, &new_student(&format!("P{number}"), Consent::Given))?;
                    all.push(members::insert(conn, &new_member(made.class, student, &number.to_string()))?);
                }
                Ok((made, all))
            })
            .unwrap();
        let days = (day("2025-09-01"), day("2025-09-30"));
        let wanted = RegisterOf { class: made.class, days, subject: None, pilots: PilotSessions::LeftOut };
        (school(db), wanted, made.session, all)
    }

    fn mark(db: &Db, session: SessionId, member: MemberId, status: AttendanceStatus) {
        let record = NewRecord {
            session_id: session,
            member_id: member,
            status,
            source: RecordSource::Manual,
            confidence: None,
            face_id: None,
            note: None,
            updated_at: at("2025-09-01 08:00:00"),
        };
        db.run_blocking(|conn| records::upsert(conn, &[record])).unwrap();
    }

    on_each_database! {
        fn the_portions_are_the_whole_register(db) {
            run(async {
                let (school, wanted, session, all) = scene(db);
                for (n, member) in all.iter().enumerate().filter(|(n, _)| n % 3 > 0) {
                    mark(db, session, *member, if n % 3 == 1 { AttendanceStatus::Present } else { AttendanceStatus::Late });
                }
                let (of, config) = (wanted.clone(), school.config.clone());
                let sheet = school.read(move |conn| register_sheet(conn, &of, &config, Utc::now())).await.unwrap();
                let whole = register_csv(&sheet, bom(&school.config)).unwrap();
                for cells in [1, 7, 30, PORTION_CELLS] {
                    let portions = RegisterPortions::of_cells(&school, wanted.clone(), cells).await.unwrap();
                    assert_eq!(portions.collect().await.unwrap(), whole, "{cells} cells at a time");
                }
                assert_eq!(whole.split(|byte| *byte == b'\n').count(), MEMBERS + 2, "a header, a row each, a last line end");
            });
        }

        fn a_register_of_more_than_three_years_is_refused_in_every_form(db) {
            run(async {
                let (school, wanted, ..) = scene(db);
                for days in [(day("2025-09-01"), day("2028-09-05")), (day("2025-09-02"), day("2025-09-01")), (day("2025-09-01"), NaiveDate::MAX)] {
                    let wanted = RegisterOf { days, ..wanted.clone() };
                    let class = ClassWish { name: "9".into(), section: "A".into(), term: None };
                    let named = RegisterWish { class, days, subject: None, pilots: PilotSessions::LeftOut };
                    let refused = [
                        one_register(&school, named).await.unwrap_err(),
                        register_of(&school, wanted.clone(), SheetFormat::Csv).await.unwrap_err(),
                        register_of(&school, wanted.clone(), SheetFormat::Xlsx).await.unwrap_err(),
                        workbook_of(&school, wanted).await.unwrap_err(),
                    ];
                    assert!(refused.iter().all(|error| error.code == Code::InvalidRequest), "{refused:?}");
                }
            });
        }

        fn a_session_that_nobody_has_a_record_in_says_so(db) {
            run(async {
                let (school, wanted, session, all) = scene(db);
                let csv = async || String::from_utf8(register_of(&school, wanted.clone(), SheetFormat::Csv).await.unwrap()).unwrap();
                let before = csv().await;
                assert!(before.lines().next().unwrap().ends_with("NOT TAKEN") && before.lines().nth(1).unwrap().ends_with(",0,0,0,0,0,,"), "{before}");
                mark(db, session, all[1], AttendanceStatus::Present);
                let after = csv().await;
                assert!(!after.contains("NOT TAKEN") && after.lines().nth(1).unwrap().ends_with(",0,0,0,0,1,,?"), "{after}");
            });
        }

        fn a_row_is_read_when_the_rows_before_it_were_taken(db) {
            run(async {
                let (school, wanted, session, all) = scene(db);
                let mut portions = RegisterPortions::of_cells(&school, wanted, 4).await.unwrap();
                let text = |part: Option<Vec<u8>>| String::from_utf8(part.unwrap()).unwrap();
                let head = text(portions.next().await.unwrap());
                assert!(head.contains("roll_no") && head.lines().count() == 1, "{head}");
                let first = text(portions.next().await.unwrap());
                assert_eq!(first.lines().count(), 4, "{first}");
                // Both were undecided when the first bytes went out.
                mark(db, session, all[0], AttendanceStatus::Excused);
                mark(db, session, all[MEMBERS - 1], AttendanceStatus::Excused);
                let rest = String::from_utf8(portions.collect().await.unwrap()).unwrap();
                assert_eq!(rest.lines().count(), MEMBERS - 4);
                let label = school.config.report.labels.excused.clone();
                assert!(rest.lines().last().unwrap().ends_with(&format!(",{label}")), "{rest}");
                assert!(!first.lines().any(|line| line.ends_with(&format!(",{label}"))), "{first}");
            });
        }
    }
}
