//! Calibration on a school's own confirmed records: the faces that teachers have signed for, against the templates of the
//! whole school.
//!
//! Accept and doubt line follow from comparisons of different people, which confirmed faces give without bias. Comparisons of
//! one person are another matter: a face that was missed, or too near to the runner-up, is only among them when somebody named
//! it by hand. So likelihood ratio and margin stay as the pack has them, and the shares that are told of genuine comparisons are
//! the best case.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::calibrate::{Calibrated, Source, cosines};
use super::report::Measurement;
use crate::app::error::{Code, Error};
use crate::app::recogniser::Recogniser;
use crate::app::{School, session};
use crate::db::confirmed_faces::{self, ConfirmedFace};
use crate::db::{AnyConnection, classes, samples};
use crate::domain::calibration::fit::{Plan, calibrate_lines};
use crate::domain::calibration::open_set::Classes;
use crate::domain::calibration::sizes::Sizes;
use crate::domain::calibration::trials::{Image, Person, Probe, Templates};
use crate::domain::ids::{ClassId, SessionId, StudentId};
use crate::domain::interval::{BOOTSTRAP, Share};
use crate::domain::score::{Lines, ScaledEmbedding, Scoring};
use crate::domain::status::Origin;
use crate::domain::template::{Sample, template};

/// What is needed before anything is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Students with samples and with confirmed faces.
    pub students: usize,
    pub sessions: usize,
    /// Days with a confirmed session.
    pub days: usize,
    /// Confirmed faces, at most [`FACES_PER_STUDENT`] of each student.
    pub faces: usize,
}

/// Fewer would say more about some lessons than about the school. Thirty students give 435 pairs of people, enough for some to
/// look alike; 600 faces against 29 others are 17,400 comparisons, of which 17 are as near as the doubt line: the fewest that a
/// tail can be fitted to; ten sessions on five days are more than one seating order, one light and one phone.
pub const LEAST: Evidence = Evidence { students: 30, sessions: 10, days: 5, faces: 600 };
/// The newest of each student, so that those who sit in front do not decide alone.
pub const FACES_PER_STUDENT: usize = 40;
const STEPS: usize = 4;
const CLASSES: usize = 200;
/// Draws of everybody's samples.
const DRAWS: usize = 4;
/// Seed of intervals: which people are drawn again says nothing about the calibration.
const INTERVAL_SEED: u64 = 1;

/// Lines from confirmed records.
#[derive(Debug, Serialize)]
pub struct CalibratedOnRecords {
    pub evidence: Evidence,
    #[serde(flatten)]
    pub calibrated: Calibrated,
    /// The lines that were set until now.
    pub lines_before: Lines,
    pub by_class: Vec<ClassFigures>,
}

/// One class under the new lines: its confirmed faces against the templates of its own students.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassFigures {
    pub class: String,
    pub students: usize,
    pub sessions: usize,
    /// Confirmed faces at or below the accept line, and the doubt line.
    pub accepted: Share,
    pub within_doubt: Share,
    /// Comparisons with other students of the class, and those of them at or below the lines.
    pub impostors: usize,
    pub impostors_accepted: usize,
    pub impostors_doubted: usize,
}

/// What the database holds of it.
struct Read {
    faces: Vec<(ConfirmedFace, ScaledEmbedding, Probe)>,
    samples: BTreeMap<StudentId, Vec<Sample>>,
    class_names: BTreeMap<ClassId, String>,
}

/// Sets the lines; blocks while it computes. `date` is written beside them.
///
/// # Errors
/// `INSUFFICIENT_EVIDENCE` when less than [`LEAST`] was confirmed; what the database reports.
pub async fn calibrate_on_records(
    school: &School,
    recogniser: &Recogniser,
    (date, seed): (NaiveDate, u64),
) -> Result<CalibratedOnRecords, Error> {
    let (key, scoring) = (recogniser.key().clone(), *recogniser.scoring());
    let read = school.read(move |conn| read(conn, (&key.id, &key.version), &scoring)).await?;
    let (zone, recogniser) = (school.config.time_zone, recogniser.clone());
    crate::app::blocking(move || {
        let days: BTreeSet<NaiveDate> = read.faces.iter().map(|(f, ..)| session::day_of(f.starts_at, zone)).collect();
        judge(&read, days.len(), &recogniser, (date, seed))
    })
    .await
}

fn read(conn: &mut AnyConnection, pack: (&str, &str), scoring: &Scoring) -> Result<Read, Error> {
    let confirmed = confirmed_faces::newest_first(conn, pack)?;
    let mut kept: Vec<ConfirmedFace> = Vec::new();
    let mut of_student: BTreeMap<StudentId, usize> = BTreeMap::new();
    for face in confirmed {
        let count = of_student.entry(face.student).or_default();
        *count += 1;
        if *count <= FACES_PER_STUDENT {
            kept.push(face);
        }
    }
    let students: Vec<StudentId> = of_student.into_keys().collect();
    let mut samples: BTreeMap<StudentId, Vec<Sample>> = BTreeMap::new();
    let stored = samples::for_students(conn, pack.0, pack.1, &students)?;
    // What was learned from a lesson is one of the very faces that are to be compared.
    for row in stored.into_iter().filter(|row| row.origin == Origin::Portrait) {
        samples.entry(row.student_id).or_default().push(row.into_sample());
    }
    let ids: Vec<_> = kept.iter().map(|face| face.face).collect();
    let mut vectors: BTreeMap<_, _> = confirmed_faces::embeddings(conn, &ids)?.into_iter().collect();
    let with_vector = |face: ConfirmedFace| {
        let embedding = vectors.remove(&face.face)?;
        let scaled = scoring.scaled(&embedding);
        let probe = Probe { side_px: face.quality.0.side_px, embedding };
        Some((face, scaled, probe))
    };
    let faces: Vec<_> = kept.into_iter().filter(|f| samples.contains_key(&f.student)).filter_map(with_vector).collect();
    let name = |row: classes::ClassRow| (row.id, format!("{}-{}", row.name, row.section));
    Ok(Read { faces, samples, class_names: classes::list(conn, None)?.into_iter().map(name).collect() })
}

fn judge(
    read: &Read,
    days: usize,
    recogniser: &Recogniser,
    (date, seed): (NaiveDate, u64),
) -> Result<CalibratedOnRecords, Error> {
    let scoring = recogniser.scoring();
    let people = people(read);
    let sessions: BTreeSet<SessionId> = read.faces.iter().map(|(face, ..)| face.session).collect();
    let evidence = Evidence { students: people.len(), sessions: sessions.len(), days, faces: read.faces.len() };
    evidence.require(LEAST)?;
    let plan = plan(read, &people, seed);
    let calibration = calibrate_lines(&people, &plan, scoring)
        .map_err(|e| Error::new(Code::InsufficientEvidence, format!("the confirmed records: {e}")))?;
    let known = &recogniser.manifest().scoring;
    let (likelihood_ratio, margin) = (known.llr.provenance.clone(), known.provenance.margin.clone());
    let first = read.faces.iter().map(|(face, ..)| face.starts_at).min();
    let last = read.faces.iter().map(|(face, ..)| face.starts_at).max();
    let span = first.zip(last).map(|(a, b)| format!(", {} to {}", a.date(), b.date())).unwrap_or_default();
    let data = format!("this school's confirmed records: {} sessions{span}", evidence.sessions);
    let by_class = by_class(read, &calibration.lines, scoring);
    Ok(CalibratedOnRecords {
        evidence,
        lines_before: scoring.lines,
        by_class,
        calibrated: Calibrated {
            source: Source::Records { likelihood_ratio, margin },
            data,
            date,
            plan,
            cosines: cosines(&calibration.lines, scoring, recogniser.dims()),
            listed: calibration.images,
            calibration,
            noted: Vec::new(),
            refused: Vec::new(),
            unseen: Vec::new(),
        },
    })
}

/// Students as the calibration sees them: samples to be enrolled from, and faces that are only compared.
fn people(read: &Read) -> Vec<Person> {
    let mut people: BTreeMap<StudentId, Person> = BTreeMap::new();
    for (face, _, probe) in &read.faces {
        let person = people.entry(face.student).or_insert_with(|| {
            let samples = read.samples[&face.student].iter();
            let image = |s: &Sample| Image { name: s.id.to_string(), sample: Some(s.clone()), probes: Vec::new() };
            Person { name: face.student.to_string(), images: samples.map(image).collect() }
        });
        let name = format!("{} of {}", face.face, face.session);
        person.images.push(Image { name, sample: None, probes: vec![probe.clone()] });
    }
    people.into_values().collect()
}

fn plan(read: &Read, people: &[Person], seed: u64) -> Plan {
    let sides = || read.faces.iter().map(|(.., probe)| probe.side_px);
    let smallest_px = sides().fold(f32::INFINITY, f32::min).max(1.0);
    let largest_px = sides().fold(smallest_px, f32::max);
    let samples = |person: &Person| person.images.iter().filter(|image| image.sample.is_some()).count();
    let most = people.iter().map(samples).max().unwrap_or(1);
    let mean_class = read.faces.iter().map(|(face, ..)| (face.class, face.student)).collect::<BTreeSet<_>>().len()
        / read.faces.iter().map(|(face, ..)| face.class).collect::<BTreeSet<_>>().len().max(1);
    Plan {
        sizes: Sizes { smallest_px, largest_px, steps: STEPS },
        templates: Templates { max_samples: most.min(4), draws: DRAWS, seed },
        classes: Classes { size: mean_class.max(2), count: CLASSES, seed },
    }
}

impl Evidence {
    fn require(self, least: Self) -> Result<(), Error> {
        let parts = [
            ("students with samples and confirmed faces", self.students, least.students),
            ("confirmed sessions", self.sessions, least.sessions),
            ("days with a confirmed session", self.days, least.days),
            ("confirmed faces", self.faces, least.faces),
        ];
        let missing: Vec<String> = parts
            .iter()
            .filter(|(_, there, needed)| there < needed)
            .map(|(what, there, needed)| format!("{what}: {there} of {needed}"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let what =
            format!("too little is confirmed to set lines by it ({}); confirm more sessions", missing.join(", "));
        Err(Error::new(Code::InsufficientEvidence, what))
    }
}

/// The faces of one class, and whose they are.
#[derive(Default)]
struct OfClass<'a> {
    faces: Vec<(StudentId, &'a ScaledEmbedding)>,
    sessions: BTreeSet<SessionId>,
}

fn by_class(read: &Read, lines: &Lines, scoring: &Scoring) -> Vec<ClassFigures> {
    let mut classes: BTreeMap<ClassId, OfClass<'_>> = BTreeMap::new();
    for (face, vector, _) in &read.faces {
        let class = classes.entry(face.class).or_default();
        class.faces.push((face.student, vector));
        class.sessions.insert(face.session);
    }
    let of_student = |(student, samples): (&StudentId, &Vec<Sample>)| {
        Some((*student, scoring.scaled(&template(samples, scoring).ok()?.vector)))
    };
    let templates: BTreeMap<StudentId, ScaledEmbedding> = read.samples.iter().filter_map(of_student).collect();
    let figures = |(id, class): (ClassId, OfClass<'_>)| {
        let name = read.class_names.get(&id).cloned().unwrap_or_else(|| id.to_string());
        class.figures(name, &templates, (lines, scoring))
    };
    classes.into_iter().map(figures).collect()
}

impl OfClass<'_> {
    fn figures(
        &self,
        class: String,
        templates: &BTreeMap<StudentId, ScaledEmbedding>,
        (lines, scoring): (&Lines, &Scoring),
    ) -> ClassFigures {
        let students: BTreeSet<StudentId> = self.faces.iter().map(|(student, _)| *student).collect();
        let mut own: BTreeMap<StudentId, Vec<f32>> = BTreeMap::new();
        let mut others: Vec<f32> = Vec::new();
        for (student, vector) in &self.faces {
            for other in &students {
                let Some(template) = templates.get(other) else { continue };
                let combined = scoring.between(vector, template).combined;
                if other == student { own.entry(*student).or_default().push(combined) } else { others.push(combined) }
            }
        }
        let share = |line: f32| {
            let count = |own: &Vec<f32>| (own.iter().filter(|combined| **combined <= line).count(), own.len());
            Share::over_people(&own.values().map(count).collect::<Vec<_>>(), INTERVAL_SEED)
        };
        let within = |line: f32| others.iter().filter(|combined| **combined <= line).count();
        ClassFigures {
            class,
            students: students.len(),
            sessions: self.sessions.len(),
            accepted: share(lines.accept),
            within_doubt: share(lines.doubt),
            impostors: others.len(),
            impostors_accepted: within(lines.accept),
            impostors_doubted: within(lines.doubt),
        }
    }
}

impl Measurement for CalibratedOnRecords {
    const NAME: &'static str = "calibrate-on-records";
    const INTERVALS: Option<&'static str> = Some(BOOTSTRAP);

    fn counts(&self) -> Vec<(&'static str, usize)> {
        let Evidence { students, sessions, days, faces } = self.evidence;
        let found = &self.calibrated.calibration;
        vec![
            ("students", students),
            ("sessions", sessions),
            ("days", days),
            ("faces", faces),
            ("genuine_comparisons", found.genuine),
            ("impostor_comparisons", found.impostors),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::recogniser::testing::settings;
    use crate::db::Json;
    use crate::domain::calibration::draw::Draw;
    use crate::domain::embedding::Embedding;
    use crate::domain::ids::{FaceId, SampleId};
    use crate::domain::quality::FaceQuality;
    use crate::domain::score::tests::STARTER;

    const QUALITY: FaceQuality =
        FaceQuality { side_px: 40.0, sharpness: 100.0, brightness: 120.0, contrast: 40.0, yaw_deg: 0.0, roll_deg: 0.0 };

    /// Somebody's look with as much chance as look, so that people resemble each other now and then.
    fn look(student: i64, draw: &mut Draw) -> Embedding {
        let mut of_student = Draw::new(u64::try_from(student).unwrap());
        let value = |_| (of_student.unit() + draw.unit() - 1.0) as f32;
        Embedding::new((0..512).map(value).collect()).unwrap()
    }

    /// Two classes of 20, two lessons a day, every student confirmed in all lessons of the class.
    fn school(lessons: i64) -> Read {
        let mut draw = Draw::new(7);
        let mut read = Read { faces: Vec::new(), samples: BTreeMap::new(), class_names: BTreeMap::new() };
        for student in 0..40_i64 {
            let sample = |i: i64, draw: &mut Draw| Sample {
                id: SampleId(2 * student + i),
                embedding: look(student, draw),
                weight: 1.0,
                origin: Origin::Portrait,
            };
            read.samples.insert(StudentId(student), vec![sample(0, &mut draw), sample(1, &mut draw)]);
            for lesson in 0..lessons {
                let face = ConfirmedFace {
                    face: FaceId(100 * student + lesson),
                    student: StudentId(student),
                    class: ClassId(student % 2),
                    session: SessionId(2 * lesson + student % 2),
                    starts_at: "2026-11-02T09:00:00".parse::<chrono::NaiveDateTime>().unwrap()
                        + chrono::TimeDelta::hours(12 * lesson),
                    quality: Json(QUALITY),
                };
                let embedding = look(student, &mut draw);
                read.faces.push((face, STARTER.scaled(&embedding), Probe { side_px: 40.0, embedding }));
            }
        }
        read.class_names.extend([(ClassId(0), "CSE-A".to_owned()), (ClassId(1), "CSE-B".to_owned())]);
        read
    }

    fn on(read: &Read, days: usize) -> Result<CalibratedOnRecords, Error> {
        judge(read, days, &Recogniser::fake(&settings()), ("2026-11-21".parse().unwrap(), 1))
    }

    #[test]
    fn lines_rest_on_different_students_and_every_class_is_told() {
        let found = on(&school(16), 8).unwrap();
        assert_eq!(found.evidence, Evidence { students: 40, sessions: 32, days: 8, faces: 640 });
        let calibration = &found.calibrated.calibration;
        // Each face meets the templates of 39 others, of one sample and of two.
        assert_eq!((calibration.genuine, calibration.impostors), (2 * 640, 2 * 640 * 39));
        assert_eq!(calibration.llr, Recogniser::fake(&settings()).scoring().llr);
        assert_eq!(calibration.lines.margin, Recogniser::fake(&settings()).scoring().lines.margin);
        assert!(calibration.lines.accept < calibration.lines.doubt);
        let scoring = found.calibrated.scoring();
        assert!(scoring.provenance.data.contains("32 sessions, 2026-11-02 to 2026-11-09"), "{:?}", scoring.provenance);
        assert!(scoring.provenance.rule.contains("names that teachers confirmed"));
        let class = |f: &ClassFigures| (f.class.clone(), f.students, f.sessions, f.accepted.of, f.impostors);
        let expected = |name: &str| (name.to_owned(), 20, 16, 320, 320 * 19);
        assert_eq!(found.by_class.iter().map(class).collect::<Vec<_>>(), [expected("CSE-A"), expected("CSE-B")]);
        for figures in &found.by_class {
            assert!(figures.impostors_accepted <= figures.impostors_doubted && figures.impostors_doubted < 40);
        }
    }

    #[test]
    fn too_little_says_what_is_missing() {
        let error = on(&school(4), 2).unwrap_err();
        assert_eq!(error.code, Code::InsufficientEvidence);
        for missing in
            ["confirmed sessions: 8 of 10", "days with a confirmed session: 2 of 5", "confirmed faces: 160 of 600"]
        {
            assert!(error.message.contains(missing), "{error}");
        }
        assert!(!error.message.contains("students with samples"), "{error}");
    }
}
