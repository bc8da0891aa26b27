//! What the program found in the sessions of a pilot, beside the teacher's register. Reads only: nothing of a comparison is kept.

use chrono::{NaiveDate, TimeDelta};

use super::label;
use crate::app::error::{Code, Error};
use crate::app::report::heading;
use crate::app::{School, blocking, session, status_styles};
use crate::config::Config;
use crate::db::classes::ClassRow;
use crate::db::sessions::SessionRow;
use crate::db::{AnyConnection, classes, members, photos, pilot_opinions, sessions};
use crate::domain::class_label::{ClassLabels, ClassRef};
use crate::domain::days::{FIRST_DAY, LAST_DAY, require_order};
use crate::domain::ids::ClassId;
use crate::domain::pilot::{Lesson, LessonKind, PilotSheet, RollEntry, Scope, compare as compare_with, parse_register};
use crate::domain::sheet::SheetHeading;
use crate::export::pilot_workbook;

/// What is to be compared.
#[derive(Debug)]
pub struct CompareWish {
    /// None: every class that has sessions of a pilot.
    pub class: Option<ClassId>,
    /// The register as a CSV file.
    pub register: Vec<u8>,
    /// First and last day; none is open.
    pub days: (Option<NaiveDate>, Option<NaiveDate>),
}

/// Compares the sessions of a pilot with a register.
///
/// # Errors
/// `CLASS_NOT_FOUND`; `SESSION_NOT_FOUND` when no class has sessions of a pilot; `INVALID_TABLE` for a file that is no register;
/// `INVALID_REQUEST` for days in the wrong order; what is wrong with the settings' labels.
pub async fn compare(school: &School, wish: CompareWish) -> Result<PilotSheet, Error> {
    let CompareWish { class, register, days } = wish;
    require_order(days.0, days.1)?;
    let config = school.config.clone();
    let styles = school.read(move |conn| status_styles::read(conn, &config)).await?;
    let (zone, own) = (school.config.time_zone, styles.marks().clone());
    let register = blocking(move || Ok(parse_register(&register, &own, zone)?)).await?;
    let config = school.config.clone();
    let read = move |conn: &mut AnyConnection| {
        let classes = in_scope(conn, class)?;
        let heading = heading_of(conn, &classes, &config)?;
        let mut lessons = Vec::new();
        for class in &classes {
            lessons.extend(lessons_of(conn, class, days, &config)?);
        }
        Ok((classes, lessons, heading))
    };
    let (classes, lessons, heading) = school.read(read).await?;
    let tolerance = TimeDelta::minutes(i64::from(school.config.session_gap_min));
    blocking(move || {
        let scope = Scope { classes: &labels_of(&classes), lessons: &lessons, days, tolerance };
        Ok(PilotSheet { heading, styles, comparison: compare_with(register, &scope) })
    })
    .await
}

/// A comparison as a workbook: a summary, and every difference.
///
/// # Errors
/// `PROCESSING_ERROR` beyond the limits of the format.
pub async fn workbook(sheet: PilotSheet) -> Result<Vec<u8>, Error> {
    blocking(move || Ok(pilot_workbook(&sheet)?)).await
}

type Days = (Option<NaiveDate>, Option<NaiveDate>);

fn labels_of(classes: &[ClassRow]) -> ClassLabels {
    let class = |c: &ClassRow| ClassRef { id: c.id, name: c.name.clone(), section: c.section.clone() };
    ClassLabels::new(classes.iter().map(class).collect())
}

fn in_scope(conn: &mut AnyConnection, class: Option<ClassId>) -> Result<Vec<ClassRow>, Error> {
    if let Some(class) = class {
        return Ok(vec![classes::get(conn, class)?]);
    }
    let with_pilots = sessions::count_pilots(conn)?;
    let has_one = |row: &ClassRow| with_pilots.iter().any(|(class, _)| *class == row.id);
    let found: Vec<ClassRow> = classes::list(conn, None)?.into_iter().filter(has_one).collect();
    if found.is_empty() {
        let what = "no class has sessions of a pilot; `rollcall pilot begin --class CSE-A` begins one";
        return Err(Error::new(Code::SessionNotFound, what));
    }
    Ok(found)
}

fn heading_of(conn: &mut AnyConnection, classes: &[ClassRow], config: &Config) -> Result<SheetHeading, Error> {
    let first = heading(conn, classes[0].id, config)?;
    Ok(match classes.len() {
        1 => first,
        n => SheetHeading { class: format!("{n} classes"), section: String::new(), ..first },
    })
}

fn lessons_of(
    conn: &mut AnyConnection,
    class: &ClassRow,
    (from, to): Days,
    config: &Config,
) -> Result<Vec<Lesson>, Error> {
    let zone = config.time_zone;
    let (first, last) = (from.unwrap_or(FIRST_DAY), to.unwrap_or(LAST_DAY));
    let (start, end) = session::utc_range(first, last, zone);
    let mut lessons = Vec::new();
    for row in sessions::list(conn, class.id, start, end)? {
        let lesson = Lesson {
            session: row.id,
            class: class.id,
            label: label(class),
            starts_at: session::local(row.starts_at, zone),
            kind: if row.pilot { LessonKind::Pilot } else { LessonKind::Counting },
            strangers: u32::try_from(row.strangers).unwrap_or(0),
            photos: Vec::new(),
            roll: Vec::new(),
        };
        lessons.push(if row.pilot { with_roll(conn, lesson, &row, config)? } else { lesson });
    }
    Ok(lessons)
}

fn with_roll(conn: &mut AnyConnection, lesson: Lesson, row: &SessionRow, config: &Config) -> Result<Lesson, Error> {
    let opinions = pilot_opinions::of_session(conn, row.id)?;
    let roll = members::active_on(conn, row.class_id, session::day(row, config.time_zone))?;
    let entry = |on_roll: members::EnrolledRow| {
        let own = opinions.iter().find(|opinion| opinion.member_id == on_roll.member.id);
        RollEntry {
            member: on_roll.member.id,
            student: on_roll.student.id,
            roll_no: on_roll.member.roll_no,
            name: on_roll.student.name,
            opinion: own.map(|own| own.opinion),
            confidence: own.and_then(|own| own.confidence),
            photo: own.and_then(|own| own.photo.clone()),
        }
    };
    let roll = roll.into_iter().map(entry).collect();
    let photos = photos::list(conn, row.id)?.into_iter().map(|photo| photo.original_name).collect();
    Ok(Lesson { photos, roll, ..lesson })
}
