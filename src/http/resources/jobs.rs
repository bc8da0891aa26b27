//! Jobs: work that goes on after a request was answered. Teachers see their own and those about their classes.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::imports::enrolled;
use crate::app::enrol;
use crate::app::jobs::{self, JobReport, JobWish, Whose};
use crate::http::extract::{Path, Query, WaitQuery, Who};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Kind, READ_ATTENDANCE, RECORD, ROOT, Row, row};
use crate::queue::{JobError, JobId, JobState};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ATTENDANCE, list_jobs),
        row!(READ_ATTENDANCE, get_job).kind(Kind::Wait),
        row!(RECORD, cancel_job),
        row!(RECORD, retry_job),
    ]
}

/// How far a job has come. The last three are final.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum JobStage {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl From<JobStage> for JobState {
    fn from(stage: JobStage) -> Self {
        match stage {
            JobStage::Queued => Self::Queued,
            JobStage::Running => Self::Running,
            JobStage::Done => Self::Done,
            JobStage::Failed => Self::Failed,
            JobStage::Cancelled => Self::Cancelled,
        }
    }
}

impl From<JobState> for JobStage {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Queued => Self::Queued,
            JobState::Running => Self::Running,
            JobState::Done => Self::Done,
            JobState::Failed => Self::Failed,
            JobState::Cancelled => Self::Cancelled,
        }
    }
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobResponse {
    id: i64,
    #[schema(example = "photo")]
    kind: String,
    state: JobStage,
    /// The photo that it looks at.
    photo_id: Option<i64>,
    /// The class that it is about, where it is about no photo.
    class_id: Option<i64>,
    /// Attempts so far.
    #[schema(minimum = 0)]
    attempt: i32,
    #[schema(minimum = 1)]
    max_attempts: i32,
    created_at: DateTime<Utc>,
    /// Not done before.
    due_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    /// Who asked for it, as `user:5` or `token:3`.
    owner: Option<String>,
    /// How far it has come, in the words of its kind.
    #[schema(value_type = Option<Object>)]
    progress: Option<Value>,
    /// What it has made, in the words of its kind: `export_id`, `file_name` and `bytes` of an `export`, an `EnrolmentsResponse`
    /// of an `enrolment`.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// One for each attempt that failed.
    errors: Vec<AttemptErrorResponse>,
}

/// What went wrong in one attempt.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AttemptErrorResponse {
    attempt: i32,
    at: DateTime<Utc>,
    code: String,
    message: String,
}

impl From<JobError> for AttemptErrorResponse {
    fn from(error: JobError) -> Self {
        Self { attempt: error.attempt, at: error.at.and_utc(), code: error.code, message: error.message }
    }
}

impl From<JobReport> for JobResponse {
    fn from(job: JobReport) -> Self {
        let result = match job.kind.as_str() {
            enrol::JOB_KIND => job.result.and_then(enrolled),
            _ => job.result,
        };
        Self {
            id: job.id,
            kind: job.kind,
            state: job.state.into(),
            photo_id: job.photo,
            class_id: job.class,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            created_at: job.created_at,
            due_at: job.due_at,
            finished_at: job.finished_at,
            owner: job.owner,
            progress: job.progress,
            result,
            errors: job.errors.into_iter().map(AttemptErrorResponse::from).collect(),
        }
    }
}

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct JobQuery {
    state: Option<JobStage>,
    /// Such as `photo`.
    kind: Option<String>,
    /// Only those that the caller has asked for.
    #[serde(default)]
    mine: bool,
}

/// The jobs that the caller may see, newest first. Finished ones are kept for some weeks.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(JobQuery, PageQuery),
    responses((status = 200, body = Page<JobResponse>)))]
async fn list_jobs(
    State(service): State<Service>,
    who: Who,
    Query(query): Query<JobQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<JobResponse>>, Problem> {
    let whose = if query.mine { Whose::Own } else { Whose::AllWithinReach };
    let wish = JobWish { state: query.state.map(JobState::from), kind: query.kind, whose };
    let listed = jobs::page(&service.school, wish, &who.caller, page.rows()).await?;
    Ok(axum::Json(page.of(listed)))
}

/// A job. With `wait` the answer comes when it is finished.
#[utoipa::path(get, path = "/jobs/{job_id}", tag = "jobs", params(("job_id" = i64, Path), WaitQuery),
    responses((status = 200, body = JobResponse)))]
async fn get_job(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<WaitQuery>,
) -> Result<axum::Json<JobResponse>, Problem> {
    Ok(axum::Json(jobs::wait(&service.school, JobId(id), query.patience(), &service.stop).await?.into()))
}

/// Where a job is to be asked for.
pub(super) fn location(job: i64) -> (HeaderName, HeaderValue) {
    let address = format!("{ROOT}/jobs/{job}");
    (header::LOCATION, HeaderValue::try_from(address).expect("an address of words and a number"))
}

/// Ends a job that waits or runs. Its photo fails as `CANCELLED`, so that its session marks nobody absent.
#[utoipa::path(post, path = "/jobs/{job_id}/cancel", tag = "jobs", params(("job_id" = i64, Path)),
    responses((status = 200, body = JobResponse)))]
async fn cancel_job(State(service): State<Service>, Path(id): Path<i64>) -> Result<axum::Json<JobResponse>, Problem> {
    jobs::cancel(&service.school, JobId(id)).await?;
    Ok(axum::Json(jobs::get(&service.school, JobId(id)).await?.into()))
}

/// Gives a failed or cancelled job new attempts.
#[utoipa::path(post, path = "/jobs/{job_id}/retry", tag = "jobs", params(("job_id" = i64, Path)),
    responses((status = 200, body = JobResponse)))]
async fn retry_job(State(service): State<Service>, Path(id): Path<i64>) -> Result<axum::Json<JobResponse>, Problem> {
    jobs::retry(&service.school, JobId(id)).await?;
    Ok(axum::Json(jobs::get(&service.school, JobId(id)).await?.into()))
}
