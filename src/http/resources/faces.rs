//! Faces of photos: what was recognised, who it may be, and what people say.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::VerdictName;
use crate::app::crop;
use crate::app::faces::{self as deciding, Decision, NoCandidates};
use crate::db::face_decisions::DecisionRow;
use crate::db::faces::{self, FaceRow};
use crate::db::photos::{self, PhotoRow};
use crate::db::{AnyConnection, DbError, members, sessions};
use crate::domain::assign::Ranked;
use crate::domain::ids::{FaceId, MemberId, PhotoId};
use crate::http::download::{FileBytes, Served};
use crate::http::extract::{Json, Path, Who};
use crate::http::face::QualityResponse;
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Audit, READ_ATTENDANCE, RECORD, Row, SEE_PHOTOS, row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ATTENDANCE, list_faces),
        row!(READ_ATTENDANCE, get_face),
        row!(READ_ATTENDANCE, list_face_candidates),
        row!(SEE_PHOTOS, get_face_crop).audit(Audit::Line),
        row!(RECORD, decide_face),
        row!(RECORD, undo_face_decision),
    ]
}

/// A face.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PhotoFaceResponse {
    id: i64,
    photo_id: i64,
    /// x, y, width, height in pixels of the upright photo, from its top left corner.
    #[serde(rename = "box")]
    #[schema(value_type = Vec<f32>, min_items = 4, max_items = 4)]
    bounds: [f32; 4],
    /// The detector's own confidence.
    #[schema(minimum = 0, maximum = 1)]
    detection_score: f32,
    quality: QualityResponse,
    /// None while the photo waits.
    verdict: Option<VerdictName>,
    /// Of a match or doubt.
    member: Option<FaceMemberResponse>,
    /// Of that member, or of the nearest one for a stranger; lower is nearer.
    combined: Option<f64>,
    #[schema(minimum = -1, maximum = 1)]
    cosine: Option<f64>,
    /// Posterior probability.
    #[schema(minimum = 0, maximum = 1)]
    confidence: Option<f64>,
    /// The nearest other member.
    runner_up: Option<FaceRunnerUpResponse>,
    /// Why the verdict is what it is, as `clear` or `decided`.
    reason: Option<String>,
    /// Number of the person within the session: the same in every photo that shows them.
    #[schema(minimum = 0)]
    person: Option<i32>,
    /// What a person has said.
    decision: Option<DecisionResponse>,
}

/// A member, as a face speaks of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct FaceMemberResponse {
    id: i64,
    #[schema(example = "14")]
    roll_no: String,
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FaceRunnerUpResponse {
    member: FaceMemberResponse,
    combined: f64,
}

/// Who a face is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(tag = "is", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum FaceIs {
    /// A member of the session's class, on its day.
    Member { member_id: i64 },
    /// Nobody of the class.
    Stranger {},
}

impl From<Decision> for FaceIs {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Member(member) => Self::Member { member_id: member.0 },
            Decision::Stranger => Self::Stranger {},
        }
    }
}

impl From<FaceIs> for Decision {
    fn from(said: FaceIs) -> Self {
        match said {
            FaceIs::Member { member_id } => Self::Member(MemberId(member_id)),
            FaceIs::Stranger {} => Self::Stranger,
        }
    }
}

/// What was said about a face, by whom.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DecisionResponse {
    said: FaceIs,
    /// The name at that time.
    by: String,
    at: DateTime<Utc>,
}

impl From<&DecisionRow> for DecisionResponse {
    fn from(row: &DecisionRow) -> Self {
        Self { said: row.decided().decision.into(), by: row.actor.clone(), at: row.at.and_utc() }
    }
}

/// The faces of a photo, largest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FacesResponse {
    photo_id: i64,
    items: Vec<PhotoFaceResponse>,
}

/// The members whom a face is nearest to, best first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CandidatesResponse {
    face_id: i64,
    #[schema(max_items = 10)]
    items: Vec<CandidateResponse>,
    /// Why there are none.
    none_because: Option<NoCandidatesReason>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CandidateResponse {
    member: FaceMemberResponse,
    /// Lower is nearer.
    combined: f32,
    #[schema(minimum = -1, maximum = 1)]
    cosine: f32,
    #[schema(minimum = 0, maximum = 1)]
    confidence: f32,
}

/// Why nobody can be offered for a face.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum NoCandidatesReason {
    /// There are no numbers to compare: the photo gave none, or they were deleted when the session was confirmed.
    NoEmbedding,
    /// Its photo waits to be looked at with the server's pack.
    OtherPack,
    NobodyEnrolled,
}

impl From<NoCandidates> for NoCandidatesReason {
    fn from(reason: NoCandidates) -> Self {
        match reason {
            NoCandidates::NoEmbedding => Self::NoEmbedding,
            NoCandidates::OtherPack => Self::OtherPack,
            NoCandidates::NobodyEnrolled => Self::NobodyEnrolled,
        }
    }
}

/// The faces of a photo.
#[utoipa::path(get, path = "/photos/{photo_id}/faces", tag = "faces", params(("photo_id" = i64, Path)),
    responses((status = 200, body = FacesResponse)))]
async fn list_faces(State(service): State<Service>, Path(id): Path<i64>) -> Result<axum::Json<FacesResponse>, Problem> {
    let read = service.read(move |conn| {
        let photo = photos::get(conn, PhotoId(id))?;
        let rows = faces::of_photo(conn, photo.id)?;
        faces_of(conn, &photo, rows)
    });
    Ok(axum::Json(FacesResponse { photo_id: id, items: read.await? }))
}

/// A face.
#[utoipa::path(get, path = "/faces/{face_id}", tag = "faces", params(("face_id" = i64, Path)),
    responses((status = 200, body = PhotoFaceResponse)))]
async fn get_face(
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<axum::Json<PhotoFaceResponse>, Problem> {
    Ok(axum::Json(service.read(move |conn| face_of(conn, FaceId(id))).await?))
}

/// The members of the session's class whom a face is nearest to.
#[utoipa::path(get, path = "/faces/{face_id}/candidates", tag = "faces", params(("face_id" = i64, Path)),
    responses((status = 200, body = CandidatesResponse)))]
async fn list_face_candidates(
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<axum::Json<CandidatesResponse>, Problem> {
    let matching = service.recogniser.matching(&service.school);
    let found = deciding::candidates(&service.school, &matching, FaceId(id)).await?;
    let names = service.read(move |conn| {
        let photo = faces::get(conn, FaceId(id))?.photo_id;
        let photo = photos::get(conn, photo)?;
        Names::read(conn, &photo)
    });
    let names = names.await?;
    let candidate = |ranked: &Ranked| {
        Some(CandidateResponse {
            member: names.of(ranked.member)?,
            combined: ranked.score.combined,
            cosine: ranked.score.cosine,
            confidence: ranked.confidence,
        })
    };
    let items = found.ranked.iter().filter_map(candidate).collect();
    Ok(axum::Json(CandidatesResponse { face_id: id, items, none_because: found.none_because.map(Into::into) }))
}

/// Says who a face is. What a person says wins over what was measured, also when the photo is looked at again; a status that
/// was set by hand wins over it. A face can be said to be any member of the class on the day of the session with a recorded
/// consent, enrolled or not. Nobody is enrolled by it.
#[utoipa::path(put, path = "/faces/{face_id}/decision", tag = "faces", params(("face_id" = i64, Path)),
    request_body = FaceIs, responses((status = 200, body = PhotoFaceResponse)))]
async fn decide_face(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
    Json(said): Json<FaceIs>,
) -> Result<axum::Json<PhotoFaceResponse>, Problem> {
    let matching = service.recogniser.matching(&service.school);
    deciding::decide(&service.school, &matching, FaceId(id), said.into(), who.actor()).await?;
    Ok(axum::Json(service.read(move |conn| face_of(conn, FaceId(id))).await?))
}

/// Takes back what was said about a face: it is what was measured again.
#[utoipa::path(delete, path = "/faces/{face_id}/decision", tag = "faces", params(("face_id" = i64, Path)),
    responses((status = 200, body = PhotoFaceResponse)))]
async fn undo_face_decision(
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<axum::Json<PhotoFaceResponse>, Problem> {
    let matching = service.recogniser.matching(&service.school);
    deciding::undo(&service.school, &matching, FaceId(id)).await?;
    Ok(axum::Json(service.read(move |conn| face_of(conn, FaceId(id))).await?))
}

/// A face cut out of its photo, with some room around it. Every look is written down.
#[utoipa::path(get, path = "/faces/{face_id}/crop", tag = "faces",
    params(
        ("face_id" = i64, Path),
        ("If-None-Match" = Option<String>, Header, description = "Versions that are known already"),
    ),
    responses(
        (status = 200, description = "The face", content((FileBytes = "image/jpeg")), headers(("ETag" = String))),
        (status = 304, description = "It is known already"),
    ))]
async fn get_face_crop(
    State(service): State<Service>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = crop::find(&service.school, FaceId(id)).await?;
    let picture = Served { media_type: "image/jpeg", file_name: format!("face-{id}.jpg"), version: found.version() };
    if let Some(known) = picture.if_known(&headers) {
        return Ok(known);
    }
    let _room = service.room_for_picture().await?;
    Ok(picture.whole(found.cut(&service.school).await?))
}

/// The faces of a photo, with names and decisions.
pub(super) fn faces_of(
    conn: &mut AnyConnection,
    photo: &PhotoRow,
    rows: Vec<FaceRow>,
) -> Result<Vec<PhotoFaceResponse>, DbError> {
    let names = Names::read(conn, photo)?;
    let decisions = deciding::decisions_of(conn, photo.id)?;
    Ok(rows.into_iter().map(|row| names.face(row, &decisions)).collect())
}

fn face_of(conn: &mut AnyConnection, id: FaceId) -> Result<PhotoFaceResponse, DbError> {
    let row = faces::get(conn, id)?;
    let photo = photos::get(conn, row.photo_id)?;
    let decisions = deciding::decisions_of(conn, photo.id)?;
    Ok(Names::read(conn, &photo)?.face(row, &decisions))
}

/// Everybody who ever was in the class of a photo.
struct Names(HashMap<MemberId, (String, String)>);

impl Names {
    fn read(conn: &mut AnyConnection, photo: &PhotoRow) -> Result<Self, DbError> {
        let class = sessions::get(conn, photo.session_id)?.class_id;
        let of = members::all(conn, class)?.into_iter();
        Ok(Self(of.map(|row| (row.member.id, (row.member.roll_no, row.student.name))).collect()))
    }

    fn of(&self, member: MemberId) -> Option<FaceMemberResponse> {
        let (roll_no, name) = self.0.get(&member)?.clone();
        Some(FaceMemberResponse { id: member.0, roll_no, name })
    }

    fn face(&self, row: FaceRow, decisions: &HashMap<FaceId, DecisionRow>) -> PhotoFaceResponse {
        let runner_up = row.runner_up_member_id.and_then(|m| self.of(m)).zip(row.runner_up_combined);
        PhotoFaceResponse {
            id: row.id.0,
            photo_id: row.photo_id.0,
            bounds: [row.x, row.y, row.w, row.h],
            detection_score: row.detection_score,
            quality: row.quality.0.into(),
            verdict: row.verdict.map(Into::into),
            member: row.member_id.and_then(|m| self.of(m)),
            combined: row.combined,
            cosine: row.cosine,
            confidence: row.confidence,
            runner_up: runner_up.map(|(member, combined)| FaceRunnerUpResponse { member, combined }),
            reason: row.reason,
            person: row.person,
            decision: decisions.get(&row.id).map(DecisionResponse::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::db::face_decisions::{self, NewDecision};
    use crate::db::testing::{at, new_face, new_photo, on_each_database, school};
    use crate::domain::access::Actor;
    use crate::domain::decision::Decided;
    use crate::domain::ids::UserId;
    use crate::domain::status::Verdict;

    #[test]
    fn a_decision_is_one_of_two_things_and_nothing_else() {
        let read = |value| serde_json::from_value::<FaceIs>(value).map(Decision::from);
        assert_eq!(read(json!({ "is": "member", "member_id": 7 })).unwrap(), Decision::Member(MemberId(7)));
        assert_eq!(read(json!({ "is": "stranger" })).unwrap(), Decision::Stranger);
        for wrong in [
            json!({ "is": "member" }),
            json!({ "is": "stranger", "member_id": 7 }),
            json!({ "is": "member", "member_id": 7, "sure": true }),
            json!({ "is": "nobody" }),
            json!({ "member_id": 7 }),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        assert_eq!(serde_json::to_value(FaceIs::from(Decision::Stranger)).unwrap(), json!({ "is": "stranger" }));
    }

    on_each_database! {
        fn a_face_is_told_with_names_and_what_was_said(db) {
            let told = db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let ids = faces::replace_for_photo(conn, photo, &[new_face(0)])?;
                let verdict = faces::FaceVerdict {
                    face: ids[0],
                    verdict: Verdict::Doubt,
                    member_id: Some(school.members[0]),
                    combined: Some(19.0),
                    cosine: Some(0.5),
                    confidence: Some(0.75),
                    runner_up_member_id: Some(school.members[1]),
                    runner_up_combined: Some(20.0),
                    reason: Some("between_lines".into()),
                    person: Some(0),
                };
                faces::set_verdicts(conn, school.session, &[verdict])?;
                let place = faces::get(conn, ids[0])?.bounds();
                let decided = Decided { place, decision: Decision::Stranger };
                let ann = Actor::user(UserId(5), "ann");
                let at = at("2025-09-01 05:00:00");
                face_decisions::insert(conn, &NewDecision::of(photo, decided, &ann, at))?;
                let row = photos::get(conn, photo)?;
                let rows = faces::of_photo(conn, row.id)?;
                assert_eq!(serde_json::json!(faces_of(conn, &row, rows)?), serde_json::json!([face_of(conn, ids[0])?]));
                face_of(conn, ids[0])
            });
            let told = serde_json::to_value(told.unwrap()).unwrap();
            assert_eq!(told["box"], json!([100.5, 200.0, 40.25, 51.0]));
            assert_eq!((&told["verdict"], &told["reason"]), (&json!("doubt"), &json!("between_lines")));
            assert_eq!((&told["member"]["roll_no"], &told["member"]["name"]), (&json!("1"), &json!("Student P1")));
            assert_eq!(told["runner_up"]["member"]["roll_no"], "2");
            let decision = json!({ "said": { "is": "stranger" }, "by": "ann", "at": "2025-09-01T05:00:00Z" });
            assert_eq!(told["decision"], decision);
        }
    }
}
