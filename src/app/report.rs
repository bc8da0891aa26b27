//! Records into sheets, and sheets into files.

mod evidence;
mod outline;
mod portions;
mod session_file;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
pub use evidence::EvidenceWish;
pub(super) use outline::{Extent, Outline};
pub use portions::RegisterPortions;
use serde::{Deserialize, Serialize};
pub use session_file::{MoodleIdentifier, SessionFile, SessionFormat, SessionOptions};

use super::attendance::require_range;
use super::error::{Code, Error};
use super::freshness::Freshness;
use super::review::MemberRecord;
use super::session::Matching;
use super::term::{Calendar, ClassWish};
use super::{School, blocking, review, session, status_styles};
use crate::config::Config;
use crate::db::sessions::SessionRow as StoredSession;
use crate::db::subjects::SubjectRow;
use crate::db::{AnyConnection, classes, members, photos, sessions, subjects};
use crate::domain::attendance::Flag;
use crate::domain::ids::{ClassId, SessionId};
use crate::domain::pilot::PilotSessions;
use crate::domain::sheet::{RegisterSheet, SessionRow, SessionSheet, SheetHeading, SheetRules, Taken};
use crate::domain::status::SessionState;
use crate::export::{
    Bom, MoodleUsers, class_workbook, moodle_csv, register_csv, register_workbook, session_csv, session_workbook,
};

/// What a file of attendance is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SheetFormat {
    Xlsx,
    Csv,
}

impl SheetFormat {
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Csv => "csv",
        }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// The sheet of one session, as bytes. With evidence it decodes the session's photos, one at a time.
///
/// # Errors
/// `SESSION_NOT_FOUND`, `PILOT_SESSION`, and what is wrong with the settings' labels. Photos that are gone are none: the sheet
/// says so.
pub async fn session_file(school: &School, id: SessionId, file: SessionFile) -> Result<Vec<u8>, Error> {
    let config = school.config.clone();
    let wish = match file {
        SessionFile::Csv | SessionFile::Moodle(_) => EvidenceWish::LeftOut,
        SessionFile::Workbook(wish) => wish,
    };
    let read = move |conn: &mut AnyConnection| {
        require_countable(&sessions::get(conn, id)?, file)?;
        let findings = (wish != EvidenceWish::LeftOut).then(|| evidence::read(conn, id)).transpose();
        Ok((session_sheet(conn, id, &config)?, findings?, moodle_users(conn, id, file)?))
    };
    let (sheet, findings, users) = school.read(read).await?;
    let evidence = match findings {
        Some(findings) => Some(findings.show(school, &sheet, wish).await),
        None => None,
    };
    let bom = bom(&school.config);
    let written = move || match file {
        SessionFile::Workbook(_) => Ok(session_workbook(&sheet, evidence.as_ref())?),
        SessionFile::Csv => Ok(session_csv(&sheet, bom)?),
        SessionFile::Moodle(_) => Ok(moodle_csv(&sheet, &users)?),
    };
    blocking(written).await
}

/// Refuses the sheet of a pilot's session for Moodle: the file has no place for the words that it does not count.
///
/// # Errors
/// `PILOT_SESSION`.
pub(super) fn require_countable(session: &StoredSession, file: SessionFile) -> Result<(), Error> {
    if !session.pilot || !matches!(file, SessionFile::Moodle(_)) {
        return Ok(());
    }
    let text = format!("{} is of a pilot and does not count: there is no file of it for Moodle", session.id);
    Err(Error::new(Code::PilotSession, text))
}

/// By what Moodle finds the members; only read where it is asked for.
fn moodle_users(conn: &mut AnyConnection, id: SessionId, file: SessionFile) -> Result<MoodleUsers, Error> {
    if file != SessionFile::Moodle(MoodleIdentifier::Email) {
        return Ok(MoodleUsers::IdNumbers);
    }
    let class = sessions::get(conn, id)?.class_id;
    let email = |row: members::EnrolledRow| Some((row.member.id, row.student.email?));
    Ok(MoodleUsers::Emails(members::all(conn, class)?.into_iter().filter_map(email).collect()))
}

/// The register that is wanted.
#[derive(Debug, Clone)]
pub struct RegisterWish {
    pub class: ClassWish,
    /// First and last day.
    pub days: (NaiveDate, NaiveDate),
    /// Only the sessions of this subject.
    pub subject: Option<String>,
    pub pilots: PilotSessions,
}

/// Which class is meant.
///
/// # Errors
/// `CLASS_NOT_FOUND`; `AMBIGUOUS_NAME` when the days do not tell the term, or lie in several; `INVALID_REQUEST` for days in the
/// wrong order, too far away, or more than three years.
pub async fn one_register(school: &School, wanted: RegisterWish) -> Result<RegisterOf, Error> {
    let config = school.config.clone();
    let RegisterWish { class, days, subject, pilots } = wanted;
    require_range(days)?;
    let class = school
        .read(move |conn| one_class(&Calendar::read(conn, &config, class.term.as_deref())?, &class, days))
        .await?;
    Ok(RegisterOf { class, days, subject, pilots })
}

/// The register of a class that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterOf {
    pub class: ClassId,
    /// First and last day.
    pub days: (NaiveDate, NaiveDate),
    /// Only the sessions of this subject.
    pub subject: Option<String>,
    /// Wishes that wait since before there were pilots do not say.
    #[serde(default)]
    pub pilots: PilotSessions,
}

/// The register of a class from the first to the last day, as bytes. [`RegisterPortions`] are the CSV of it bit by bit.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `SUBJECT_NOT_FOUND`; `INVALID_REQUEST` for days in the wrong order, too far away, or more than three years;
/// and what is wrong with the settings' labels.
pub async fn register_of(school: &School, wanted: RegisterOf, format: SheetFormat) -> Result<Vec<u8>, Error> {
    match format {
        SheetFormat::Csv => RegisterPortions::open(school, wanted).await?.collect().await,
        SheetFormat::Xlsx => {
            require_range(wanted.days)?;
            let (config, now) = (school.config.clone(), Utc::now());
            let sheet = school.read(move |conn| register_sheet(conn, &wanted, &config, now)).await?;
            // Of a whole year it is work for a second.
            blocking(move || Ok(register_workbook(&sheet)?)).await
        }
    }
}

/// The same as a workbook that has a page for each session besides, as bytes.
///
/// # Errors
/// As [`register_of`].
pub async fn workbook_of(school: &School, wanted: RegisterOf) -> Result<Vec<u8>, Error> {
    require_range(wanted.days)?;
    let (config, now) = (school.config.clone(), Utc::now());
    let read = school.read(move |conn| {
        let register = register_sheet(conn, &wanted, &config, now)?;
        let of_register = register.sessions().iter().map(|column| column.id);
        let pages = of_register.map(|id| session_sheet(conn, id, &config)).collect::<Result<Vec<_>, _>>()?;
        Ok((register, pages))
    });
    let (register, pages) = read.await?;
    // Of a whole year it is work for seconds.
    blocking(move || Ok(class_workbook(&register, &pages)?)).await
}

/// Writes one workbook and one register CSV for each class with sessions among `touched`; returns the paths. The register
/// covers the days of those sessions; the workbook holds a sheet for each of them besides.
///
/// # Errors
/// `FILE_ERROR` when the exports folder cannot be written.
pub(crate) async fn class_workbooks(school: &School, touched: &BTreeSet<SessionId>) -> Result<Vec<String>, Error> {
    let (config, touched) = (school.config.clone(), touched.clone());
    let now = Utc::now();
    let books = school.read(move |conn| books(conn, &touched, &config, now)).await?;
    let dir = school.config.exports_dir();
    tokio::fs::create_dir_all(&dir).await.map_err(|e| Error::file(&dir, &e))?;
    let mut written = Vec::new();
    for book in books {
        let xlsx = class_workbook(&book.register, &book.sessions)?;
        let csv = register_csv(&book.register, bom(&school.config))?;
        for (format, bytes) in [(SheetFormat::Xlsx, xlsx), (SheetFormat::Csv, csv)] {
            let file = dir.join(format!("{}.{}", book.stem, format.extension()));
            write_whole(&file, &bytes)?;
            written.push(file.display().to_string());
        }
    }
    Ok(written)
}

/// Writes the CSV of a register into a file, bit by bit; returns its length. A reader finds the old or the new one.
///
/// # Errors
/// As [`RegisterPortions::open`]; `FILE_ERROR` when the file cannot be written.
pub async fn write_register_csv(school: &School, wanted: RegisterOf, file: &Path) -> Result<u64, Error> {
    let mut portions = RegisterPortions::open(school, wanted).await?;
    let fresh = file.with_extension("part");
    let mut out = std::fs::File::create(&fresh).map_err(|e| Error::file(file, &e))?;
    let mut length = 0;
    while let Some(part) = portions.next().await? {
        std::io::Write::write_all(&mut out, &part).map_err(|e| Error::file(file, &e))?;
        length += part.len() as u64;
    }
    std::fs::rename(&fresh, file).map_err(|e| Error::file(file, &e))?;
    Ok(length)
}

/// Writes a file so that a reader finds the old or the new one, never half of it.
pub(crate) fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fresh: PathBuf = file.with_extension("part");
    std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, file)).map_err(|e| Error::file(file, &e))
}

/// A path as the stem of a flat file name: `CSE-A/left photo.jpg` becomes `CSE-A_left photo`.
pub(crate) fn file_stem(path: &Path) -> String {
    let text = path.with_extension("").to_string_lossy().into_owned();
    let plain = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c };
    text.chars().map(plain).collect()
}

struct Book {
    stem: String,
    register: RegisterSheet,
    sessions: Vec<SessionSheet>,
}

fn books(
    conn: &mut AnyConnection,
    touched: &BTreeSet<SessionId>,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<Vec<Book>, Error> {
    let mut of_class: BTreeMap<ClassId, Vec<StoredSession>> = BTreeMap::new();
    for id in touched {
        let session = sessions::get(conn, *id)?;
        of_class.entry(session.class_id).or_default().push(session);
    }
    let mut books = Vec::new();
    for (class, mut stored) in of_class {
        stored.sort_by_key(|s| (s.starts_at, s.id));
        let days: Vec<NaiveDate> = stored.iter().map(|s| session::day(s, config.time_zone)).collect();
        let (first, last) = (days[0], days[days.len() - 1]);
        let days = (first, last);
        let wanted = RegisterOf { class, days, subject: None, pilots: PilotSessions::LeftOut };
        let register = register_sheet(conn, &wanted, config, now)?;
        let sheets = stored.iter().map(|s| session_sheet(conn, s.id, config)).collect::<Result<Vec<_>, _>>()?;
        let label = register.heading().class_and_section();
        let range = if first == last { first.to_string() } else { format!("{first}_to_{last}") };
        books.push(Book { stem: file_stem_of(&label, &range), register, sessions: sheets });
    }
    Ok(books)
}

fn file_stem_of(label: &str, range: &str) -> String {
    // The appended dot keeps a dot in a class name from being taken for an extension.
    file_stem(Path::new(&format!("{label}_{range}.")))
}

fn bom(config: &Config) -> Bom {
    if config.report.csv_bom { Bom::With } else { Bom::Without }
}

/// The class that both days mean, or the one of them that tells.
fn one_class(calendar: &Calendar, class: &ClassWish, (from, to): (NaiveDate, NaiveDate)) -> Result<ClassId, Error> {
    match (calendar.class(class, from), calendar.class(class, to)) {
        (Ok(first), Ok(last)) if first.id != last.id => {
            let terms = format!("{from} is in term {:?}, {to} in {:?}", first.term, last.term);
            Err(Error::new(Code::AmbiguousName, format!("{terms}: choose days of one term, or name it with --term")))
        }
        (Ok(found), _) | (Err(_), Ok(found)) => Ok(found.id),
        (Err(error), Err(_)) => Err(error),
    }
}

pub(super) fn find_subject(conn: &mut AnyConnection, name: &str) -> Result<SubjectRow, Error> {
    subjects::find(conn, name)?.ok_or_else(|| {
        let what = format!("there is no subject {name:?}; `rollcall roster subjects list` shows those there are");
        Error::new(Code::SubjectNotFound, what)
    })
}

pub(super) fn rules(conn: &mut AnyConnection, config: &Config) -> Result<SheetRules, Error> {
    let styles = status_styles::read(conn, config)?;
    Ok(SheetRules { styles, low_attendance_percent: config.report.low_attendance_percent })
}

pub(super) fn heading(conn: &mut AnyConnection, class: ClassId, config: &Config) -> Result<SheetHeading, Error> {
    let class = classes::get(conn, class)?;
    Ok(SheetHeading {
        school: config.report.school.clone(),
        class: class.name,
        section: class.section,
        term: class.term,
        subject: None,
        time_zone: config.time_zone,
        generated_at: Utc::now(),
    })
}

fn session_sheet(conn: &mut AnyConnection, id: SessionId, config: &Config) -> Result<SessionSheet, Error> {
    let stored = sessions::find_by_id(conn, id)?
        .ok_or_else(|| Error::new(Code::SessionNotFound, format!("there is no session {}", id.0)))?;
    let photos = photos::list(conn, id)?;
    let records = review::read(conn, stored.clone(), config.time_zone)?.records;
    let stale = is_stale(conn, freshness(config).as_mut(), &stored)?.then_some(STALE);
    let sheet = SessionSheet {
        id,
        heading: heading(conn, stored.class_id, config)?,
        rules: rules(conn, config)?,
        name: stored.name.clone(),
        starts_at: session::local(stored.starts_at, config.time_zone),
        state: stored.state,
        pilot: stored.pilot,
        taken: taken(&stored, config),
        remark: stored.remark.clone(),
        photos: u32::try_from(photos.len()).unwrap_or(u32::MAX),
        strangers: u32::try_from(stored.strangers).unwrap_or(0),
        flags: notices(&stored).into_iter().chain(stale.map(str::to_owned)).collect(),
        provenance: provenance(&photos),
        rows: records.into_iter().map(SessionRow::from).collect(),
    };
    Ok(sheet.in_roll_order())
}

fn taken(stored: &StoredSession, config: &Config) -> Option<Taken> {
    let (by, at) = (stored.confirmed_by.clone()?, stored.confirmed_at?);
    Some(Taken { by, at: session::local(at, config.time_zone) })
}

impl From<MemberRecord> for SessionRow {
    fn from(record: MemberRecord) -> Self {
        Self {
            member: record.member,
            roll_no: record.roll_no,
            prn: record.prn,
            name: record.name,
            status: record.status,
            confidence: record.confidence.map(|c| c as f32),
            source: record.source,
            note: record.note,
            version: record.version,
        }
    }
}

/// What the sheet says beside the numbers: why to look at it, and how it was signed.
fn notices(stored: &StoredSession) -> Vec<String> {
    let flags = stored.flags.0.iter().filter_map(|flag| sentence(flag)).map(str::to_owned);
    let signed = &stored.reconciled;
    let counted = signed.head_count.map(|heads| match signed.guests {
        None | Some(0) => format!("the teacher counted {heads} in the room"),
        Some(guests) => format!("the teacher counted {heads} in the room, guests among them: {guests}"),
    });
    let differences = signed.differences.0.iter().map(|difference| difference.text.clone());
    let reason = signed.confirm_reason.as_ref().map(|reason| format!("confirmed because: {reason}"));
    flags.chain(counted).chain(differences).chain(reason).collect()
}

/// What stands on the sheet of a session that a `rematch` could change.
const STALE: &str = "STALE: enrolment, roster, pack or lines have changed since; `rollcall rematch` judges it again";

/// What a flag means to a teacher. Strangers are counted on the sheet itself.
fn sentence(flag: &str) -> Option<&'static str> {
    let is = |f: Flag| f.as_str() == flag;
    match flag {
        _ if is(Flag::NoFaces) => Some("no face in any photo: nobody was marked"),
        _ if is(Flag::PhotoFailed) => Some("a photo could not be processed: nobody was marked absent"),
        _ if is(Flag::PhotoDamaged) => Some("a photo's file was damaged: nobody was marked absent"),
        _ if is(Flag::PhotosPending) => Some("a photo is still waiting: nobody was marked absent"),
        _ if is(Flag::FacesLeftOut) => Some("more faces than the limit: nobody was marked absent"),
        _ if is(Flag::MostlyStrangers) => {
            Some("most people in the photos are not of this class: nobody was marked absent")
        }
        _ if is(Flag::Conflict) => Some("photos contradict each other: please check the doubts"),
        _ if is(Flag::ReusedPhoto) => Some("a photo was used for another session before: is it of this lesson?"),
        _ if is(Flag::OutsideLesson) => Some("a photo was taken at another time, by its own clock"),
        _ if is(Flag::SeenOnLeave) => Some("somebody was seen who is on leave that day: please look"),
        _ if is(Flag::Doubts) => Some("some faces may be students of the class: please decide"),
        _ => None,
    }
}

fn provenance(photos: &[photos::PhotoRow]) -> String {
    let of = |photo: &photos::PhotoRow| {
        let (id, version) = (photo.pack_id.as_ref()?, photo.pack_version.as_ref()?);
        Some(format!("pack {id}@{version} on {}", photo.provider.as_deref().unwrap_or("an unknown provider")))
    };
    let packs: BTreeSet<String> = photos.iter().filter_map(of).collect();
    packs.into_iter().collect::<Vec<_>>().join("; ")
}

fn register_sheet(
    conn: &mut AnyConnection,
    wanted: &RegisterOf,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<RegisterSheet, Error> {
    outline(conn, wanted, config, now)?.filled(conn)
}

fn outline(
    conn: &mut AnyConnection,
    wanted: &RegisterOf,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<Outline, Error> {
    let RegisterOf { class, days, subject, pilots } = wanted.clone();
    let subject = subject.map(|name| find_subject(conn, &name)).transpose()?;
    let roll = members::between(conn, class, days.0, days.1)?;
    let mut outline = Outline::read(conn, Extent { class, days, subject, pilots }, roll, config, now)?;
    name_columns(conn, &mut outline, config)?;
    Ok(outline)
}

/// Names the columns, and says who has signed them. One that is of a pilot or stale, that nobody has a record in, or whose photos
/// may be of another lesson and nobody has signed it, says so beside its name.
fn name_columns(conn: &mut AnyConnection, outline: &mut Outline, config: &Config) -> Result<(), Error> {
    let mut freshness = freshness(config);
    for (column, s) in outline.columns.iter_mut().zip(&outline.stored) {
        let stale = is_stale(conn, freshness.as_mut(), s)?.then_some("STALE");
        let doubtful = s.flags.0.iter().any(|flag| Flag::GUARDS.iter().any(|guard| guard.as_str() == flag));
        let check = (doubtful && s.state != SessionState::Confirmed).then_some("CHECK PHOTOS");
        let (pilot, empty) = (s.pilot.then_some("PILOT"), (!column.was_held).then_some("NOT TAKEN"));
        let notes = [pilot, empty, stale, check].into_iter().flatten();
        let name: Vec<&str> = s.name.as_deref().into_iter().chain(notes).collect();
        column.name = (!name.is_empty()).then(|| name.join(" · "));
        column.taken = taken(s, config);
    }
    Ok(())
}

/// None where the settings' pack cannot be read: sheets are written without it, and nothing is known to be stale.
fn freshness(config: &Config) -> Option<Freshness> {
    match Matching::of_settings(config) {
        Ok(matching) => Some(Freshness::new(matching)),
        Err(error) => {
            tracing::warn!(code = error.code.as_str(), "stale sessions are not marked: {error}");
            None
        }
    }
}

fn is_stale(
    conn: &mut AnyConnection,
    freshness: Option<&mut Freshness>,
    session: &StoredSession,
) -> Result<bool, Error> {
    Ok(freshness.map(|f| f.is_stale(conn, session)).transpose()?.unwrap_or(false))
}
