//! The school at a glance: statuses day by day, percentages and doubts of classes, what looking at photos took.
//!
//! Photos are read some at a time, and of each one number is kept.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde_json::Value;

use super::require_range;
use crate::app::error::Error;
use crate::app::{School, session, status_styles};
use crate::db::classes::{self, ClassRow};
use crate::db::statistics::{self as counts, Counted, LookedAtPhoto};
use crate::db::{AnyConnection, DbError};
use crate::domain::ids::{ClassId, PhotoId, SessionId};
use crate::domain::sheet::{PercentagePolicy, StatusCounts};
use crate::domain::statistics::quantile;
use crate::domain::status::{PhotoState, Verdict};

/// Photos that are read at a time.
const PORTION: usize = 2_000;

/// Overviews of a range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statistics {
    /// Days with sessions that were held, in order.
    pub days: Vec<DayStatistics>,
    /// Classes with such sessions, by term, name and section.
    pub classes: Vec<ClassStatistics>,
    /// Days on which photos were looked at, in order.
    pub processing: Vec<ProcessingStatistics>,
}

/// A day of the school's calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct DayStatistics {
    pub day: NaiveDate,
    /// That were held.
    pub sessions: usize,
    /// Of records that were written.
    pub counts: StatusCounts,
}

/// A class over the range.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassStatistics {
    pub class: ClassRow,
    /// That were held.
    pub sessions: usize,
    /// 0..=100; none while no record counts.
    pub percent: Option<f64>,
    /// Faces that may be a member.
    pub doubts: u64,
    /// People who are not of the class, session by session.
    pub strangers: u64,
    /// Faces that were found.
    pub faces: u64,
}

/// What looking at photos took on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessingStatistics {
    pub day: NaiveDate,
    /// Done and failed.
    pub photos: usize,
    pub failed: usize,
    /// Of those that were done, from bytes to records.
    pub median_ms: Option<f64>,
    pub p95_ms: Option<f64>,
}

/// The overviews of some classes (`among`; none: all).
///
/// # Errors
/// `INVALID_REQUEST` for days in the wrong order, too far away, or more than three years.
pub async fn statistics(
    school: &School,
    (first, last): (NaiveDate, NaiveDate),
    among: Option<Vec<ClassId>>,
) -> Result<Statistics, Error> {
    require_range((first, last))?;
    let config = school.config.clone();
    let zone = config.time_zone;
    let counted = Counted { among, times: session::utc_range(first, last, zone) };
    school
        .read(move |conn| {
            let policy = status_styles::read(conn, &config)?.policy();
            let known = classes::list(conn, None)?;
            let held = held_sessions(conn, &counted, zone)?;
            Ok(Statistics {
                days: by_day(held.values()),
                classes: by_class(known, held.values(), policy),
                processing: processing(conn, &counted, zone, PORTION)?,
            })
        })
        .await
}

/// What is known of a session that was held.
struct SessionSums {
    class: ClassId,
    day: NaiveDate,
    strangers: u64,
    counts: StatusCounts,
    faces: u64,
    doubts: u64,
}

/// The sessions in which anybody has a record.
fn held_sessions(
    conn: &mut AnyConnection,
    counted: &Counted,
    zone: Tz,
) -> Result<HashMap<SessionId, SessionSums>, DbError> {
    let mut counts_of: HashMap<SessionId, StatusCounts> = HashMap::new();
    for (id, status, records) in counts::statuses(conn, counted)? {
        let records = usize::try_from(records).unwrap_or(0);
        let counts = counts_of.entry(id).or_default();
        *counts = [*counts, std::iter::repeat_n(status, records).collect()].into_iter().sum();
    }
    let mut held = HashMap::new();
    for row in counts::sessions(conn, counted)? {
        let Some(counts) = counts_of.get(&row.id).copied() else { continue };
        let strangers = u64::try_from(row.strangers).unwrap_or(0);
        let (class, day) = (row.class, session::day_of(row.starts_at, zone));
        held.insert(row.id, SessionSums { class, day, strangers, counts, faces: 0, doubts: 0 });
    }
    for (id, verdict, faces) in counts::verdicts(conn, counted)? {
        let Some(sums) = held.get_mut(&id) else { continue };
        let faces = u64::try_from(faces).unwrap_or(0);
        sums.faces += faces;
        sums.doubts += if verdict == Some(Verdict::Doubt) { faces } else { 0 };
    }
    Ok(held)
}

fn by_day<'s>(held: impl Iterator<Item = &'s SessionSums>) -> Vec<DayStatistics> {
    let mut days: BTreeMap<NaiveDate, (usize, StatusCounts)> = BTreeMap::new();
    for session in held {
        let (sessions, counts) = days.entry(session.day).or_default();
        *sessions += 1;
        *counts = [*counts, session.counts].into_iter().sum();
    }
    days.into_iter().map(|(day, (sessions, counts))| DayStatistics { day, sessions, counts }).collect()
}

fn by_class<'s>(
    known: Vec<ClassRow>,
    held: impl Iterator<Item = &'s SessionSums>,
    policy: PercentagePolicy,
) -> Vec<ClassStatistics> {
    let mut of_class: HashMap<ClassId, Vec<&SessionSums>> = HashMap::new();
    for session in held {
        of_class.entry(session.class).or_default().push(session);
    }
    let statistics = |class: ClassRow| {
        let held = of_class.get(&class.id)?;
        let counts: StatusCounts = held.iter().map(|session| session.counts).sum();
        Some(ClassStatistics {
            class,
            sessions: held.len(),
            percent: counts.percentage(policy),
            doubts: held.iter().map(|session| session.doubts).sum(),
            strangers: held.iter().map(|session| session.strangers).sum(),
            faces: held.iter().map(|session| session.faces).sum(),
        })
    };
    known.into_iter().filter_map(statistics).collect()
}

/// What is kept of the photos of a day.
#[derive(Default)]
struct DayOfPhotos {
    failed: usize,
    /// Of each that was done.
    times_ms: Vec<f64>,
}

impl DayOfPhotos {
    fn add(&mut self, photo: &LookedAtPhoto) {
        match photo.state {
            PhotoState::Done => self.times_ms.push(total_ms(&photo.timings.0)),
            PhotoState::Failed | PhotoState::Queued | PhotoState::Processing => self.failed += 1,
        }
    }

    fn statistics(mut self, day: NaiveDate) -> ProcessingStatistics {
        self.times_ms.sort_by(f64::total_cmp);
        ProcessingStatistics {
            day,
            photos: self.failed + self.times_ms.len(),
            failed: self.failed,
            median_ms: quantile(&self.times_ms, 0.5),
            p95_ms: quantile(&self.times_ms, 0.95),
        }
    }
}

fn processing(
    conn: &mut AnyConnection,
    counted: &Counted,
    zone: Tz,
    portion: usize,
) -> Result<Vec<ProcessingStatistics>, DbError> {
    let mut days: BTreeMap<NaiveDate, DayOfPhotos> = BTreeMap::new();
    let mut after = PhotoId(0);
    loop {
        let photos = counts::photos(conn, counted, after, portion)?;
        for photo in &photos {
            days.entry(session::day_of(photo.at, zone)).or_default().add(photo);
        }
        match photos.last() {
            Some(last) if photos.len() == portion => after = last.id,
            _ => break,
        }
    }
    Ok(days.into_iter().map(|(day, of_day)| of_day.statistics(day)).collect())
}

/// All stages together.
fn total_ms(timings: &Value) -> f64 {
    timings.as_object().into_iter().flat_map(|stages| stages.values()).filter_map(Value::as_f64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::{Class, noon, wait};
    use crate::db::sessions::{self, NewSession};
    use crate::db::testing::{at, day, new_photo, on_each_database, photo_result};
    use crate::db::{Json, photos};
    use crate::domain::status::AttendanceStatus;

    on_each_database! {
        fn photos_add_up_however_many_are_read_at_a_time(db) {
            let class = Class::new(db);
            let counted = Counted { among: None, times: (at("2025-01-01 00:00:00"), at("2026-01-01 00:00:00")) };
            class.run(|conn| {
                for (number, (state, ms, done_at)) in (1..).zip([
                    (PhotoState::Done, 10, "2025-09-01 05:00:00"),
                    (PhotoState::Done, 30, "2025-09-01 06:00:00"),
                    (PhotoState::Failed, 0, "2025-09-01 06:00:00"),
                    (PhotoState::Done, 50, "2025-09-02 05:00:00"),
                    (PhotoState::Done, 20, "2025-09-01 07:00:00"),
                ]) {
                    let photo = photos::insert(conn, &new_photo(class.session, number))?;
                    if state == PhotoState::Failed {
                        photos::fail(conn, photo, "INVALID_IMAGE", "it cannot be read", at(done_at))?;
                        continue;
                    }
                    let timings = Json(serde_json::json!({ "decode": ms / 2, "detect": ms / 2 }));
                    photos::finish(conn, photo, &photos::PhotoResult { timings, processed_at: at(done_at), ..photo_result() })?;
                }
                let whole = processing(conn, &counted, Tz::UTC, PORTION)?;
                let told: Vec<_> = whole.iter().map(|of| (of.photos, of.failed, of.median_ms)).collect();
                assert_eq!(told, [(4, 1, Some(20.0)), (1, 0, Some(50.0))]);
                for portion in 1..=6 {
                    assert_eq!(processing(conn, &counted, Tz::UTC, portion)?, whole, "{portion} at a time");
                }
                Ok(())
            });
        }

        fn sessions_that_nobody_has_a_record_in_are_not_counted(db) {
            let class = Class::new(db);
            let of = || wait(statistics(&class.school, (day("2025-09-01"), day("2025-09-30")), None)).unwrap();
            assert_eq!(of(), Statistics::default());
            class.run(|conn| {
                let (starts_at, created_at) = (at("2025-09-01 08:00:00"), noon());
                let new = NewSession { class_id: class.id, subject_id: None, name: None, starts_at, created_at };
                sessions::find_or_insert(conn, &new).map(drop)
            });
            class.correct(class.members[0], AttendanceStatus::Present);
            let told = of();
            assert_eq!((told.days.len(), told.days[0].sessions, told.classes[0].sessions), (1, 1, 1));
        }
    }
}
