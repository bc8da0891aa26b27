//! Sheets: a session or a class's register as Excel or CSV.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::error::Error;
use crate::app::report::{
    self, EvidenceWish, MoodleIdentifier, RegisterOf, RegisterPortions, SessionFile, SessionFormat, SessionOptions,
    SheetFormat,
};
use crate::domain::ids::{ClassId, SessionId};
use crate::domain::pilot::PilotSessions;
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Audit, FETCH_SHEETS, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(FETCH_SHEETS, export_session).audit(Audit::Line), row!(FETCH_SHEETS, export_register).audit(Audit::Line)]
}

/// What a sheet is written as.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    #[default]
    Xlsx,
    Csv,
}

impl From<Format> for SheetFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Xlsx => Self::Xlsx,
            Format::Csv => Self::Csv,
        }
    }
}

/// What becomes of the sessions of a pilot, which do not count.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PilotRule {
    #[default]
    Exclude,
    Include,
}

impl From<PilotRule> for PilotSessions {
    fn from(rule: PilotRule) -> Self {
        match rule {
            PilotRule::Exclude => Self::LeftOut,
            PilotRule::Include => Self::Included,
        }
    }
}

/// What the sheet of a session is written as.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SessionFormatName {
    #[default]
    Xlsx,
    Csv,
    /// CSV for Moodle's attendance plugin, "Import session attendance marks".
    Moodle,
}

/// By what Moodle is to know the students.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum MoodleUser {
    /// The ID number of their profile there.
    #[default]
    Prn,
    Email,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionSheetQuery {
    /// Otherwise `xlsx`.
    #[param(inline)]
    format: Option<SessionFormatName>,
    /// Of `moodle`: by what Moodle is to know the students; otherwise by PRN.
    #[param(inline)]
    identifier: Option<MoodleUser>,
    /// Of `xlsx`: whether a second page shows the face that speaks for each student; otherwise it does.
    evidence: Option<bool>,
    /// Of that page: whether it also shows the faces of people who are nobody of the class; otherwise it does not.
    strangers: Option<bool>,
}

/// What is said of a session's file, wherever it is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionFileWish {
    pub(super) format: Option<SessionFormatName>,
    pub(super) identifier: Option<MoodleUser>,
    pub(super) evidence: Option<bool>,
    pub(super) strangers: Option<bool>,
}

impl TryFrom<SessionFileWish> for SessionFile {
    type Error = Error;

    fn try_from(wish: SessionFileWish) -> Result<Self, Error> {
        let SessionFileWish { format, identifier, evidence, strangers } = wish;
        let format = match format.unwrap_or_default() {
            SessionFormatName::Xlsx => SessionFormat::Xlsx,
            SessionFormatName::Csv => SessionFormat::Csv,
            SessionFormatName::Moodle => SessionFormat::Moodle,
        };
        let identifier = identifier.map(|identifier| match identifier {
            MoodleUser::Prn => MoodleIdentifier::Prn,
            MoodleUser::Email => MoodleIdentifier::Email,
        });
        Self::of(format, SessionOptions { identifier, evidence, strangers })
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RegisterQuery {
    /// First day.
    from: NaiveDate,
    /// Last day.
    to: NaiveDate,
    /// Only the sessions of this subject, by its name. A session without one is of its lesson's.
    subject: Option<String>,
    /// What becomes of the sessions of a pilot; otherwise they are left out.
    #[param(inline)]
    pilot: Option<PilotRule>,
    /// Otherwise `xlsx`.
    #[param(inline)]
    format: Option<Format>,
}

/// The sheet of a session. A workbook has a second page with the face that speaks for each student who has consented. Options of
/// another format are refused; so is a session of a pilot for Moodle.
#[utoipa::path(get, path = "/sessions/{session_id}/sheet", tag = "sheets", params(("session_id" = i64, Path), SessionSheetQuery),
    responses((status = 200, description = "The file", content(
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), (String = "text/csv")))))]
async fn export_session(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<SessionSheetQuery>,
) -> Result<Response, Problem> {
    let SessionSheetQuery { format, identifier, evidence, strangers } = query;
    let wanted = SessionFile::try_from(SessionFileWish { format, identifier, evidence, strangers })?;
    let _room = match wanted {
        SessionFile::Workbook(EvidenceWish::Members | EvidenceWish::MembersAndStrangers) => {
            Some(service.room_for_picture().await?)
        }
        SessionFile::Workbook(EvidenceWish::LeftOut) | SessionFile::Csv | SessionFile::Moodle(_) => None,
    };
    let bytes = report::session_file(&service.school, SessionId(id), wanted).await?;
    Ok(file(bytes, wanted.format(), &format!("{}-{id}", wanted.stem())))
}

/// The register of a class: its members, and their status in every session of the days; three years at most.
///
/// A session in which nobody has a record is `NOT TAKEN`: its column is empty, and it counts for nobody.
#[utoipa::path(get, path = "/classes/{class_id}/register", tag = "sheets", params(("class_id" = i64, Path), RegisterQuery),
    responses((status = 200, description = "The file", content(
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), (String = "text/csv")))))]
async fn export_register(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<RegisterQuery>,
) -> Result<Response, Problem> {
    let format = SheetFormat::from(query.format.unwrap_or_default());
    let RegisterQuery { from, to, subject, pilot, .. } = query;
    let pilots = pilot.unwrap_or_default().into();
    let wanted = RegisterOf { class: ClassId(id), days: (from, to), subject, pilots };
    let stem = format!("class-{id}_{from}_{to}");
    if format == SheetFormat::Xlsx {
        return Ok(file(report::register_of(&service.school, wanted, format).await?, format, &stem));
    }
    // Rows are read as fast as the client takes them.
    let room = service.room_for_stream()?;
    let rows = RegisterPortions::open(&service.school, wanted).await?.into_stream();
    let held = rows.inspect(move |_| {
        let _ = &room;
    });
    Ok(file(Body::from_stream(held), format, &stem))
}

/// A download. Its name tells the numbers only: downloads lie around in folders that others open.
pub(super) fn file(bytes: impl Into<Body>, format: SheetFormat, stem: &str) -> Response {
    let disposition = format!("attachment; filename=\"{stem}.{}\"", format.extension());
    let disposition = HeaderValue::try_from(disposition).expect("numbers and days are plain text");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, bytes.into()).into_response()
}
