//! Who is compared with whom: single probes against templates, as class photos are, over all pairs of people.

use serde::Serialize;

use super::draw::Draw;
use crate::domain::embedding::Embedding;
use crate::domain::score::{ScaledEmbedding, Scoring};
use crate::domain::template::{Sample, template};

/// Everything known of one person.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub images: Vec<Image>,
}

/// One picture of a person: what enrolment makes of it, and faces of class-photo size.
#[derive(Debug, Clone)]
pub struct Image {
    pub name: String,
    /// None for a class photo, which nobody is enrolled from.
    pub sample: Option<Sample>,
    /// The portrait as small faces, or the face of the class photo.
    pub probes: Vec<Probe>,
}

/// A face as class photos show it.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Longer side of the face, pixels.
    pub side_px: f32,
    pub embedding: Embedding,
}

/// How templates are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Templates {
    /// Templates are made of 1..=this many samples.
    pub max_samples: usize,
    /// Independent draws of everybody's samples; probes take turns.
    pub draws: usize,
    pub seed: u64,
}

/// One probe against the templates of everybody, all of the same number of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Index of the probe's person.
    pub person: usize,
    /// Index of its image among the person's.
    pub image: usize,
    pub side_px: f32,
    /// Samples in each template.
    pub samples: usize,
    /// Combined score against the person's own template, made without the probe's image. `None` with too few other images.
    pub own: Option<f32>,
    /// Combined score against the template of each person; infinitely far where there is none (too few images, samples that
    /// disagree, and the probe's own person).
    pub others: Vec<f32>,
}

impl Trial {
    /// Index of each other person with a template, and the combined score against it.
    pub fn impostors(&self) -> impl Iterator<Item = (usize, f32)> {
        self.others.iter().copied().enumerate().filter(|(_, combined)| combined.is_finite())
    }
}

/// Compares every probe with everybody, once for each number of samples.
///
/// `scoring` says how templates are made and scores computed; its lines are not used. The probe's own template never holds
/// the image that the probe was made of.
pub fn compare(people: &[Person], templates: Templates, scoring: &Scoring) -> Vec<Trial> {
    let galleries: Vec<Gallery> = (0..templates.draws)
        .flat_map(|draw| (1..=templates.max_samples).map(move |samples| (draw, samples)))
        .map(|(draw, samples)| Gallery::draw(people, (draw, samples), templates.seed, scoring))
        .collect();
    let mut trials = Vec::new();
    for (person, looks) in people.iter().enumerate() {
        for (image, look) in looks.images.iter().enumerate() {
            for (i, probe) in look.probes.iter().enumerate() {
                let vector = scoring.scaled(&probe.embedding);
                let draw = (person + image + i) % templates.draws;
                for samples in 1..=templates.max_samples {
                    let gallery = &galleries[draw * templates.max_samples + samples - 1];
                    let mut drawn = Draw::of(templates.seed, &[draw, samples, person, image + 1]);
                    let own = of_samples(&looks.samples(Some(image)), samples, &mut drawn, scoring);
                    trials.push(Trial {
                        person,
                        image,
                        side_px: probe.side_px,
                        samples,
                        own: own.map(|t| scoring.between(&vector, &t).combined),
                        others: gallery.scores(&vector, person, scoring),
                    });
                }
            }
        }
    }
    trials
}

/// One template for each person that has enough images.
struct Gallery(Vec<Option<ScaledEmbedding>>);

impl Gallery {
    fn draw(people: &[Person], (draw, samples): (usize, usize), seed: u64, scoring: &Scoring) -> Self {
        let one = |(index, person): (usize, &Person)| {
            of_samples(&person.samples(None), samples, &mut Draw::of(seed, &[draw, samples, index]), scoring)
        };
        Self(people.iter().enumerate().map(one).collect())
    }

    fn scores(&self, probe: &ScaledEmbedding, left_out: usize, scoring: &Scoring) -> Vec<f32> {
        let score = |(person, template): (usize, &Option<ScaledEmbedding>)| match template {
            Some(template) if person != left_out => scoring.between(probe, template).combined,
            _ => f32::INFINITY,
        };
        self.0.iter().enumerate().map(score).collect()
    }
}

impl Person {
    /// What the person can be enrolled from, without that of one image.
    fn samples(&self, but: Option<usize>) -> Vec<&Sample> {
        let others = self.images.iter().enumerate().filter(|(i, _)| Some(*i) != but);
        others.filter_map(|(_, image)| image.sample.as_ref()).collect()
    }
}

/// A template of exactly `samples` of those given. `None` with fewer, or when they disagree.
fn of_samples(from: &[&Sample], samples: usize, draw: &mut Draw, scoring: &Scoring) -> Option<ScaledEmbedding> {
    if from.len() < samples {
        return None;
    }
    let drawn = draw.some_of(from.len(), samples);
    let drawn: Vec<Sample> = drawn.into_iter().map(|i| from[i].clone()).collect();
    template(&drawn, scoring).ok().map(|t| scoring.scaled(&t.vector))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SampleId;
    use crate::domain::score::tests::STARTER;
    use crate::domain::status::Origin;

    const TEMPLATES: Templates = Templates { max_samples: 2, draws: 2, seed: 3 };

    fn embedding(axis: usize, tilt: f32) -> Embedding {
        let mut v = vec![0.0; 512];
        v[axis] = 1.0;
        v[500] = tilt;
        Embedding::new(v).unwrap()
    }

    /// Image `i` is tilted by `0.1 * i * i`; its one probe equals its sample.
    fn person(axis: usize, images: usize) -> Person {
        let image = |i: usize| {
            let vector = embedding(axis, 0.1 * (i * i) as f32);
            let sample =
                Sample { id: SampleId(i as i64), embedding: vector.clone(), weight: 1.0, origin: Origin::Portrait };
            Image {
                name: format!("{axis}/{i}"),
                sample: Some(sample),
                probes: vec![Probe { side_px: 40.0, embedding: vector }],
            }
        };
        Person { name: axis.to_string(), images: (0..images).map(image).collect() }
    }

    #[test]
    fn every_probe_meets_everybody_once_for_each_number_of_samples() {
        let people = [person(0, 3), person(1, 2), person(2, 1)];
        let trials = compare(&people, TEMPLATES, &STARTER);
        assert_eq!(trials.len(), 6 * 2);
        let count = |samples: usize| -> usize {
            trials.iter().filter(|t| t.samples == samples).map(|t| t.impostors().count()).sum()
        };
        // One sample: everybody has a template. Two samples: the third person has none, and 3 + 2 + 2 * 1 remain.
        assert_eq!((count(1), count(2)), (12, 3 + 2 + 2));
        let own = |person: usize, samples: usize| {
            trials.iter().filter(|t| t.person == person && t.samples == samples && t.own.is_some()).count()
        };
        assert_eq!((own(0, 1), own(0, 2), own(1, 1), own(1, 2), own(2, 1)), (3, 3, 2, 0, 0));
    }

    #[test]
    fn a_probe_is_never_compared_with_its_own_image() {
        for trial in compare(&[person(0, 3), person(1, 2)], TEMPLATES, &STARTER) {
            // Its own image would score 0.
            assert!(trial.own.is_none_or(|own| own > 0.5), "{trial:?}");
            assert!(trial.others[trial.person].is_infinite());
        }
    }

    #[test]
    fn a_class_photo_is_compared_and_never_enrolled_from() {
        let mut seen = person(0, 1);
        let face = Probe { side_px: 40.0, embedding: embedding(0, 0.5) };
        seen.images.push(Image { name: "lesson".into(), sample: None, probes: vec![face] });
        let trials = compare(&[seen, person(1, 2)], TEMPLATES, &STARTER);
        let of = |samples: usize, image: usize| {
            trials.iter().find(|t| (t.person, t.samples, t.image) == (0, samples, image)).unwrap().own
        };
        // The portrait's own probe has no other picture to be compared with; the lesson has one portrait, not two.
        assert_eq!((of(1, 0), of(2, 1)), (None, None));
        assert!(of(1, 1).is_some());
    }

    #[test]
    fn samples_that_disagree_make_no_template() {
        let mut two_faced = person(0, 2);
        two_faced.images[1].sample.as_mut().unwrap().embedding = embedding(7, 0.0);
        let trials = compare(&[two_faced, person(1, 1)], TEMPLATES, &STARTER);
        let against = |samples: usize| trials.iter().find(|t| t.person == 1 && t.samples == samples).unwrap().others[0];
        assert!(against(1).is_finite() && against(2).is_infinite());
    }

    #[test]
    fn the_same_seed_compares_the_same() {
        let people = [person(0, 4), person(1, 4)];
        assert_eq!(compare(&people, TEMPLATES, &STARTER), compare(&people, TEMPLATES, &STARTER));
        assert_ne!(
            compare(&people, TEMPLATES, &STARTER),
            compare(&people, Templates { seed: 4, ..TEMPLATES }, &STARTER)
        );
    }
}
