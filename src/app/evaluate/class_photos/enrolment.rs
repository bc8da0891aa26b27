//! Who is enrolled in labelled class photos: portraits from a list, enrolled as a school's are.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rayon::prelude::*;

use crate::app::error::Error;
use crate::app::evaluate::looker::Looker;
use crate::app::evaluate::{Steps, portrait, read_list};
use crate::domain::csv_table::Column;
use crate::domain::gallery::{Enrolled, Gallery};
use crate::domain::ids::{MemberId, SampleId, StudentId};
use crate::domain::status::Consent;
use crate::domain::template::Sample;

const IMAGE: Column = Column::filled("image", &["photo"]);
const PERSON: Column = Column::filled("person", &["roll_no"]);
const CLASS: Column = Column::optional("class", &[]);
const RANK: Column = Column::optional("rank", &[]);

/// People who are compared with each other.
pub(super) struct EvaluatedClass {
    pub(super) gallery: Gallery,
    pub(super) people: Vec<String>,
    /// The first portrait of each person.
    pub(super) portraits: BTreeMap<String, String>,
}

/// Class, person and image of each portrait to use, and how many people are listed.
pub(super) fn read_enrolment(path: &Path, samples: usize) -> Result<(Vec<[String; 3]>, usize), Error> {
    let mut people: BTreeMap<(String, String), Vec<(u32, String)>> = BTreeMap::new();
    for row in read_list(path, &[IMAGE, PERSON, CLASS, RANK])? {
        let images = people.entry((row.get(&CLASS).to_owned(), row.get(&PERSON).to_owned())).or_default();
        let rank = row.get(&RANK).parse().unwrap_or(u32::try_from(images.len()).unwrap_or(u32::MAX));
        images.push((rank, row.get(&IMAGE).to_owned()));
    }
    let listed = people.len();
    let mut portraits = Vec::new();
    for ((class, person), mut images) in people {
        images.sort();
        portraits.extend(images.into_iter().take(samples).map(|(_, image)| [class.clone(), person.clone(), image]));
    }
    Ok((portraits, listed))
}

/// Makes the templates of every class, and names the portraits that cannot be used, with the reason.
pub(super) fn enrol(
    looker: &Looker<'_>,
    root: &Path,
    portraits: Vec<[String; 3]>,
    steps: &Steps<'_>,
) -> (HashMap<String, EvaluatedClass>, Vec<String>) {
    let looked: Vec<([String; 3], Result<Sample, Error>)> = portraits
        .into_par_iter()
        .enumerate()
        .map(|(i, listed)| {
            let sample = sample(looker, &root.join(&listed[2]), SampleId(i as i64));
            steps.one_done();
            (listed, sample)
        })
        .collect();
    let mut classes: BTreeMap<String, BTreeMap<String, Vec<Sample>>> = BTreeMap::new();
    let mut portraits: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut refused = Vec::new();
    for ([class, person, image], sample) in looked {
        portraits.entry(class.clone()).or_default().entry(person.clone()).or_insert_with(|| image.clone());
        let samples = classes.entry(class).or_default().entry(person).or_default();
        match sample {
            Ok(sample) => samples.push(sample),
            Err(e) => refused.push(format!("{image}: {e} [{}]", e.code.as_str())),
        }
    }
    let mut build = |class: &String, people: BTreeMap<String, Vec<Sample>>| {
        let names: Vec<String> = people.keys().cloned().collect();
        let roll: Vec<Enrolled> = people.into_values().enumerate().map(|(i, samples)| row(i as i64, samples)).collect();
        let gallery = Gallery::build(&roll, looker.recogniser().scoring());
        EvaluatedClass { gallery, people: names, portraits: portraits.remove(class).unwrap_or_default() }
    };
    let built = classes.into_iter().map(|(class, people)| {
        let evaluated = build(&class, people);
        (class, evaluated)
    });
    (built.collect(), refused)
}

fn row(id: i64, samples: Vec<Sample>) -> Enrolled {
    Enrolled { member: MemberId(id), student: StudentId(id), consent: Consent::Given, active: true, samples }
}

fn sample(looker: &Looker<'_>, path: &Path, id: SampleId) -> Result<Sample, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, &e))?;
    Ok(portrait(looker, &bytes, id)?.sample)
}
