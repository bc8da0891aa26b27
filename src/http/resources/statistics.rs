//! The school at a glance, for dashboards.

use axum::extract::State;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::attendance::{self, ClassStatistics, DayStatistics, ProcessingStatistics, Statistics};
use crate::http::extract::{Query, Who};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{READ_ATTENDANCE, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(READ_ATTENDANCE, get_statistics)]
}

/// Overviews of a range; sessions of a pilot are left out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatisticsResponse {
    /// Days with sessions that were held, in order: somebody has a record in them.
    days: Vec<DayCounts>,
    /// Classes with sessions that were held, by term, name and section.
    classes: Vec<ClassCounts>,
    /// Days on which photos were looked at, in order; those of pilots count.
    processing: Vec<ProcessingCounts>,
}

/// Statuses on a day. Members of whom nothing was written yet are in none.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DayCounts {
    date: NaiveDate,
    sessions: usize,
    present: u32,
    late: u32,
    absent: u32,
    excused: u32,
    unmarked: u32,
}

impl From<DayStatistics> for DayCounts {
    fn from(DayStatistics { day, sessions, counts }: DayStatistics) -> Self {
        let (present, late, absent) = (counts.present, counts.late, counts.absent);
        Self { date: day, sessions, present, late, absent, excused: counts.excused, unmarked: counts.unmarked }
    }
}

/// A class over the range.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassCounts {
    class_id: i64,
    #[schema(example = "CSE")]
    class: String,
    section: String,
    sessions: usize,
    /// `null` while no record counts.
    #[schema(minimum = 0, maximum = 100)]
    percent: Option<f64>,
    /// Faces that may be a member.
    #[schema(minimum = 0)]
    doubts: u64,
    /// People who are not of the class, session by session.
    #[schema(minimum = 0)]
    strangers: u64,
    /// Faces that were found.
    #[schema(minimum = 0)]
    faces: u64,
}

impl From<ClassStatistics> for ClassCounts {
    fn from(of: ClassStatistics) -> Self {
        let ClassStatistics { class, sessions, percent, doubts, strangers, faces } = of;
        let (class_id, name, section) = (class.id.0, class.name, class.section);
        Self { class_id, class: name, section, sessions, percent, doubts, strangers, faces }
    }
}

/// What looking at photos took on a day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProcessingCounts {
    date: NaiveDate,
    /// Done and failed.
    photos: usize,
    failed: usize,
    /// Milliseconds from a photo's bytes to its records; `null` where none was done.
    median_ms: Option<f64>,
    /// So many milliseconds or fewer took nineteen of twenty.
    p95_ms: Option<f64>,
}

impl From<ProcessingStatistics> for ProcessingCounts {
    fn from(of: ProcessingStatistics) -> Self {
        let ProcessingStatistics { day, photos, failed, median_ms, p95_ms } = of;
        Self { date: day, photos, failed, median_ms, p95_ms }
    }
}

impl From<Statistics> for StatisticsResponse {
    fn from(Statistics { days, classes, processing }: Statistics) -> Self {
        Self {
            days: days.into_iter().map(DayCounts::from).collect(),
            classes: classes.into_iter().map(ClassCounts::from).collect(),
            processing: processing.into_iter().map(ProcessingCounts::from).collect(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatisticsQuery {
    /// First day, of the school's calendar.
    from: NaiveDate,
    /// Last day.
    to: NaiveDate,
    /// Only this class; otherwise all that the caller may see.
    class_id: Option<i64>,
}

/// Statuses day by day, percentages and doubts of classes, and what looking at photos took; a range has three years at most.
#[utoipa::path(get, path = "/statistics", tag = "attendance", params(StatisticsQuery),
    responses((status = 200, body = StatisticsResponse)))]
async fn get_statistics(
    State(service): State<Service>,
    who: Who,
    Query(query): Query<StatisticsQuery>,
) -> Result<axum::Json<StatisticsResponse>, Problem> {
    let StatisticsQuery { from, to, class_id } = query;
    let among = who.among(class_id)?;
    Ok(axum::Json(attendance::statistics(&service.school, (from, to), among).await?.into()))
}
