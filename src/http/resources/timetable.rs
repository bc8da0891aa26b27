//! Timetables, holidays, and what is planned of them: the registers that were taken, and those that were not.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc, Weekday};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::attendance::RangeQuery;
use super::words::SessionProgress;
use crate::app::error::Code;
use crate::app::timetable::{self, Planned, PlannedWish, Registers};
use crate::db::holidays::{HolidayRow, NewHoliday};
use crate::domain::ids::{ClassId, HolidayId, SlotId, SubjectId};
use crate::domain::timetable::Slot;
use crate::http::extract::{AuditBy, Json, Path, Query, Who};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Audit, CHANGE_ROSTER, READ_ATTENDANCE, READ_ROSTER, ROOT, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ROSTER, list_holidays),
        // Changes write their own lines, called like the operation, with what was there before.
        row!(CHANGE_ROSTER, add_holiday).audit(Audit::Nothing),
        row!(CHANGE_ROSTER, delete_holiday).audit(Audit::Nothing),
        row!(READ_ROSTER, get_timetable),
        row!(CHANGE_ROSTER, replace_timetable).audit(Audit::Nothing),
        row!(READ_ATTENDANCE, list_planned_sessions),
    ]
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum WeekdayName {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<Weekday> for WeekdayName {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Mon => Self::Monday,
            Weekday::Tue => Self::Tuesday,
            Weekday::Wed => Self::Wednesday,
            Weekday::Thu => Self::Thursday,
            Weekday::Fri => Self::Friday,
            Weekday::Sat => Self::Saturday,
            Weekday::Sun => Self::Sunday,
        }
    }
}

impl From<WeekdayName> for Weekday {
    fn from(day: WeekdayName) -> Self {
        match day {
            WeekdayName::Monday => Self::Mon,
            WeekdayName::Tuesday => Self::Tue,
            WeekdayName::Wednesday => Self::Wed,
            WeekdayName::Thursday => Self::Thu,
            WeekdayName::Friday => Self::Fri,
            WeekdayName::Saturday => Self::Sat,
            WeekdayName::Sunday => Self::Sun,
        }
    }
}

/// A lesson that comes every week.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SlotItem {
    /// As it was told; in a request it means nothing. Slots get new ones whenever the timetable is set.
    #[serde(default)]
    slot_id: Option<i64>,
    weekday: WeekdayName,
    /// On the school's clocks.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "09:00")]
    starts_at: String,
    #[schema(minimum = 1, maximum = 1440, example = 45)]
    minutes: u32,
    #[serde(default)]
    subject_id: Option<i64>,
    /// First day.
    valid_from: NaiveDate,
    /// Last day; `null`: without end.
    #[serde(default)]
    valid_to: Option<NaiveDate>,
}

const TIME: &str = "%H:%M";

impl From<Slot> for SlotItem {
    fn from(slot: Slot) -> Self {
        Self {
            slot_id: slot.id.map(|id| id.0),
            weekday: slot.weekday.into(),
            starts_at: slot.starts_at.format(TIME).to_string(),
            minutes: slot.minutes,
            subject_id: slot.subject.map(|id| id.0),
            valid_from: slot.valid_from,
            valid_to: slot.valid_to,
        }
    }
}

impl SlotItem {
    fn read(self) -> Result<Slot, Problem> {
        let text = &self.starts_at;
        let bad = |_| Problem::new(Code::InvalidRequest, format!("starts_at: {text:?} is no time such as 09:00"));
        Ok(Slot {
            starts_at: NaiveTime::parse_from_str(text, TIME).map_err(bad)?,
            id: self.slot_id.map(SlotId),
            weekday: self.weekday.into(),
            minutes: self.minutes,
            subject: self.subject_id.map(SubjectId),
            valid_from: self.valid_from,
            valid_to: self.valid_to,
        })
    }
}

/// The timetable of a class, by weekday and time.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TimetableBody {
    /// No two at one time.
    #[schema(max_items = 500)]
    slots: Vec<SlotItem>,
}

impl From<Vec<Slot>> for TimetableBody {
    fn from(slots: Vec<Slot>) -> Self {
        Self { slots: slots.into_iter().map(SlotItem::from).collect() }
    }
}

/// Days without lessons.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HolidayResponse {
    holiday_id: i64,
    from: NaiveDate,
    to: NaiveDate,
    #[schema(example = "Diwali")]
    name: String,
    /// `null`: of the whole school.
    class_id: Option<i64>,
}

impl From<HolidayRow> for HolidayResponse {
    fn from(row: HolidayRow) -> Self {
        let HolidayRow { id, class_id, first_day, last_day, name } = row;
        Self { holiday_id: id.0, from: first_day, to: last_day, name, class_id: class_id.map(|id| id.0) }
    }
}

/// Holidays, in order of time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HolidaysResponse {
    items: Vec<HolidayResponse>,
}

/// Days without lessons to be noted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddHolidayRequest {
    from: NaiveDate,
    /// Three years at most.
    to: NaiveDate,
    #[schema(min_length = 1, max_length = 200, example = "Diwali")]
    name: String,
    /// Otherwise of the whole school.
    class_id: Option<i64>,
}

/// A lesson of a timetable.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlannedSession {
    class_id: i64,
    #[schema(example = "CSE")]
    class: String,
    section: String,
    subject_id: Option<i64>,
    subject: Option<String>,
    starts_at: DateTime<Utc>,
    minutes: u32,
    /// What the class has off for on that day.
    holiday: Option<String>,
    /// The session of the lesson: it starts within it, or a little before. Of several the first that was held.
    session_id: Option<i64>,
    state: Option<SessionProgress>,
    /// Whether that session was held: somebody has a record in it.
    taken: bool,
}

impl From<Planned> for PlannedSession {
    fn from(planned: Planned) -> Self {
        let Planned { class, lesson, subject, session, is_taken } = planned;
        Self {
            class_id: class.id.0,
            class: class.name,
            section: class.section,
            subject_id: lesson.subject.map(|id| id.0),
            subject,
            starts_at: lesson.starts_at.and_utc(),
            minutes: lesson.minutes,
            holiday: lesson.holiday,
            session_id: session.map(|(id, _)| id.0),
            state: session.map(|(_, state)| state.into()),
            taken: is_taken,
        }
    }
}

/// Lessons, by time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlannedSessionsResponse {
    items: Vec<PlannedSession>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PlannedQuery {
    /// First day, of the school's calendar.
    from: NaiveDate,
    /// Last day.
    to: NaiveDate,
    /// Only this class; otherwise all that the caller may see.
    class_id: Option<i64>,
    /// `false`: only lessons that have begun, on no holiday, whose register was not taken: nobody has a record. `true`: only those
    /// that were taken.
    taken: Option<bool>,
}

/// The holidays of the school and of the classes that the caller may see; a range has three years at most.
#[utoipa::path(get, path = "/holidays", tag = "timetable", params(RangeQuery),
    responses((status = 200, body = HolidaysResponse)))]
async fn list_holidays(
    State(service): State<Service>,
    who: Who,
    Query(RangeQuery { from, to }): Query<RangeQuery>,
) -> Result<axum::Json<HolidaysResponse>, Problem> {
    let among = who.classes();
    let mut rows = timetable::holidays(&service.school, (from, to)).await?;
    let is_seen = |class: ClassId| among.as_ref().is_none_or(|among| among.contains(&class));
    rows.retain(|row| row.class_id.is_none_or(is_seen));
    Ok(axum::Json(HolidaysResponse { items: rows.into_iter().map(HolidayResponse::from).collect() }))
}

/// Notes days without lessons, of a class or of the whole school.
#[utoipa::path(post, path = "/holidays", tag = "timetable", request_body = AddHolidayRequest,
    responses((status = 201, body = HolidayResponse, headers(("Location" = String, description = "The holidays")))))]
async fn add_holiday(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Json(request): Json<AddHolidayRequest>,
) -> Result<impl IntoResponse, Problem> {
    let AddHolidayRequest { from, to, name, class_id } = request;
    let new = NewHoliday { class_id: class_id.map(ClassId), first_day: from, last_day: to, name };
    let row = timetable::add_holiday(&service.school, new, (by, Utc::now())).await?;
    let location = format!("{ROOT}/holidays?from={from}&to={to}");
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(HolidayResponse::from(row))))
}

/// Takes a holiday back.
#[utoipa::path(delete, path = "/holidays/{holiday_id}", tag = "timetable", params(("holiday_id" = i64, Path)),
    responses((status = 204)))]
async fn delete_holiday(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    timetable::remove_holiday(&service.school, HolidayId(id), (by, Utc::now())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The timetable of a class.
#[utoipa::path(get, path = "/classes/{class_id}/timetable", tag = "timetable", params(("class_id" = i64, Path)),
    responses((status = 200, body = TimetableBody)))]
async fn get_timetable(
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<axum::Json<TimetableBody>, Problem> {
    Ok(axum::Json(timetable::slots(&service.school, ClassId(id)).await?.into()))
}

/// Sets the timetable of a class, in place of the one before. A class is in one lesson at a time.
#[utoipa::path(put, path = "/classes/{class_id}/timetable", tag = "timetable", params(("class_id" = i64, Path)),
    request_body = TimetableBody, responses((status = 200, body = TimetableBody)))]
async fn replace_timetable(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Path(id): Path<i64>,
    Json(request): Json<TimetableBody>,
) -> Result<axum::Json<TimetableBody>, Problem> {
    let new = request.slots.into_iter().map(SlotItem::read).collect::<Result<Vec<_>, _>>()?;
    let stored = timetable::replace(&service.school, ClassId(id), new, (by, Utc::now())).await?;
    Ok(axum::Json(stored.into()))
}

/// The lessons of timetables within the terms of their classes, with the session of each; 20,000 at most.
#[utoipa::path(get, path = "/planned-sessions", tag = "timetable", params(PlannedQuery),
    responses((status = 200, body = PlannedSessionsResponse)))]
async fn list_planned_sessions(
    State(service): State<Service>,
    who: Who,
    Query(query): Query<PlannedQuery>,
) -> Result<axum::Json<PlannedSessionsResponse>, Problem> {
    let PlannedQuery { from, to, class_id, taken } = query;
    let among = who.among(class_id)?;
    let registers = match taken {
        None => Registers::All,
        Some(true) => Registers::Taken,
        Some(false) => Registers::NotTaken,
    };
    let wish = PlannedWish { among, days: (from, to), registers };
    let found = timetable::planned(&service.school, wish, Utc::now()).await?;
    Ok(axum::Json(PlannedSessionsResponse { items: found.into_iter().map(PlannedSession::from).collect() }))
}
