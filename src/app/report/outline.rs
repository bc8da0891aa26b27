//! A register before its records: the sessions and the lessons of the days, and who was in the class.
//!
//! Sheets and percentages are made from the same one, so that they never differ.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::{heading, rules};
use crate::app::error::Error;
use crate::app::session;
use crate::app::timetable::{ClassSession, Plans};
use crate::config::Config;
use crate::db::members::EnrolledRow;
use crate::db::records::MarkRow;
use crate::db::sessions::SessionRow;
use crate::db::subjects::SubjectRow;
use crate::db::{AnyConnection, classes, records};
use crate::domain::ids::{ClassId, MemberId};
use crate::domain::pilot::PilotSessions;
use crate::domain::sheet::{RegisterColumn, RegisterMember, RegisterRecord, RegisterSheet, SheetHeading};

/// Members whose records one statement asks for.
pub(super) const PORTION: usize = 500;

/// How far a register reaches.
#[derive(Debug, Clone)]
pub(in crate::app) struct Extent {
    pub(in crate::app) class: ClassId,
    /// First and last day.
    pub(in crate::app) days: (NaiveDate, NaiveDate),
    /// Only the sessions and lessons of this subject. A session without one is of its lesson's.
    pub(in crate::app) subject: Option<SubjectRow>,
    pub(in crate::app) pilots: PilotSessions,
}

/// A register without records.
pub(in crate::app) struct Outline {
    /// Without rows and columns.
    pub(super) sheet: RegisterSheet,
    /// A column for each session.
    pub(super) columns: Vec<RegisterColumn>,
    /// What is known of the sessions besides.
    pub(super) stored: Vec<SessionRow>,
    pub(super) roll: Vec<RegisterMember>,
    pub(super) marks: MarksWish,
}

/// Which records a register shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarksWish {
    /// From the first to before the last, UTC.
    times: (NaiveDateTime, NaiveDateTime),
    pilots: PilotSessions,
}

impl Outline {
    /// That of those on the `roll`; the columns are not named.
    pub(in crate::app) fn read(
        conn: &mut AnyConnection,
        extent: Extent,
        roll: Vec<EnrolledRow>,
        config: &Config,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let Extent { class, days, subject, pilots } = extent;
        let row = classes::get(conn, class)?;
        let of_class = Plans::of_class(conn, class, days)?.read(conn, &row, config)?;
        let wanted = subject.as_ref().map(|row| row.id);
        let is_of_subject = |session: &&ClassSession| wanted.is_none_or(|wanted| session.subject == Some(wanted));
        let of_subject: Vec<&ClassSession> = of_class.within().filter(is_of_subject).collect();
        let taken: Vec<&ClassSession> = of_subject.iter().copied().filter(|s| pilots.take(s.row.pilot)).collect();
        let column = |session: &&ClassSession| RegisterColumn {
            id: session.row.id,
            at: session.row.starts_at,
            starts_at: session::local(session.row.starts_at, config.time_zone),
            name: None,
            subject: session.subject,
            was_held: session.was_held,
            taken: None,
        };
        let heading = SheetHeading { subject: subject.map(|row| row.name), ..heading(conn, class, config)? };
        let sheet = RegisterSheet::new(heading, rules(conn, config)?, days.0, days.1)
            .with_open_lessons(of_class.open_lessons(wanted, now))
            .without_pilots(of_subject.len() - taken.len());
        Ok(Self {
            sheet,
            columns: taken.iter().map(column).collect(),
            stored: taken.into_iter().map(|session| session.row.clone()).collect(),
            roll: roll.into_iter().map(on_roll).collect(),
            marks: MarksWish { times: of_class.times, pilots },
        })
    }

    /// The whole register.
    pub(in crate::app) fn filled(self, conn: &mut AnyConnection) -> Result<RegisterSheet, Error> {
        let Self { sheet, columns, roll, marks, .. } = self;
        let ids: Vec<MemberId> = roll.iter().map(|member| member.id).collect();
        let mut known = Vec::with_capacity(ids.len() * columns.len());
        for ids in ids.chunks(PORTION) {
            known.extend(marks.read(conn, ids)?);
        }
        Ok(sheet.filled(roll, columns, &known))
    }
}

impl MarksWish {
    /// The records of some members, no more than [`PORTION`].
    pub(super) fn read(self, conn: &mut AnyConnection, members: &[MemberId]) -> Result<Vec<RegisterRecord>, Error> {
        let record =
            |mark: MarkRow| RegisterRecord { session: mark.session_id, member: mark.member_id, status: mark.status };
        Ok(records::marks_of(conn, members, self.times, self.pilots)?.into_iter().map(record).collect())
    }
}

/// A row of the roll as registers know it.
fn on_roll(row: EnrolledRow) -> RegisterMember {
    RegisterMember {
        id: row.member.id,
        roll_no: row.member.roll_no,
        prn: row.student.prn,
        name: row.student.name,
        from: row.member.valid_from,
        to: row.member.valid_to,
    }
}
