//! How well the students of a class, or one of them, are enrolled, and what should be done about it.
//!
//! Reads samples, the newest sessions and their records, has `domain::enrolment_health` judge, and says it in the school's
//! words. A class costs the same few queries however large it is. Changes nothing; called by `http` and `cli`.

use std::cmp::Ordering;
use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::School;
use super::error::Error;
use super::session::{self, Matching};
use super::term::{Calendar, ClassWish};
use crate::db::members::EnrolledRow;
use crate::db::samples::{self, SampleRow};
use crate::db::sightings::{self, NamedFace};
use crate::db::students::{self, StudentRow};
use crate::db::{AnyConnection, classes, members};
use crate::domain::assign::Reason;
use crate::domain::days::require_possible;
use crate::domain::enrolment_health::{
    EnrolmentHealth, FaceSaid, Facts, Found, Nearest, SampleFacts, Sighting, Suggestion, judge, look_alike_line,
};
use crate::domain::gallery::Gallery;
use crate::domain::ids::{ClassId, MemberId, SampleId, SessionId, StudentId};
use crate::domain::quality::FaceQuality;
use crate::domain::score::Lines;
use crate::domain::sheet::natural_order;
use crate::domain::status::Consent;
use crate::domain::template::{Sample, TemplateError, template};

/// So many of the newest sessions of a class are looked at unless somebody asks for another number.
pub const SESSIONS: u32 = 20;

/// A class, known or by name.
#[derive(Debug, Clone)]
pub enum WhichClass {
    Id(ClassId),
    Named(ClassWish),
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    RollNo,
    /// Whom sessions keep missing.
    Missed,
    /// Whose most urgent suggestion is most urgent.
    Urgency,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// The day of the roll; none: today.
    pub on: Option<NaiveDate>,
    /// Newest sessions to look at.
    pub sessions: u32,
    pub order: Order,
}

/// A class.
#[derive(Debug, Serialize)]
pub struct ClassHealth {
    pub class_id: i64,
    pub class: String,
    pub section: String,
    pub term: String,
    pub on: NaiveDate,
    /// `id@version` of the pack whose samples are looked at.
    pub pack: String,
    /// Sessions that were looked at: of the newest ones those that the pack has seen.
    pub sessions: usize,
    pub summary: Summary,
    pub members: Vec<MemberHealth>,
}

/// A class in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub members: usize,
    /// Who can be found by face.
    pub recognisable: usize,
    /// Who is worth a suggestion.
    pub with_suggestions: usize,
    /// Whom sessions keep missing.
    pub kept_missing: usize,
    /// Samples learned from confirmed sessions.
    pub learned: u32,
}

/// A student, in a class or alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberHealth {
    /// None for a student who is in no class.
    pub class_id: Option<i64>,
    pub member_id: Option<i64>,
    pub roll_no: Option<String>,
    pub student_id: i64,
    pub prn: String,
    pub name: String,
    pub consent: Consent,
    pub active: bool,
    pub portraits: u32,
    pub learned: u32,
    pub outliers: u32,
    pub disagree: bool,
    pub weakest: Option<Measured>,
    pub best: Option<Measured>,
    pub oldest_at: Option<DateTime<Utc>>,
    pub newest_at: Option<DateTime<Utc>>,
    pub nearest: Option<NearestMember>,
    pub sightings: SightingCounts,
    /// Most urgent first.
    pub suggestions: Vec<Advice>,
}

/// A portrait and what was measured on it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    pub sample_id: i64,
    pub quality: FaceQuality,
}

/// The student of the class who looks most like this one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearestMember {
    pub member_id: i64,
    pub roll_no: String,
    /// Lower is nearer.
    pub combined: f32,
    pub cosine: f32,
    pub looks_alike: bool,
}

/// Sessions that the student was in by the final record, since the newest portrait.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SightingCounts {
    pub sessions: u32,
    pub matched: u32,
    pub asked: u32,
    pub missed: u32,
    pub mean_confidence: Option<f32>,
    pub mean_combined: Option<f32>,
    /// Above 0 it gets worse.
    pub trend: Option<f32>,
}

/// What should be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// Stable, for programs.
    pub code: &'static str,
    /// For people.
    pub text: String,
    #[serde(skip)]
    pub about: Suggestion,
}

/// How well the members of a class on a day are enrolled.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `AMBIGUOUS_NAME`; `INVALID_REQUEST` for a day that is too far away; database failures.
pub async fn of_class(
    school: &School,
    matching: &Matching,
    class: WhichClass,
    wish: Wish,
) -> Result<ClassHealth, Error> {
    wish.on.map_or(Ok(()), require_possible)?;
    let (matching, config) = (matching.clone(), school.config.clone());
    school
        .read(move |conn| {
            let on = wish.on.unwrap_or_else(|| session::today(config.time_zone));
            let class = match class {
                WhichClass::Id(id) => classes::get(conn, id)?,
                WhichClass::Named(wish) => {
                    Calendar::read(conn, &config, wish.term.as_deref())?.class(&wish, on)?.clone()
                }
            };
            let reader = Reader { matching: &matching, lines: &config.enrol, now: Utc::now() };
            let (sessions, mut members) = reader.class(conn, class.id, (on, wish.sessions))?;
            members.sort_by(|a, b| wish.order.compare(a, b));
            Ok(ClassHealth {
                class_id: class.id.0,
                class: class.name,
                section: class.section,
                term: class.term,
                on,
                pack: matching.pack.to_string(),
                sessions,
                summary: Summary::of(&members),
                members,
            })
        })
        .await
}

/// The same for one student: once for each class of today, of those in `among` (none: of all); once without a class for
/// somebody who is in none.
///
/// # Errors
/// `STUDENT_NOT_FOUND`; database failures.
pub async fn of_student(
    school: &School,
    matching: &Matching,
    (student, among): (StudentId, Option<Vec<ClassId>>),
    sessions: u32,
) -> Result<Vec<MemberHealth>, Error> {
    let (matching, config) = (matching.clone(), school.config.clone());
    school
        .read(move |conn| {
            let today = session::today(config.time_zone);
            let reader = Reader { matching: &matching, lines: &config.enrol, now: Utc::now() };
            let person = students::get(conn, student)?;
            let stays = members::of_student(conn, student)?;
            let mut all = Vec::new();
            for stay in stays.iter().filter(|stay| stay.is_member_on(today)) {
                if among.as_ref().is_none_or(|among| among.contains(&stay.class_id)) {
                    let (_, members) = reader.class(conn, stay.class_id, (today, sessions))?;
                    all.extend(members.into_iter().filter(|m| m.member_id == Some(stay.id.0)));
                }
            }
            if all.is_empty() {
                all.push(reader.alone(conn, person)?);
            }
            Ok(all)
        })
        .await
}

impl Order {
    fn compare(self, a: &MemberHealth, b: &MemberHealth) -> Ordering {
        let missed = |m: &MemberHealth| (m.sightings.missed, m.sightings.asked);
        let first = match self {
            Self::RollNo => Ordering::Equal,
            Self::Missed => missed(b).cmp(&missed(a)),
            Self::Urgency => match (a.suggestions.first(), b.suggestions.first()) {
                (Some(a), Some(b)) => a.about.partial_cmp(&b.about).unwrap_or(Ordering::Equal),
                (a, b) => b.is_some().cmp(&a.is_some()),
            },
        };
        let roll_no = |m: &MemberHealth| m.roll_no.clone().unwrap_or_default();
        first.then_with(|| natural_order(&roll_no(a), &roll_no(b)))
    }
}

impl Summary {
    fn of(members: &[MemberHealth]) -> Self {
        let how_many = |what: fn(&MemberHealth) -> bool| members.iter().filter(|m| what(m)).count();
        let is_about_misses = |advice: &Advice| matches!(advice.about, Suggestion::KeptMissing { .. });
        Self {
            members: members.len(),
            recognisable: how_many(|m| m.active && m.consent == Consent::Given && m.portraits > 0 && !m.disagree),
            with_suggestions: how_many(|m| !m.suggestions.is_empty()),
            kept_missing: members.iter().filter(|m| m.suggestions.iter().any(is_about_misses)).count(),
            learned: members.iter().map(|m| m.learned).sum(),
        }
    }
}

struct Reader<'a> {
    matching: &'a Matching,
    lines: &'a crate::domain::quality::EnrolLines,
    now: DateTime<Utc>,
}

/// What a class says about its members.
struct ClassFacts {
    gallery: Gallery,
    nearest: HashMap<MemberId, Nearest>,
    sightings: HashMap<MemberId, Vec<Sighting>>,
}

impl Reader<'_> {
    /// How many sessions were looked at, and everybody on the roll.
    fn class(
        &self,
        conn: &mut AnyConnection,
        class: ClassId,
        (on, sessions): (NaiveDate, u32),
    ) -> Result<(usize, Vec<MemberHealth>), Error> {
        let roll = members::active_on(conn, class, on)?;
        let students: Vec<StudentId> = roll.iter().map(|row| row.student.id).collect();
        let pack = (self.matching.pack.id.as_str(), self.matching.pack.version.as_str());
        let stored = samples::for_students(conn, pack.0, pack.1, &students)?;
        let gallery = Gallery::build(&session::enrolled(&roll, &stored), &self.matching.scoring);
        let (looked_at, sightings) = self.sightings(conn, class, sessions)?;
        let facts = ClassFacts { nearest: self.nearest(&gallery), gallery, sightings };
        let roll_nos: HashMap<MemberId, String> =
            roll.iter().map(|row| (row.member.id, row.member.roll_no.clone())).collect();
        let members = roll.into_iter().map(|row| self.member(row, &stored, &facts, &roll_nos)).collect();
        Ok((looked_at, members))
    }

    fn member(
        &self,
        row: EnrolledRow,
        stored: &[SampleRow],
        class: &ClassFacts,
        roll_nos: &HashMap<MemberId, String>,
    ) -> MemberHealth {
        let member = row.member.id;
        let own = stored.iter().filter(|s| s.student_id == row.student.id);
        let facts = Facts {
            consent: row.student.consent,
            active: row.student.active,
            samples: own.map(|s| sample_facts(s, class.gallery.outliers())).collect(),
            disagree: class.gallery.disagreeing().contains(&member),
            nearest: class.nearest.get(&member).copied(),
            sightings: class.sightings.get(&member).cloned().unwrap_or_default(),
        };
        let health = judge(&facts, self.lines, self.now.naive_utc());
        let told = MemberHealth::of(row.student, health, roll_nos);
        MemberHealth {
            class_id: Some(row.member.class_id.0),
            member_id: Some(member.0),
            roll_no: Some(row.member.roll_no),
            ..told
        }
    }

    /// A student who is in no class.
    fn alone(&self, conn: &mut AnyConnection, student: StudentRow) -> Result<MemberHealth, Error> {
        let pack = &self.matching.pack;
        let stored = samples::for_students(conn, &pack.id, &pack.version, &[student.id])?;
        let samples: Vec<Sample> = stored.iter().map(|s| s.clone().into_sample()).collect();
        let (outliers, disagree) = match template(&samples, &self.matching.scoring) {
            Ok(template) => (template.outliers, false),
            Err(TemplateError::Disagree { .. }) => (Vec::new(), true),
            Err(TemplateError::NoSample) => (Vec::new(), false),
        };
        let facts = Facts {
            consent: student.consent,
            active: student.active,
            samples: stored.iter().map(|s| sample_facts(s, &outliers)).collect(),
            disagree,
            nearest: None,
            sightings: Vec::new(),
        };
        Ok(MemberHealth::of(student, judge(&facts, self.lines, self.now.naive_utc()), &HashMap::new()))
    }

    /// For each candidate the one who is nearest.
    fn nearest(&self, gallery: &Gallery) -> HashMap<MemberId, Nearest> {
        let line = look_alike_line(&self.matching.scoring.lines);
        let mut nearest: HashMap<MemberId, Nearest> = HashMap::new();
        for (a, b, score) in gallery.look_alikes(f32::INFINITY, &self.matching.scoring) {
            for (of, member) in [(a, b), (b, a)] {
                let known = nearest.get(&of);
                if known.is_none_or(|known| score.combined < known.score.combined) {
                    nearest.insert(of, Nearest { member, score, looks_alike: score.combined <= line });
                }
            }
        }
        nearest
    }

    /// How many sessions were looked at, and what became of everybody who was in them.
    fn sightings(
        &self,
        conn: &mut AnyConnection,
        class: ClassId,
        count: u32,
    ) -> Result<(usize, HashMap<MemberId, Vec<Sighting>>), Error> {
        let pack = (self.matching.pack.id.as_str(), self.matching.pack.version.as_str());
        let looked_at = sightings::looked_at(conn, class, pack, count)?;
        let ids: Vec<SessionId> = looked_at.iter().map(|row| row.session).collect();
        let mut faces: HashMap<(SessionId, MemberId), Vec<FaceSaid>> = HashMap::new();
        for face in sightings::named_faces(conn, &ids)? {
            faces.entry((face.session, face.member)).or_default().push(said(&face));
        }
        let mut sightings: HashMap<MemberId, Vec<Sighting>> = HashMap::new();
        for (session, member) in sightings::present(conn, &ids)? {
            let Some(row) = looked_at.iter().find(|row| row.session == session) else { continue };
            let faces = faces.get(&(session, member)).map_or(&[][..], Vec::as_slice);
            let times = (row.starts_at, row.seen_at);
            sightings.entry(member).or_default().push(sighting(session, times, faces, &self.matching.scoring.lines));
        }
        Ok((looked_at.len(), sightings))
    }
}

fn said(face: &NamedFace) -> FaceSaid {
    FaceSaid {
        verdict: face.verdict,
        decided: face.reason.as_deref() == Some(Reason::Decided.as_str()),
        combined: face.combined.map(|combined| combined as f32),
        confidence: face.confidence.map(|confidence| confidence as f32),
    }
}

fn sighting(
    session: SessionId,
    (starts_at, seen_at): (chrono::NaiveDateTime, chrono::NaiveDateTime),
    faces: &[FaceSaid],
    lines: &Lines,
) -> Sighting {
    let found = Found::of(faces, lines);
    let matches = faces.iter().filter(|face| found == Found::Matched && Found::of(&[**face], lines) == found);
    let best = matches.min_by(|a, b| {
        let of = |face: &FaceSaid| face.combined.unwrap_or(f32::INFINITY);
        of(a).total_cmp(&of(b))
    });
    Sighting {
        session,
        starts_at,
        seen_at,
        found,
        confidence: best.and_then(|face| face.confidence),
        combined: best.and_then(|face| face.combined),
    }
}

fn sample_facts(row: &SampleRow, outliers: &[SampleId]) -> SampleFacts {
    SampleFacts {
        id: row.id,
        origin: row.origin,
        quality: row.quality.0,
        weight: row.weight as f32,
        created_at: row.created_at,
        is_outlier: outliers.contains(&row.id),
    }
}

impl MemberHealth {
    fn of(student: StudentRow, health: EnrolmentHealth, roll_nos: &HashMap<MemberId, String>) -> Self {
        let measured =
            |s: Option<SampleFacts>| s.and_then(|s| Some(Measured { sample_id: s.id.0, quality: s.quality? }));
        let roll_no = |member: MemberId| roll_nos.get(&member).cloned().unwrap_or_default();
        let advice = |suggestion: &Suggestion| Advice {
            about: *suggestion,
            code: suggestion.code(),
            text: suggestion.sentence(|member| format!("roll number {}", roll_no(member))),
        };
        let counts = health.sightings;
        Self {
            class_id: None,
            member_id: None,
            roll_no: None,
            student_id: student.id.0,
            prn: student.prn,
            name: student.name,
            consent: student.consent,
            active: student.active,
            portraits: health.portraits,
            learned: health.learned,
            outliers: health.outliers,
            disagree: health.disagree,
            weakest: measured(health.weakest),
            best: measured(health.best),
            oldest_at: health.oldest.map(|at| at.and_utc()),
            newest_at: health.newest.map(|at| at.and_utc()),
            nearest: health.nearest.map(|nearest| NearestMember {
                member_id: nearest.member.0,
                roll_no: roll_no(nearest.member),
                combined: nearest.score.combined,
                cosine: nearest.score.cosine,
                looks_alike: nearest.looks_alike,
            }),
            sightings: SightingCounts {
                sessions: counts.sessions,
                matched: counts.matched,
                asked: counts.asked,
                missed: counts.missed,
                mean_confidence: counts.mean_confidence,
                mean_combined: counts.mean_combined,
                trend: counts.trend,
            },
            suggestions: health.suggestions.iter().map(advice).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
