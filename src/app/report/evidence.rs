//! The evidence of a session: which face speaks for each member, cut out of its photo.
//!
//! A photo is fetched and decoded once, one at a time, whatever it has to show. What cannot be shown (the photo's time is over,
//! the storage is away, the file is broken) is said in its place; it never stops the sheet.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::app::error::{Code, Error};
use crate::app::{School, crop};
use crate::db::faces::FaceRow;
use crate::db::members::EnrolledRow;
use crate::db::photos::PhotoRow;
use crate::db::{AnyConnection, DbError, faces, members, photos, sessions};
use crate::domain::geometry::BoundingBox;
use crate::domain::ids::{FaceId, MemberId, PhotoId, SessionId};
use crate::domain::sheet::{
    Evidence, EvidenceRow, FacePicture, FaceShown, RunnerUp, SessionRow, SessionSheet, Shown, StrangerFace,
    reason_in_words,
};
use crate::domain::status::{Consent, RecordSource, Verdict};

/// Whose faces a session's workbook shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceWish {
    /// Nobody's: there is no such page.
    LeftOut,
    #[default]
    Members,
    /// Also those of people who are nobody of the class.
    MembersAndStrangers,
}

/// What is known of a session's faces, before anything is cut out.
#[derive(Debug)]
pub(super) struct Findings {
    photos: HashMap<PhotoId, PhotoRow>,
    /// By photo and place in it.
    faces: Vec<FaceRow>,
    /// Everybody who is or was in the class.
    class: HashMap<MemberId, EnrolledRow>,
}

/// # Errors
/// [`DbError::NotFound`] for an unknown session.
pub(super) fn read(conn: &mut AnyConnection, session: SessionId) -> Result<Findings, DbError> {
    let class = sessions::get(conn, session)?.class_id;
    let photos = photos::list(conn, session)?.into_iter().map(|photo| (photo.id, photo)).collect();
    let faces = faces::list_for_session(conn, session)?;
    let class = members::all(conn, class)?.into_iter().map(|row| (row.member.id, row)).collect();
    Ok(Findings { photos, faces, class })
}

impl Findings {
    /// Cuts out what is to be shown for the rows of `sheet`.
    pub(super) async fn show(&self, school: &School, sheet: &SessionSheet, wish: EvidenceWish) -> Evidence {
        let strangers = (wish == EvidenceWish::MembersAndStrangers).then(|| self.strangers());
        let speaking: Vec<Option<&FaceRow>> = sheet.rows.iter().map(|row| self.face_of(row)).collect();
        let of_members = speaking.iter().flatten().copied();
        let of_strangers = strangers.iter().flatten().map(|(face, _)| *face);
        let mut pictures = self.pictures(school, of_members.chain(of_strangers)).await;
        let rows = sheet.rows.iter().zip(speaking).map(|(row, face)| self.evidence(row, face, &mut pictures)).collect();
        let strangers = strangers.map(|people| {
            let shown = |(number, (face, photos)): (u32, (&FaceRow, u32))| StrangerFace {
                number,
                picture: taken(&mut pictures, face.id),
                photo: self.photo_name(face),
                photos,
            };
            (1..).zip(people).map(shown).collect()
        });
        Evidence { rows, strangers }
    }

    fn consents(&self, member: MemberId) -> bool {
        self.class.get(&member).is_some_and(|row| row.student.consent == Consent::Given)
    }

    /// The face that speaks for a record: the nearest match, otherwise the nearest doubt. None without consent.
    fn face_of(&self, row: &SessionRow) -> Option<&FaceRow> {
        let own = self.faces.iter().filter(|face| face.member_id == Some(row.member) && self.consents(row.member));
        own.filter(|face| face.verdict.is_some()).min_by(|a, b| {
            let rank = |face: &FaceRow| u8::from(face.verdict != Some(Verdict::Match));
            let distance = |face: &FaceRow| face.combined.unwrap_or(f64::INFINITY);
            rank(a).cmp(&rank(b)).then(distance(a).total_cmp(&distance(b)))
        })
    }

    /// `face` is the one that speaks for the record.
    fn evidence(
        &self,
        row: &SessionRow,
        face: Option<&FaceRow>,
        pictures: &mut HashMap<FaceId, FacePicture>,
    ) -> EvidenceRow {
        let shown = match face {
            _ if !self.consents(row.member) => Shown::NoConsent,
            Some(face) => Shown::Face(Box::new(self.shown(face, taken(pictures, face.id)))),
            None => Shown::NotFound,
        };
        let (roll_no, name) = (row.roll_no.clone(), row.name.clone());
        EvidenceRow { roll_no, name, status: row.status, reason: reason(row, face, &shown), shown }
    }

    fn shown(&self, face: &FaceRow, picture: FacePicture) -> FaceShown {
        let runner_up = face.runner_up_member_id.zip(face.runner_up_combined).and_then(|(member, combined)| {
            Some(RunnerUp { roll_no: self.class.get(&member)?.member.roll_no.clone(), combined })
        });
        FaceShown {
            verdict: face.verdict.unwrap_or(Verdict::Doubt),
            picture,
            combined: face.combined,
            cosine: face.cosine,
            confidence: face.confidence,
            runner_up,
            photo: self.photo_name(face),
        }
    }

    fn photo_name(&self, face: &FaceRow) -> String {
        self.photos.get(&face.photo_id).map(|photo| photo.original_name.clone()).unwrap_or_default()
    }

    /// The largest face of each person who is nobody of the class, with the number of photos that show them.
    fn strangers(&self) -> Vec<(&FaceRow, u32)> {
        let mut people: BTreeMap<(i64, i64), Vec<&FaceRow>> = BTreeMap::new();
        for face in self.faces.iter().filter(|face| face.verdict == Some(Verdict::Stranger)) {
            // One that was never grouped is a person of its own.
            let person = face.person.map_or((i64::MAX, face.id.0), |person| (person.into(), 0));
            people.entry(person).or_default().push(face);
        }
        people.into_values().filter_map(largest).collect()
    }

    /// Each photo is decoded once for all its faces, and none is held while the next is fetched.
    async fn pictures(&self, school: &School, wanted: impl Iterator<Item = &FaceRow>) -> HashMap<FaceId, FacePicture> {
        let mut of_photo: BTreeMap<PhotoId, Vec<(FaceId, BoundingBox)>> = BTreeMap::new();
        for face in wanted {
            of_photo.entry(face.photo_id).or_default().push((face.id, face.bounds()));
        }
        let mut pictures = HashMap::new();
        for (photo, faces) in of_photo {
            let (ids, places): (Vec<FaceId>, Vec<BoundingBox>) = faces.into_iter().unzip();
            let cut = match self.photos.get(&photo) {
                Some(photo) => crop::cut_all(school, photo, places, crop::THUMBNAIL).await,
                None => Err(Error::new(Code::PhotoNotFound, format!("{photo} is gone"))),
            };
            match cut {
                Ok(cut) => pictures.extend(ids.into_iter().zip(cut.into_iter().map(FacePicture::Jpeg))),
                Err(error) => {
                    tracing::warn!(code = error.code.as_str(), photo = photo.0, "evidence without this photo: {error}");
                    let missing = missing(&error);
                    pictures.extend(ids.into_iter().map(|id| (id, missing.clone())));
                }
            }
        }
        pictures
    }
}

/// The largest of a person's faces, with the number of photos they are in.
fn largest(faces: Vec<&FaceRow>) -> Option<(&FaceRow, u32)> {
    let photos: HashSet<PhotoId> = faces.iter().map(|face| face.photo_id).collect();
    let best = faces.into_iter().max_by(|a, b| (a.w * a.h).total_cmp(&(b.w * b.h)))?;
    Some((best, photos.len() as u32))
}

fn taken(pictures: &mut HashMap<FaceId, FacePicture>, face: FaceId) -> FacePicture {
    pictures.remove(&face).unwrap_or(FacePicture::Gone)
}

fn missing(error: &Error) -> FacePicture {
    match error.code {
        Code::PhotoNotFound => FacePicture::Gone,
        _ => FacePicture::Unreadable,
    }
}

/// Why the record is as it is, as far as faces say; then who has said otherwise.
fn reason(row: &SessionRow, face: Option<&FaceRow>, shown: &Shown) -> String {
    let said = match (shown, face) {
        (Shown::NoConsent, _) => "no consent on record: no face is compared or shown".to_owned(),
        (_, Some(face)) => face.reason.as_deref().map(reason_in_words).unwrap_or_default().to_owned(),
        (_, None) => match (&row.note, row.source) {
            (Some(note), RecordSource::Auto) => note.clone(),
            _ => "in no photo".to_owned(),
        },
    };
    match row.source {
        RecordSource::Auto => said,
        RecordSource::Manual => format!("{said}; status set by hand"),
        RecordSource::Import => format!("{said}; status imported"),
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::app::report::session_sheet;
    use crate::app::testing::{Class, Look, wait};
    use crate::db::students::{self, StudentChange};
    use crate::db::testing::on_each_database;
    use crate::domain::status::AttendanceStatus;
    use crate::storage::Key;
    use crate::vision::annotate::encode_jpeg;

    /// The first member clearly, the second perhaps, and two faces of one person nobody knows.
    const LOOKS: &[Look] = &[(&[(0, 0.8)], 1), (&[(1, 0.5)], 2), (&[], 3)];

    /// Gives a photo its bytes: a light square where the second face is.
    fn store(class: &Class, photo: PhotoId) -> Key {
        let mut picture = RgbImage::from_pixel(400, 200, Rgb([0, 0, 0]));
        image::imageops::replace(&mut picture, &RgbImage::from_pixel(40, 40, Rgb([250, 250, 250])), 100, 50);
        let key: Key = class.run(|conn| photos::get(conn, photo)).object_key.parse().unwrap();
        wait(class.school.store.put(&key, &encode_jpeg(&picture, 95).unwrap())).unwrap();
        key
    }

    fn evidence(class: &Class, wish: EvidenceWish) -> Evidence {
        let (id, config) = (class.session, class.school.config.clone());
        let read = class.school.read(move |conn| Ok((session_sheet(conn, id, &config)?, read(conn, id)?)));
        let (sheet, findings) = wait(read).unwrap();
        wait(findings.show(&class.school, &sheet, wish))
    }

    fn face(row: &EvidenceRow) -> &FaceShown {
        match &row.shown {
            Shown::Face(face) => face,
            other => panic!("{} has no face: {other:?}", row.roll_no),
        }
    }

    on_each_database! {
        fn each_member_has_the_face_that_speaks_for_them(db) {
            let class = Class::new(db);
            let (photo, _) = class.photo(1, LOOKS);
            store(&class, photo);
            let shown = evidence(&class, EvidenceWish::Members);
            let words: Vec<&str> = shown.rows.iter().map(|row| row.shown.word()).collect();
            assert_eq!(words, ["found", "DOUBT", "not found", "not found", "no consent"]);
            let (found, doubt) = (face(&shown.rows[0]), face(&shown.rows[1]));
            assert!(found.cosine.is_some_and(|cosine| (cosine - 0.8).abs() < 1e-3), "{found:?}");
            assert!(found.combined < doubt.combined && found.runner_up.is_some(), "{found:?} {doubt:?}");
            assert_eq!(found.photo, class.run(|conn| photos::get(conn, photo)).original_name);
            let FacePicture::Jpeg(jpeg) = &doubt.picture else { panic!("{:?}", doubt.picture) };
            let cut = image::load_from_memory(jpeg).unwrap().into_rgb8();
            assert_eq!(cut.dimensions(), (72, 72));
            assert!(cut.get_pixel(36, 36).0[0] > 200, "the second face was cut out");
            assert_eq!(shown.rows[0].reason, "clearly this student");
            assert_eq!(shown.rows[1].reason, "like this student, but not enough to be sure");
            assert_eq!(shown.rows[3].reason, "no usable enrolment photo");
            assert_eq!(shown.strangers, None);
        }

        fn whoever_withdraws_consent_is_shown_no_more(db) {
            let class = Class::new(db);
            let (photo, _) = class.photo(1, LOOKS);
            store(&class, photo);
            class.run(|conn| {
                let student = members::get(conn, class.members[0])?.student_id;
                let now = crate::app::testing::noon();
                let withdrawn = StudentChange { consent: Some(Consent::Withdrawn), ..StudentChange::at(now) };
                students::update(conn, student, &withdrawn)
            });
            let shown = evidence(&class, EvidenceWish::Members);
            assert_eq!((shown.rows[0].status, shown.rows[0].shown.word()), (AttendanceStatus::Present, "no consent"));
            assert!(shown.rows[0].reason.starts_with("no consent on record"), "{}", shown.rows[0].reason);
        }

        fn strangers_are_shown_once_each_and_only_on_request(db) {
            let class = Class::new(db);
            for image in [1, 2] {
                let (photo, _) = class.photo(image, LOOKS);
                store(&class, photo);
            }
            let strangers = evidence(&class, EvidenceWish::MembersAndStrangers).strangers.unwrap();
            assert_eq!(strangers.len(), 1, "{strangers:?}");
            assert_eq!((strangers[0].number, strangers[0].photos), (1, 2));
            assert!(matches!(strangers[0].picture, FacePicture::Jpeg(_)));
        }

        fn a_photo_that_is_gone_or_broken_is_said_in_its_place(db) {
            let class = Class::new(db);
            let (photo, _) = class.photo(1, LOOKS);
            let picture = |class: &Class| face(&evidence(class, EvidenceWish::Members).rows[0]).picture.clone();
            assert_eq!(picture(&class), FacePicture::Gone);
            let key = store(&class, photo);
            wait(class.school.store.put(&key, b"no photo at all")).unwrap();
            assert_eq!(picture(&class), FacePicture::Unreadable);
        }

        fn a_status_set_by_hand_says_so_beside_the_face(db) {
            let class = Class::new(db);
            let (photo, _) = class.photo(1, LOOKS);
            store(&class, photo);
            class.correct(class.members[0], AttendanceStatus::Late);
            let shown = evidence(&class, EvidenceWish::Members);
            assert_eq!(shown.rows[0].shown.word(), "found");
            assert_eq!(shown.rows[0].reason, "clearly this student; status set by hand");
        }
    }
}
