//! A school moves to another pack: every stored portrait is embedded again.
//!
//! Samples of the old pack stay, so that going back costs nothing; embeddings of different packs never meet. What was
//! done is known by its sample, so a second run goes on where the first one stopped.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;

use super::one::{insert, require_consent};
use super::{EnrolReport, PortraitFace, PortraitReport, Touched, in_flight, refused, report_of, the_one_face};
use crate::app::error::{Code, Error};
use crate::app::{Recogniser, School, blocking};
use crate::db::samples::{self, NewSample, SampleOrigin};
use crate::db::{AnyConnection, Json, students};
use crate::domain::ids::{MemberId, StudentId};
use crate::storage::{Digest, Key};

/// Embeds all stored portraits that the recogniser's pack has not seen yet; `progress` is told (done, all). Portraits that
/// were refused are tried again every time; samples that never had a picture are named in the warnings.
///
/// # Errors
/// What stops the whole run: a database that cannot be read.
pub async fn re_embed(
    school: &School,
    recogniser: &Recogniser,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<EnrolReport, Error> {
    let roster = super::roster(school, None, None).await?;
    let key = recogniser.key().clone();
    let by = key.clone();
    let work = school.read(move |conn| {
        let known = samples::origins(conn)?;
        let pack = (by.id.as_str(), by.version.as_str());
        Ok((to_do(conn, &known, pack)?, without_picture(conn, &known, pack)?))
    });
    let (mut pictures, warnings) = work.await?;
    let mut touched = Touched::default();
    let mut members: BTreeMap<StudentId, MemberId> = BTreeMap::new();
    for entry in roster.entries.iter().filter(|e| pictures.iter().any(|p| p.student == e.student)) {
        touched.add(entry);
        members.entry(entry.student).or_insert(entry.member);
    }
    for picture in &mut pictures {
        picture.member = members.get(&picture.student).copied();
    }
    let reports = in_flight(pictures, progress, |picture| {
        let (school, recogniser) = (school.clone(), recogniser.clone());
        async move {
            let (path, prn) = (picture.object_key.clone(), picture.prn.clone());
            let done = embed(&school, &recogniser, picture).await;
            done.unwrap_or_else(|e| refused(path, None, &e.of(format_args!("PRN {prn}"))))
        }
    });
    let reports = reports.await?;
    let matching = recogniser.matching(school);
    report_of(school, (matching, &recogniser.provider()), (&roster, &touched), (reports, warnings)).await
}

/// A stored portrait.
struct Picture {
    student: StudentId,
    prn: String,
    /// In a class of today.
    member: Option<MemberId>,
    sha256: String,
    object_key: String,
}

/// Every picture that the pack has no sample of.
fn to_do(conn: &mut AnyConnection, known: &[SampleOrigin], pack: (&str, &str)) -> Result<Vec<Picture>, Error> {
    let done: BTreeSet<(StudentId, &str)> =
        known.iter().filter(|o| o.is_of(pack)).map(|o| (o.student_id, o.sha256.as_str())).collect();
    let mut seen = BTreeSet::new();
    let mut pictures = Vec::new();
    for origin in known.iter().filter(|o| !o.object_key.is_empty()) {
        let picture = (origin.student_id, origin.sha256.as_str());
        if !done.contains(&picture) && seen.insert(picture) {
            pictures.push(Picture {
                student: origin.student_id,
                prn: students::get(conn, origin.student_id)?.prn,
                member: None,
                sha256: origin.sha256.clone(),
                object_key: origin.object_key.clone(),
            });
        }
    }
    Ok(pictures)
}

/// A warning for each student with vectors of other packs that came without a picture.
fn without_picture(conn: &mut AnyConnection, known: &[SampleOrigin], pack: (&str, &str)) -> Result<Vec<String>, Error> {
    let mut counts: BTreeMap<(StudentId, &str), usize> = BTreeMap::new();
    for origin in known.iter().filter(|o| o.object_key.is_empty() && !o.is_of(pack)) {
        *counts.entry((origin.student_id, &origin.pack_id)).or_default() += 1;
    }
    let mut warnings = Vec::new();
    for ((student, pack_id), n) in counts {
        let prn = students::get(conn, student)?.prn;
        warnings.push(format!("PRN {prn}: {n} of pack {pack_id} came as .npy, without a picture to embed again"));
    }
    Ok(warnings)
}

async fn embed(school: &School, recogniser: &Recogniser, picture: Picture) -> Result<PortraitReport, Error> {
    let student = picture.student;
    school.read(move |conn| require_consent(conn, student, false)).await?;
    let damaged = |what: &str| Error::new(Code::StorageError, format!("the stored picture {what}; enrol it again"));
    let key: Key = picture.object_key.parse().map_err(|_| damaged("has no place in the store"))?;
    let bytes = school.store.get(&key).await?;
    if Digest::of(&bytes).to_string() != picture.sha256 {
        return Err(damaged("is not what was stored"));
    }
    let nets = recogniser.clone();
    let seen = blocking(move || nets.analyse_portrait(&bytes)).await?;
    let PortraitFace { embedding, quality, warnings } = the_one_face(seen, recogniser.enrol_lines())?;
    let new = NewSample {
        student_id: student,
        pack_id: recogniser.key().id.clone(),
        pack_version: recogniser.key().version.clone(),
        sha256: picture.sha256,
        object_key: picture.object_key.clone(),
        weight: f64::from(quality.weight()),
        quality: Json(Some(quality)),
        embedding,
        created_at: Utc::now().naive_utc(),
    };
    let kept = insert(school, new).await?;
    Ok(PortraitReport {
        path: picture.object_key,
        roll_no: None,
        member: picture.member,
        sample: kept.sample(),
        status: kept.status(),
        error: None,
        quality: Some(quality),
        warnings,
    })
}
