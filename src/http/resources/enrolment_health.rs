//! How well students are enrolled, and what should be done about it.

use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::students::ConsentState;
use crate::app::enrolment_health::{
    self, Advice, ClassHealth, Measured, MemberHealth, NearestMember, Order, SESSIONS, SightingCounts, Summary,
    WhichClass, Wish,
};
use crate::app::error::Code;
use crate::db::page::Listed;
use crate::domain::enrolment_health::Suggestion;
use crate::domain::ids::{ClassId, StudentId};
use crate::http::extract::{Path, Query, Who};
use crate::http::face::QualityResponse;
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{READ_ROSTER, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(READ_ROSTER, get_class_enrolment_health), row!(READ_ROSTER, get_student_enrolment_health)]
}

/// Most sessions that are looked at.
const MAX_SESSIONS: u32 = 200;

/// A student's enrolment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EnrolmentHealthResponse {
    /// None for a student who is in no class of the caller's.
    class_id: Option<i64>,
    member_id: Option<i64>,
    roll_no: Option<String>,
    student_id: i64,
    prn: String,
    name: String,
    consent: ConsentState,
    active: bool,
    /// Enrolled pictures of the server's pack.
    #[schema(minimum = 0)]
    portraits: u32,
    /// Faces that were learned from confirmed sessions.
    #[schema(minimum = 0)]
    learned: u32,
    /// Samples that look like somebody else and do not count.
    #[schema(minimum = 0)]
    outliers: u32,
    /// The portraits show different people: the student cannot be recognised.
    disagree: bool,
    /// The portrait that counts least; none where nothing was measured.
    weakest: Option<MeasuredResponse>,
    best: Option<MeasuredResponse>,
    /// When the first and the last portrait was enrolled.
    oldest_at: Option<DateTime<Utc>>,
    newest_at: Option<DateTime<Utc>>,
    /// The member of the class who looks most like this one; none outside a class.
    nearest: Option<NearestResponse>,
    sightings: SightingsResponse,
    /// What should be done, most urgent first.
    suggestions: Vec<SuggestionResponse>,
}

/// A portrait and what was measured on its face.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MeasuredResponse {
    sample_id: i64,
    quality: QualityResponse,
}

/// Somebody of the same class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NearestResponse {
    member_id: i64,
    roll_no: String,
    /// Score of the two templates; lower is nearer.
    combined: f32,
    /// -1..1.
    cosine: f32,
    /// So near that faces may be mistaken between the two: expect doubts.
    looks_alike: bool,
}

/// What became of a student in the sessions that they were in: by the records that a person has set or signed, since the
/// newest portrait.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SightingsResponse {
    #[schema(minimum = 0)]
    sessions: u32,
    /// Found by their face.
    #[schema(minimum = 0)]
    matched: u32,
    /// Some face was in doubt.
    #[schema(minimum = 0)]
    asked: u32,
    /// No face was near.
    #[schema(minimum = 0)]
    missed: u32,
    /// Of the matches, 0..1.
    mean_confidence: Option<f32>,
    /// Of the matches; lower is nearer.
    mean_combined: Option<f32>,
    /// By how much the score is higher in the newer half of the matches than in the older one: above 0 it gets worse. None for
    /// fewer than four matches.
    trend: Option<f32>,
}

/// What should be done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SuggestionResponse {
    code: SuggestionCode,
    /// For people.
    text: String,
}

/// What is worth doing something about, in the order of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum SuggestionCode {
    NoConsent,
    SamplesDisagree,
    NoSample,
    KeptMissing,
    LooksLike,
    Outliers,
    LowQuality,
    OldSamples,
    OneSample,
}

/// A class, in a few numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthSummaryResponse {
    #[schema(minimum = 0)]
    members: usize,
    /// Who can be found by face.
    #[schema(minimum = 0)]
    recognisable: usize,
    #[schema(minimum = 0)]
    with_suggestions: usize,
    /// Whom sessions keep missing.
    #[schema(minimum = 0)]
    kept_missing: usize,
    /// Faces that were learned from confirmed sessions.
    #[schema(minimum = 0)]
    learned: u32,
}

/// A page of the members of a class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassEnrolmentHealthResponse {
    class_id: i64,
    on: NaiveDate,
    #[schema(example = "starter@0")]
    pack: String,
    /// Sessions that were looked at: of the newest those that the pack has seen.
    #[schema(minimum = 0)]
    sessions: usize,
    /// Of the whole class.
    summary: HealthSummaryResponse,
    #[serde(flatten)]
    page: Page<EnrolmentHealthResponse>,
}

/// A student, once for each class of today.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudentEnrolmentHealthResponse {
    items: Vec<EnrolmentHealthResponse>,
}

/// Who comes first.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HealthOrder {
    #[default]
    RollNo,
    /// Whom sessions keep missing.
    Missed,
    /// Whose most urgent suggestion is most urgent.
    Urgency,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ClassHealthQuery {
    /// A day of the school's calendar; otherwise today.
    on: Option<NaiveDate>,
    #[serde(default)]
    #[param(inline)]
    order: HealthOrder,
}

#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionsQuery {
    /// Newest sessions of a class to look at.
    #[param(minimum = 1, maximum = 200, default = 20)]
    sessions: Option<u32>,
}

impl SessionsQuery {
    fn count(self) -> Result<u32, Problem> {
        match self.sessions.unwrap_or(SESSIONS) {
            count if (1..=MAX_SESSIONS).contains(&count) => Ok(count),
            count => {
                Err(Problem::new(Code::InvalidRequest, format!("sessions: {count} is not from 1 to {MAX_SESSIONS}")))
            }
        }
    }
}

/// How well the members of a class are enrolled: samples, their age and quality, who looks alike, whom sessions keep missing,
/// and what should be done.
#[utoipa::path(get, path = "/classes/{class_id}/enrolment-health", tag = "enrolment",
    params(("class_id" = i64, Path), ClassHealthQuery, SessionsQuery, PageQuery),
    responses((status = 200, body = ClassEnrolmentHealthResponse)))]
async fn get_class_enrolment_health(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<ClassHealthQuery>,
    Query(sessions): Query<SessionsQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<ClassEnrolmentHealthResponse>, Problem> {
    let wish = Wish { on: query.on, sessions: sessions.count()?, order: query.order.into() };
    let matching = service.recogniser.matching(&service.school);
    let class = enrolment_health::of_class(&service.school, &matching, WhichClass::Id(ClassId(id)), wish).await?;
    let ClassHealth { class_id, on, pack, sessions, summary, members, .. } = class;
    let (total, rows) = (members.len() as u64, page.rows());
    let skipped = usize::try_from(rows.offset).unwrap_or(usize::MAX);
    let members = members.into_iter().skip(skipped).take(rows.limit as usize).collect();
    let page = page.of(Listed { rows: members, total });
    Ok(axum::Json(ClassEnrolmentHealthResponse { class_id, on, pack, sessions, summary: summary.into(), page }))
}

/// How well a student is enrolled, in each class of today that the caller may see.
#[utoipa::path(get, path = "/students/{student_id}/enrolment-health", tag = "enrolment",
    params(("student_id" = i64, Path), SessionsQuery), responses((status = 200, body = StudentEnrolmentHealthResponse)))]
async fn get_student_enrolment_health(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
    Query(sessions): Query<SessionsQuery>,
) -> Result<axum::Json<StudentEnrolmentHealthResponse>, Problem> {
    let (count, matching) = (sessions.count()?, service.recogniser.matching(&service.school));
    let student = (StudentId(id), who.classes());
    let found = enrolment_health::of_student(&service.school, &matching, student, count).await?;
    let items = found.into_iter().map(EnrolmentHealthResponse::from).collect();
    Ok(axum::Json(StudentEnrolmentHealthResponse { items }))
}

impl From<HealthOrder> for Order {
    fn from(order: HealthOrder) -> Self {
        match order {
            HealthOrder::RollNo => Self::RollNo,
            HealthOrder::Missed => Self::Missed,
            HealthOrder::Urgency => Self::Urgency,
        }
    }
}

impl From<MemberHealth> for EnrolmentHealthResponse {
    fn from(health: MemberHealth) -> Self {
        Self {
            class_id: health.class_id,
            member_id: health.member_id,
            roll_no: health.roll_no,
            student_id: health.student_id,
            prn: health.prn,
            name: health.name,
            consent: health.consent.into(),
            active: health.active,
            portraits: health.portraits,
            learned: health.learned,
            outliers: health.outliers,
            disagree: health.disagree,
            weakest: health.weakest.map(MeasuredResponse::from),
            best: health.best.map(MeasuredResponse::from),
            oldest_at: health.oldest_at,
            newest_at: health.newest_at,
            nearest: health.nearest.map(NearestResponse::from),
            sightings: health.sightings.into(),
            suggestions: health.suggestions.into_iter().map(SuggestionResponse::from).collect(),
        }
    }
}

impl From<Measured> for MeasuredResponse {
    fn from(Measured { sample_id, quality }: Measured) -> Self {
        Self { sample_id, quality: quality.into() }
    }
}

impl From<NearestMember> for NearestResponse {
    fn from(nearest: NearestMember) -> Self {
        let NearestMember { member_id, roll_no, combined, cosine, looks_alike } = nearest;
        Self { member_id, roll_no, combined, cosine, looks_alike }
    }
}

impl From<SightingCounts> for SightingsResponse {
    fn from(counts: SightingCounts) -> Self {
        let SightingCounts { sessions, matched, asked, missed, mean_confidence, mean_combined, trend } = counts;
        Self { sessions, matched, asked, missed, mean_confidence, mean_combined, trend }
    }
}

impl From<Advice> for SuggestionResponse {
    fn from(advice: Advice) -> Self {
        Self { code: advice.about.into(), text: advice.text }
    }
}

impl From<Suggestion> for SuggestionCode {
    fn from(suggestion: Suggestion) -> Self {
        match suggestion {
            Suggestion::NoConsent => Self::NoConsent,
            Suggestion::SamplesDisagree => Self::SamplesDisagree,
            Suggestion::NoSample => Self::NoSample,
            Suggestion::KeptMissing { .. } => Self::KeptMissing,
            Suggestion::LooksLike { .. } => Self::LooksLike,
            Suggestion::Outliers { .. } => Self::Outliers,
            Suggestion::LowQuality => Self::LowQuality,
            Suggestion::OldSamples { .. } => Self::OldSamples,
            Suggestion::OneSample => Self::OneSample,
        }
    }
}

impl From<Summary> for HealthSummaryResponse {
    fn from(summary: Summary) -> Self {
        let Summary { members, recognisable, with_suggestions, kept_missing, learned } = summary;
        Self { members, recognisable, with_suggestions, kept_missing, learned }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::MemberId;

    #[test]
    fn the_service_and_the_command_line_use_the_same_codes() {
        for suggestion in [
            Suggestion::NoConsent,
            Suggestion::SamplesDisagree,
            Suggestion::NoSample,
            Suggestion::KeptMissing { missed: 1, sessions: 1 },
            Suggestion::LooksLike { member: MemberId(1) },
            Suggestion::Outliers { count: 1 },
            Suggestion::LowQuality,
            Suggestion::OldSamples { days: 1 },
            Suggestion::OneSample,
        ] {
            assert_eq!(serde_json::to_value(SuggestionCode::from(suggestion)).unwrap(), suggestion.code());
        }
    }
}
