//! A session's sheet that comes back with corrections: first what it would change, then the change.

use axum::extract::{Request, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::imports::{FileForm, ImportMode};
use super::records::RecordStatus;
use crate::app::Mode;
use crate::app::review::{self, ConflictRule, SheetImport, SheetImported, SheetRowChange};
use crate::domain::ids::SessionId;
use crate::domain::sheet::{self, RowProblem, RowProblemCode};
use crate::http::extract::{Path, Query, Who};
use crate::http::pictures::only_file;
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Kind, RECORD, Row, row};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

pub(super) fn rows() -> Vec<Row> {
    vec![row!(RECORD, import_session_sheet).kind(Kind::Upload)]
}

/// What becomes of rows whose record was changed since the sheet was downloaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ConflictChoice {
    /// The record stays.
    #[default]
    Skip,
    /// The sheet wins.
    Overwrite,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SheetImportQuery {
    /// Otherwise a preview.
    #[param(inline)]
    mode: Option<ImportMode>,
    /// What becomes of rows whose record was changed since the sheet was downloaded; otherwise they are skipped.
    #[param(inline)]
    conflicts: Option<ConflictChoice>,
}

/// What a sheet has changed, or would change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SheetImportResponse {
    session_id: i64,
    /// False for a preview.
    applied: bool,
    /// In the order of the sheet.
    changes: Vec<SheetChangeResponse>,
    /// Rows that ask for nothing new.
    #[schema(minimum = 0)]
    unchanged: usize,
    /// Rows that cannot be followed; they spoil no other.
    problems: Vec<SheetProblemResponse>,
}

/// A correction that the sheet asks for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SheetChangeResponse {
    member_id: i64,
    #[schema(example = "14")]
    roll_no: String,
    name: String,
    /// The record as it is now, or was before.
    from: SheetRecordResponse,
    to: SheetRecordResponse,
    /// The record was changed since the sheet was downloaded.
    conflict: Option<SheetConflictResponse>,
    /// It was made; never so in a preview.
    applied: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SheetRecordResponse {
    status: RecordStatus,
    note: Option<String>,
}

/// What a record has become since the sheet was downloaded.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SheetConflictResponse {
    status: RecordStatus,
    /// Who has changed it; none: the program, which has looked at photos again.
    by: Option<String>,
    at: Option<DateTime<Utc>>,
}

/// A row that cannot be followed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SheetProblemResponse {
    /// Row of the page, or line of the file, from 1.
    #[schema(minimum = 0)]
    row: u32,
    /// None for the row as a whole.
    #[schema(example = "label")]
    column: Option<&'static str>,
    code: SheetProblemCode,
    detail: String,
}

/// Why a row cannot be followed.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum SheetProblemCode {
    UnknownStatus,
    UnclearStatus,
    UnknownMember,
    UnclearMember,
    DuplicateRow,
    OtherSession,
    NoteTooLong,
    UnreadableRow,
}

impl From<RowProblemCode> for SheetProblemCode {
    fn from(code: RowProblemCode) -> Self {
        match code {
            RowProblemCode::UnknownStatus => Self::UnknownStatus,
            RowProblemCode::UnclearStatus => Self::UnclearStatus,
            RowProblemCode::UnknownMember => Self::UnknownMember,
            RowProblemCode::UnclearMember => Self::UnclearMember,
            RowProblemCode::DuplicateRow => Self::DuplicateRow,
            RowProblemCode::OtherSession => Self::OtherSession,
            RowProblemCode::NoteTooLong => Self::NoteTooLong,
            RowProblemCode::UnreadableRow => Self::UnreadableRow,
        }
    }
}

impl From<sheet::RecordContent> for SheetRecordResponse {
    fn from(content: sheet::RecordContent) -> Self {
        Self { status: content.status.into(), note: content.note }
    }
}

impl From<SheetRowChange> for SheetChangeResponse {
    fn from(change: SheetRowChange) -> Self {
        let conflict = change.conflict.map(|conflict| SheetConflictResponse {
            status: conflict.status.into(),
            by: conflict.by,
            at: conflict.at,
        });
        Self {
            member_id: change.member.0,
            roll_no: change.roll_no,
            name: change.name,
            from: change.from.into(),
            to: change.to.into(),
            conflict,
            applied: change.is_applied,
        }
    }
}

impl From<RowProblem> for SheetProblemResponse {
    fn from(problem: RowProblem) -> Self {
        let RowProblem { row, column, code, detail } = problem;
        Self { row, column, code: code.into(), detail }
    }
}

impl From<SheetImported> for SheetImportResponse {
    fn from(imported: SheetImported) -> Self {
        Self {
            session_id: imported.session.0,
            applied: imported.mode == Mode::Apply,
            changes: imported.changes.into_iter().map(SheetChangeResponse::from).collect(),
            unchanged: imported.unchanged,
            problems: imported.problems.into_iter().map(SheetProblemResponse::from).collect(),
        }
    }
}

/// Compares a session's sheet (`xlsx` or CSV, as it was downloaded, with corrections in the columns of status and note) with its
/// records, and takes the corrections over with `mode=apply`, all in one transaction and in the caller's name. Rows may be sorted
/// or left out. A row whose record was changed since the download is a conflict, and skipped unless `conflicts=overwrite`; rows
/// that cannot be followed are told in `problems` and spoil no other.
#[utoipa::path(post, path = "/sessions/{session_id}/sheet-import", tag = "sheets",
    params(("session_id" = i64, Path), SheetImportQuery),
    request_body(content((Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), (String = "text/csv"),
        (FileForm = "multipart/form-data"))),
    responses((status = 200, body = SheetImportResponse)))]
async fn import_session_sheet(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
    Query(query): Query<SheetImportQuery>,
    request: Request,
) -> Result<axum::Json<SheetImportResponse>, Problem> {
    let bytes = only_file(&service, request, &[XLSX, "text/csv"]).await?;
    let mode = query.mode.unwrap_or_default().into();
    let conflicts = match query.conflicts.unwrap_or_default() {
        ConflictChoice::Skip => ConflictRule::Skip,
        ConflictChoice::Overwrite => ConflictRule::Overwrite,
    };
    let import = SheetImport { session: Some(SessionId(id)), bytes, mode, conflicts };
    Ok(axum::Json(review::import_sheet(&service.school, import, who.actor().clone()).await?.into()))
}
