//! Samples: one enrolment photo's embedding by one pack. A student's template is built from them by `domain::template`.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::column::Json;
use super::error::OrNotFound;
use super::photos::ObjectRow;
use super::schema::face_samples;
use super::{AnyConnection, DbError};
use crate::domain::embedding::Embedding;
use crate::domain::ids::{FaceId, SampleId, SessionId, StudentId};
use crate::domain::quality::FaceQuality;
use crate::domain::status::Origin;
use crate::domain::template::Sample;

/// Ids per query; SQLite allows 32766 bound values in a statement.
const IDS_PER_QUERY: usize = 1000;

#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = face_samples)]
pub struct SampleRow {
    pub id: SampleId,
    pub student_id: StudentId,
    pub pack_id: String,
    pub pack_version: String,
    /// Of the image, or of the vector where there is none; 64 hex digits.
    pub sha256: String,
    /// Where the image is stored; empty for a vector that came without one.
    pub object_key: String,
    pub embedding: Embedding,
    /// None for a vector that came without an image.
    pub quality: Json<Option<FaceQuality>>,
    /// Share in the template, above 0.
    pub weight: f64,
    pub created_at: NaiveDateTime,
    pub origin: Origin,
}

impl SampleRow {
    /// What a template is built from.
    pub fn into_sample(self) -> Sample {
        Sample { id: self.id, embedding: self.embedding, weight: self.weight as f32, origin: self.origin }
    }

    pub const fn mark(&self) -> SampleMark {
        SampleMark { id: self.id, student_id: self.student_id, origin: self.origin }
    }
}

#[derive(Debug, Clone, PartialEq, Insertable)]
#[diesel(table_name = face_samples)]
pub struct NewSample {
    pub student_id: StudentId,
    pub pack_id: String,
    pub pack_version: String,
    pub sha256: String,
    pub object_key: String,
    pub embedding: Embedding,
    pub quality: Json<Option<FaceQuality>>,
    pub weight: f64,
    pub created_at: NaiveDateTime,
}

/// A sample without its embedding.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = face_samples)]
pub struct SampleSummary {
    pub id: SampleId,
    pub student_id: StudentId,
    pub pack_id: String,
    pub pack_version: String,
    pub sha256: String,
    /// Empty for a vector that came without an image.
    pub object_key: String,
    /// None for a vector that came without an image.
    pub quality: Json<Option<FaceQuality>>,
    pub weight: f64,
    pub created_at: NaiveDateTime,
    pub origin: Origin,
    /// The confirmed session that a learned one was taken from.
    pub session_id: Option<SessionId>,
    /// The face of that session; none once its photo was looked at again.
    pub face_id: Option<FaceId>,
}

/// A sample without what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = face_samples)]
pub struct SampleMark {
    pub id: SampleId,
    pub student_id: StudentId,
    pub origin: Origin,
}

/// Where a portrait came from, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = face_samples)]
pub struct SampleOrigin {
    pub student_id: StudentId,
    pub pack_id: String,
    pub pack_version: String,
    pub sha256: String,
    /// Empty for a vector that came without an image.
    pub object_key: String,
}

impl SampleOrigin {
    /// Whether the sample is of this version (id, version) of a pack.
    pub fn is_of(&self, (pack_id, pack_version): (&str, &str)) -> bool {
        self.pack_id == pack_id && self.pack_version == pack_version
    }
}

/// The origins of everybody's portraits, ordered by student and age. What was learned is left out: it stays with the pack that
/// has learned it.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn origins(conn: &mut AnyConnection) -> Result<Vec<SampleOrigin>, DbError> {
    Ok(face_samples::table
        .filter(face_samples::origin.eq(Origin::Portrait))
        .order((face_samples::student_id, face_samples::id))
        .select(SampleOrigin::as_select())
        .load(conn)?)
}

/// What rows with a higher number than `after` say of their objects, in the order of their numbers, at most `count`. Vectors
/// that came without an image are left out, and so are all samples of an image (of other packs) but the oldest.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn objects(conn: &mut AnyConnection, after: i64, count: usize) -> Result<Vec<ObjectRow>, DbError> {
    let older = diesel::alias!(face_samples as older);
    let of_same_object = older
        .filter(older.field(face_samples::object_key).eq(face_samples::object_key))
        .filter(older.field(face_samples::id).lt(face_samples::id));
    Ok(face_samples::table
        .filter(face_samples::id.gt(SampleId(after)))
        .filter(face_samples::object_key.ne(""))
        .filter(diesel::dsl::not(diesel::dsl::exists(of_same_object)))
        .order(face_samples::id)
        .limit(count as i64)
        .select((face_samples::id, face_samples::object_key, face_samples::sha256))
        .load::<(SampleId, String, String)>(conn)?
        .into_iter()
        .map(|(id, object_key, sha256)| ObjectRow { id: id.0, object_key, sha256 })
        .collect())
}

/// Those of `keys` that a sample names. Ask for some hundreds at a time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn named(conn: &mut AnyConnection, keys: &[String]) -> Result<Vec<String>, DbError> {
    Ok(face_samples::table
        .filter(face_samples::object_key.eq_any(keys))
        .select(face_samples::object_key)
        .distinct()
        .load(conn)?)
}

/// A sample without its embedding.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn summary(conn: &mut AnyConnection, id: SampleId) -> Result<SampleSummary, DbError> {
    face_samples::table.find(id).select(SampleSummary::as_select()).first(conn).or_not_found("the sample")
}

/// The samples of a student, of every pack, oldest first.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_student(conn: &mut AnyConnection, student: StudentId) -> Result<Vec<SampleSummary>, DbError> {
    Ok(face_samples::table
        .filter(face_samples::student_id.eq(student))
        .order(face_samples::id)
        .select(SampleSummary::as_select())
        .load(conn)?)
}

/// Whether another sample of the student, of another pack, has the same image.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn shares_image(conn: &mut AnyConnection, sample: &SampleSummary) -> Result<bool, DbError> {
    let others = face_samples::table
        .filter(face_samples::student_id.eq(sample.student_id))
        .filter(face_samples::object_key.eq(&sample.object_key))
        .filter(face_samples::id.ne(sample.id))
        .select(face_samples::id);
    Ok(others.first::<SampleId>(conn).optional()?.is_some())
}

/// A new portrait's sample.
///
/// # Errors
/// [`DbError::Duplicate`] when the pack has seen this image of the student, [`DbError::Reference`] for an unknown
/// student.
pub fn insert(conn: &mut AnyConnection, new: &NewSample) -> Result<SampleId, DbError> {
    let dims = i32::try_from(new.embedding.dims()).expect("an embedding has some hundred dimensions");
    Ok(diesel::insert_into(face_samples::table)
        .values((new, face_samples::dims.eq(dims)))
        .returning(face_samples::id)
        .get_result(conn)?)
}

/// A new sample that was learned from a face of a confirmed session. Belongs into a transaction that holds the session's lock.
///
/// # Errors
/// [`DbError::Duplicate`] when the student has one of this session, or of this image, already; [`DbError::Reference`] for an
/// unknown student, session or face.
pub fn insert_learned(
    conn: &mut AnyConnection,
    new: &NewSample,
    (session, face): (SessionId, FaceId),
) -> Result<SampleId, DbError> {
    let dims = i32::try_from(new.embedding.dims()).expect("an embedding has some hundred dimensions");
    let learned = (
        face_samples::origin.eq(Origin::Session),
        face_samples::session_id.eq(session),
        face_samples::face_id.eq(face),
    );
    Ok(diesel::insert_into(face_samples::table)
        .values((new, face_samples::dims.eq(dims), learned))
        .returning(face_samples::id)
        .get_result(conn)?)
}

/// Whose learned samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LearnedOf {
    Student(StudentId),
    Session(SessionId),
}

/// Removes what was learned of a student or from a session, by every pack; returns where the pictures are.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn delete_learned(conn: &mut AnyConnection, of: LearnedOf) -> Result<Vec<String>, DbError> {
    let learned = face_samples::table.filter(face_samples::origin.eq(Origin::Session)).into_boxed();
    let learned = match of {
        LearnedOf::Student(student) => learned.filter(face_samples::student_id.eq(student)),
        LearnedOf::Session(session) => learned.filter(face_samples::session_id.eq(session)),
    };
    let rows: Vec<(SampleId, String)> =
        learned.order(face_samples::id).select((face_samples::id, face_samples::object_key)).load(conn)?;
    let (ids, keys): (Vec<SampleId>, Vec<String>) = rows.into_iter().unzip();
    for ids in ids.chunks(IDS_PER_QUERY) {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        diesel::delete(face_samples::table.filter(face_samples::id.eq_any(ids))).execute(conn)?;
    }
    Ok(keys)
}

/// The samples of these students for one version of one pack, ordered by student and age.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn for_students(
    conn: &mut AnyConnection,
    pack_id: &str,
    pack_version: &str,
    students: &[StudentId],
) -> Result<Vec<SampleRow>, DbError> {
    let mut ids: Vec<i64> = students.iter().map(|student| student.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut rows = Vec::new();
    for ids in ids.chunks(IDS_PER_QUERY) {
        rows.extend(
            face_samples::table
                .filter(face_samples::student_id.eq_any(ids))
                .filter(face_samples::pack_id.eq(pack_id))
                .filter(face_samples::pack_version.eq(pack_version))
                .order((face_samples::student_id, face_samples::id))
                .select(SampleRow::as_select())
                .load(conn)?,
        );
    }
    Ok(rows)
}

/// The samples of these students for one version of one pack, without what is in them; ordered by student and age.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn marks(
    conn: &mut AnyConnection,
    (pack_id, pack_version): (&str, &str),
    students: &[StudentId],
) -> Result<Vec<SampleMark>, DbError> {
    let mut ids: Vec<i64> = students.iter().map(|student| student.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut rows = Vec::new();
    for ids in ids.chunks(IDS_PER_QUERY) {
        rows.extend(
            face_samples::table
                .filter(face_samples::student_id.eq_any(ids))
                .filter(face_samples::pack_id.eq(pack_id))
                .filter(face_samples::pack_version.eq(pack_version))
                .order((face_samples::student_id, face_samples::id))
                .select(SampleMark::as_select())
                .load(conn)?,
        );
    }
    Ok(rows)
}

/// How many portraits each of these students has of one version of one pack; who has none is not named.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn count_portraits(
    conn: &mut AnyConnection,
    pack: (&str, &str),
    students: &[StudentId],
) -> Result<HashMap<StudentId, u32>, DbError> {
    let mut counts = HashMap::new();
    for mark in marks(conn, pack, students)?.iter().filter(|mark| mark.origin == Origin::Portrait) {
        *counts.entry(mark.student_id).or_default() += 1;
    }
    Ok(counts)
}

/// The student's sample from this image by this version (id, version) of a pack, if there is one.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find_by_sha256(
    conn: &mut AnyConnection,
    student: StudentId,
    (pack_id, pack_version): (&str, &str),
    sha256: &str,
) -> Result<Option<SampleId>, DbError> {
    Ok(face_samples::table
        .filter(face_samples::student_id.eq(student))
        .filter(face_samples::pack_id.eq(pack_id))
        .filter(face_samples::pack_version.eq(pack_version))
        .filter(face_samples::sha256.eq(sha256))
        .select(face_samples::id)
        .first(conn)
        .optional()?)
}

/// Removes all samples of a student, of every pack; returns how many there were.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn delete_of_student(conn: &mut AnyConnection, student: StudentId) -> Result<usize, DbError> {
    Ok(diesel::delete(face_samples::table.filter(face_samples::student_id.eq(student))).execute(conn)?)
}

/// Removes a sample.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn delete(conn: &mut AnyConnection, sample: SampleId) -> Result<(), DbError> {
    diesel::delete(face_samples::table.find(sample)).execute(conn)?.or_not_found("the sample")
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::db::testing::{at, on_each_database, quality, sha256, student};

    fn new_sample(student_id: StudentId, image: u8) -> NewSample {
        NewSample {
            student_id,
            pack_id: "starter".into(),
            pack_version: "1".into(),
            sha256: sha256(image),
            object_key: format!("samples/{}/{}.jpg", student_id.0, sha256(image)),
            embedding: Embedding::new(vec![f32::from(image), -0.5, 1.0e-7]).unwrap(),
            quality: Json(Some(quality())),
            weight: 0.75,
            created_at: at("2025-07-01 08:00:00"),
        }
    }

    on_each_database! {
        fn objects_are_told_page_by_page_and_found_by_their_keys(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let asha = student(conn, "P1")?;
                let first = insert(conn, &new_sample(asha, 1))?;
                insert(conn, &NewSample { object_key: String::new(), ..new_sample(asha, 2) })?;
                insert(conn, &NewSample { pack_version: "2".into(), ..new_sample(asha, 1) })?;
                let third = insert(conn, &new_sample(asha, 3))?;
                let key = new_sample(asha, 1).object_key;
                let page = objects(conn, 0, 1)?;
                assert_eq!((page.len(), page[0].id, &page[0].object_key), (1, first.0, &key));
                let rest = objects(conn, first.0, 5)?;
                assert_eq!((rest.len(), rest[0].id), (1, third.0), "the second pack shares the first one's picture");
                assert_eq!(named(conn, &[key.clone(), "samples/9/x.jpg".into()])?, [key]);
                Ok(())
            }).unwrap();
        }

        fn origins_and_ids_tell_samples_apart_and_a_students_go_together(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (asha, ravi) = (student(conn, "P1")?, student(conn, "P2")?);
                let first = insert(conn, &new_sample(asha, 1))?;
                let without_picture = NewSample { object_key: String::new(), quality: Json(None), ..new_sample(asha, 2) };
                let second = insert(conn, &without_picture)?;
                insert(conn, &NewSample { pack_version: "2".into(), ..new_sample(asha, 1) })?;
                let other = insert(conn, &new_sample(ravi, 1))?;
                let NewSample { pack_id, pack_version, .. } = new_sample(asha, 1);
                let pack = (pack_id.as_str(), pack_version.as_str());
                let marks: Vec<_> = marks(conn, pack, &[ravi, asha])?.iter().map(|m| (m.student_id, m.id)).collect();
                assert_eq!(marks, [(asha, first), (asha, second), (ravi, other)]);
                assert_eq!(count_portraits(conn, pack, &[ravi, asha])?, HashMap::from([(asha, 2), (ravi, 1)]));
                let all = origins(conn)?;
                assert_eq!(all.iter().map(|o| o.is_of(pack)).collect::<Vec<_>>(), [true, true, false, true]);
                assert_eq!(all[1].object_key, "");
                assert_eq!(for_students(conn, pack.0, pack.1, &[asha])?[1].quality, Json(None));
                assert_eq!(delete_of_student(conn, asha)?, 3);
                assert_eq!(origins(conn)?.len(), 1);
                Ok(())
            }).unwrap();
        }

        fn a_sample_reads_back_to_the_last_bit(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let new = new_sample(student(conn, "P1")?, 1);
                let id = insert(conn, &new)?;
                let rows = for_students(conn, "starter", "1", &[new.student_id])?;
                assert_eq!(rows.len(), 1);
                assert_eq!((rows[0].id, &rows[0].embedding, &rows[0].quality), (id, &new.embedding, &new.quality));
                assert_eq!((rows[0].weight, &rows[0].object_key), (new.weight, &new.object_key));
                Ok(())
            }).unwrap();
        }

        fn samples_of_other_packs_and_students_stay_out(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (asha, ravi, mina) = (student(conn, "P1")?, student(conn, "P2")?, student(conn, "P3")?);
                let second = insert(conn, &new_sample(ravi, 1))?;
                let first = insert(conn, &new_sample(asha, 1))?;
                insert(conn, &new_sample(mina, 1))?;
                insert(conn, &NewSample { pack_version: "2".into(), ..new_sample(asha, 1) })?;
                let many: Vec<_> = [ravi, asha, asha].into_iter().chain((10_000..12_500).map(StudentId)).collect();
                let ids: Vec<_> = for_students(conn, "starter", "1", &many)?.iter().map(|row| row.id).collect();
                assert_eq!(ids, [first, second]);
                assert_eq!(for_students(conn, "starter", "1", &[])?, []);
                Ok(())
            }).unwrap();
        }

        fn the_same_image_again_is_a_duplicate_until_it_is_deleted(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let new = new_sample(student(conn, "P1")?, 1);
                let id = insert(conn, &new)?;
                assert!(matches!(insert(conn, &new), Err(DbError::Duplicate { .. })));
                let pack = ("starter", "1");
                assert_eq!(find_by_sha256(conn, new.student_id, pack, &new.sha256)?, Some(id));
                assert_eq!(find_by_sha256(conn, new.student_id, ("starter", "2"), &new.sha256)?, None);
                delete(conn, id)?;
                assert_eq!(find_by_sha256(conn, new.student_id, pack, &new.sha256)?, None);
                assert!(matches!(delete(conn, id), Err(DbError::NotFound { .. })));
                Ok(())
            }).unwrap();
        }

        fn summaries_are_of_every_pack_and_know_who_shares_an_image(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (asha, ravi) = (student(conn, "P1")?, student(conn, "P2")?);
                let first = insert(conn, &new_sample(asha, 1))?;
                insert(conn, &new_sample(asha, 2))?;
                let again = insert(conn, &NewSample { pack_version: "2".into(), ..new_sample(asha, 1) })?;
                insert(conn, &new_sample(ravi, 1))?;
                let all = of_student(conn, asha)?;
                assert_eq!(all.iter().map(|s| s.id).collect::<Vec<_>>().len(), 3);
                assert_eq!((&all[0], all[0].id), (&summary(conn, first)?, first));
                let shared: Vec<bool> = all.iter().map(|s| shares_image(conn, s)).collect::<Result<_, _>>()?;
                assert_eq!(shared, [true, false, true]);
                delete(conn, again)?;
                assert!(!shares_image(conn, &all[0])?);
                assert!(matches!(summary(conn, again), Err(DbError::NotFound { what: "the sample" })));
                Ok(())
            }).unwrap();
        }

        fn a_student_takes_the_samples_along_and_the_id_is_not_used_again(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let first = student(conn, "P1")?;
                insert(conn, &new_sample(first, 1))?;
                conn.batch_execute("DELETE FROM students")?;
                assert_eq!(for_students(conn, "starter", "1", &[first])?, []);
                assert!(student(conn, "P2")? > first, "object keys are made of ids");
                Ok(())
            }).unwrap();
        }

        fn a_weight_must_be_above_zero(db) {
            let refused = db.run_blocking(|conn| {
                let new = NewSample { weight: 0.0, ..new_sample(student(conn, "P1")?, 1) };
                insert(conn, &new)
            });
            assert!(matches!(refused, Err(DbError::Rule(_))), "{refused:?}");
        }
    }
}
