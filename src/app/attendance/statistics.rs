//! The school at a glance: statuses day by day, percentages and doubts of classes, what looking at photos took.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use serde_json::Value;

use super::require_range;
use crate::app::error::Error;
use crate::app::{School, session, status_styles};
use crate::db::classes::{self, ClassRow};
use crate::db::statistics::{self as counts, Counted, CountedSession, LookedAtPhoto};
use crate::domain::ids::{ClassId, SessionId};
use crate::domain::sheet::{PercentagePolicy, StatusCounts};
use crate::domain::statistics::quantile;
use crate::domain::status::{PhotoState, Verdict};

/// Overviews of a range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statistics {
    /// Days with sessions, in order.
    pub days: Vec<DayStatistics>,
    /// Classes with sessions, by term, name and section.
    pub classes: Vec<ClassStatistics>,
    /// Days on which photos were looked at, in order.
    pub processing: Vec<ProcessingStatistics>,
}

/// A day of the school's calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct DayStatistics {
    pub day: NaiveDate,
    pub sessions: usize,
    /// Of records that were written.
    pub counts: StatusCounts,
}

/// A class over the range.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassStatistics {
    pub class: ClassRow,
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
/// `INVALID_REQUEST` for days in the wrong order or more than three years.
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
            let mut held = held(counts::sessions(conn, &counted)?, |at| session::day_of(at, zone));
            for (id, status, records) in counts::statuses(conn, &counted)? {
                let records = usize::try_from(records).unwrap_or(0);
                let Some(of) = held.get_mut(&id) else { continue };
                of.counts = [of.counts, std::iter::repeat_n(status, records).collect()].into_iter().sum();
            }
            for (id, verdict, faces) in counts::verdicts(conn, &counted)? {
                let Some(of) = held.get_mut(&id) else { continue };
                let faces = u64::try_from(faces).unwrap_or(0);
                of.faces += faces;
                of.doubts += if verdict == Some(Verdict::Doubt) { faces } else { 0 };
            }
            let photos = counts::photos(conn, &counted)?;
            Ok(Statistics {
                days: by_day(held.values()),
                classes: by_class(known, held.values(), policy),
                processing: processing(photos.iter().map(|photo| (session::day_of(photo.at, zone), photo))),
            })
        })
        .await
}

/// What is known of a session.
struct Of {
    class: ClassId,
    day: NaiveDate,
    strangers: u64,
    counts: StatusCounts,
    faces: u64,
    doubts: u64,
}

fn held(sessions: Vec<CountedSession>, day: impl Fn(chrono::NaiveDateTime) -> NaiveDate) -> HashMap<SessionId, Of> {
    let of = |row: CountedSession| {
        let strangers = u64::try_from(row.strangers).unwrap_or(0);
        let (class, day) = (row.class, day(row.starts_at));
        (row.id, Of { class, day, strangers, counts: StatusCounts::default(), faces: 0, doubts: 0 })
    };
    sessions.into_iter().map(of).collect()
}

fn by_day<'s>(held: impl Iterator<Item = &'s Of>) -> Vec<DayStatistics> {
    let mut days: BTreeMap<NaiveDate, (usize, StatusCounts)> = BTreeMap::new();
    for of in held {
        let (sessions, counts) = days.entry(of.day).or_default();
        *sessions += 1;
        *counts = [*counts, of.counts].into_iter().sum();
    }
    days.into_iter().map(|(day, (sessions, counts))| DayStatistics { day, sessions, counts }).collect()
}

fn by_class<'s>(
    known: Vec<ClassRow>,
    held: impl Iterator<Item = &'s Of>,
    policy: PercentagePolicy,
) -> Vec<ClassStatistics> {
    let mut of_class: HashMap<ClassId, Vec<&Of>> = HashMap::new();
    for of in held {
        of_class.entry(of.class).or_default().push(of);
    }
    let statistics = |class: ClassRow| {
        let held = of_class.get(&class.id)?;
        let counts: StatusCounts = held.iter().map(|of| of.counts).sum();
        Some(ClassStatistics {
            class,
            sessions: held.len(),
            percent: counts.percentage(policy),
            doubts: held.iter().map(|of| of.doubts).sum(),
            strangers: held.iter().map(|of| of.strangers).sum(),
            faces: held.iter().map(|of| of.faces).sum(),
        })
    };
    known.into_iter().filter_map(statistics).collect()
}

fn processing<'p>(photos: impl Iterator<Item = (NaiveDate, &'p LookedAtPhoto)>) -> Vec<ProcessingStatistics> {
    let mut days: BTreeMap<NaiveDate, Vec<&LookedAtPhoto>> = BTreeMap::new();
    for (day, photo) in photos {
        days.entry(day).or_default().push(photo);
    }
    let statistics = |(day, photos): (NaiveDate, Vec<&LookedAtPhoto>)| {
        let done = photos.iter().filter(|photo| photo.state == PhotoState::Done);
        let mut times: Vec<f64> = done.map(|photo| total_ms(&photo.timings.0)).collect();
        times.sort_by(f64::total_cmp);
        ProcessingStatistics {
            day,
            photos: photos.len(),
            failed: photos.len() - times.len(),
            median_ms: quantile(&times, 0.5),
            p95_ms: quantile(&times, 0.95),
        }
    };
    days.into_iter().map(statistics).collect()
}

/// All stages together.
fn total_ms(timings: &Value) -> f64 {
    timings.as_object().into_iter().flat_map(|stages| stages.values()).filter_map(Value::as_f64).sum()
}
