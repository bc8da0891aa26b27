//! What lines do to a class: probes of members and of strangers against the templates of a class, drawn many times.

use serde::Serialize;

use super::draw::Draw;
use super::trials::Trial;
use crate::domain::score::Lines;

/// How classes are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Classes {
    /// Students in each class.
    pub size: usize,
    pub count: usize,
    pub seed: u64,
}

/// A probe in front of a class: only its two nearest candidates decide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Appearance {
    /// Combined score of the person's own template; `None` for a stranger.
    pub own: Option<f32>,
    /// Combined scores of the two nearest other people, nearest first.
    pub others: [f32; 2],
}

/// What became of the probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct OpenSet {
    pub members: usize,
    pub named_right: usize,
    pub named_wrong: usize,
    pub doubted: usize,
    /// Taken for strangers.
    pub missed: usize,
    pub strangers: usize,
    pub strangers_named: usize,
    pub strangers_doubted: usize,
}

/// Places every probe before every class: members (each with one number of samples for the whole class) and everybody else
/// as strangers. People who have no template of that many samples are in no such class.
///
/// `people` are the indices that trials may name. Classes are smaller when there are fewer people.
pub fn appearances(trials: &[Trial], people: &[usize], classes: Classes) -> Vec<Appearance> {
    let max_samples = trials.iter().map(|t| t.samples).max().unwrap_or(0);
    let mut placed = Vec::new();
    for class in 0..classes.count {
        let mut draw = Draw::of(classes.seed, &[class]);
        let members: Vec<usize> = draw.some_of(people.len(), classes.size).into_iter().map(|i| people[i]).collect();
        let samples = 1 + class % max_samples.max(1);
        placed.extend(trials.iter().filter(|t| t.samples == samples).filter_map(|trial| place(trial, &members)));
    }
    placed
}

/// A probe in front of a class. `None` for a member without a template that the probe may be compared with.
pub(super) fn place(trial: &Trial, members: &[usize]) -> Option<Appearance> {
    let is_member = members.contains(&trial.person);
    if is_member && trial.own.is_none() {
        return None;
    }
    let mut others = [f32::INFINITY; 2];
    for member in members.iter().filter(|m| **m != trial.person) {
        let combined = trial.others[*member];
        if combined < others[0] {
            others = [combined, others[0]];
        } else if combined < others[1] {
            others[1] = combined;
        }
    }
    Some(Appearance { own: trial.own.filter(|_| is_member), others })
}

impl Appearance {
    /// Whether the probe's own person is the nearest of all; a stranger's never is.
    pub fn is_rank_1(&self) -> bool {
        self.own.is_some_and(|own| own <= self.others[0])
    }
}

impl OpenSet {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            members: self.members + other.members,
            named_right: self.named_right + other.named_right,
            named_wrong: self.named_wrong + other.named_wrong,
            doubted: self.doubted + other.doubted,
            missed: self.missed + other.missed,
            strangers: self.strangers + other.strangers,
            strangers_named: self.strangers_named + other.strangers_named,
            strangers_doubted: self.strangers_doubted + other.strangers_doubted,
        }
    }
}

/// Verdicts as `domain::assign` gives them to a face that is alone in its photo.
pub fn judge(appearances: &[Appearance], lines: &Lines) -> OpenSet {
    let mut sum = OpenSet::default();
    for appearance in appearances {
        let Appearance { own, others } = appearance;
        let is_own = appearance.is_rank_1();
        let (best, runner_up) = match own {
            Some(own) if is_own => (*own, others[0]),
            Some(own) => (others[0], own.min(others[1])),
            None => (others[0], others[1]),
        };
        let named = best <= lines.accept && runner_up - best >= lines.margin;
        let doubted = !named && best <= lines.doubt;
        if own.is_some() {
            sum.members += 1;
            sum.named_right += usize::from(named && is_own);
            sum.named_wrong += usize::from(named && !is_own);
            sum.doubted += usize::from(doubted);
            sum.missed += usize::from(!named && !doubted);
        } else {
            sum.strangers += 1;
            sum.strangers_named += usize::from(named);
            sum.strangers_doubted += usize::from(doubted);
        }
    }
    sum
}

/// The smallest margin, in steps of [`MARGIN_STEP`], at which at most the share `rate` of member probes has a wrong
/// candidate that leads by it. 0 without members.
///
/// Only probes count whose right and wrong candidate both lie within `line`: where the right one does not, the student is as
/// good as a stranger to the class, and no lead over a third person would tell. Take the doubt line for `line`: two
/// candidates within the accept line are too rare to measure, and leads on fainter evidence are no smaller.
pub fn smallest_margin(appearances: &[Appearance], line: f32, rate: f64) -> f32 {
    let members: Vec<(f32, f32)> = appearances.iter().filter_map(|a| Some((a.own?, a.others[0]))).collect();
    let allowed = (rate * members.len() as f64).floor() as usize;
    let wrong = members.iter().filter(|(own, other)| *own <= line && other < own);
    let mut leads: Vec<f32> = wrong.map(|(own, other)| own - other).collect();
    leads.sort_by(|a, b| b.total_cmp(a));
    // Leads of `margin` and more still pass, so the margin must be above the first that is one too many.
    let Some(lead) = leads.get(allowed) else { return 0.0 };
    let steps = (lead / MARGIN_STEP).floor();
    // Divided rather than multiplied, so that the margin is the f32 nearest to its decimal. The second step is for a
    // division that lost the first to rounding.
    let margins = (1..=2).map(|more| (steps + more as f32) / (1.0 / MARGIN_STEP).round());
    margins.into_iter().find(|margin| margin > lead).unwrap_or(f32::INFINITY)
}

/// Margins are set in steps of this much combined score.
pub const MARGIN_STEP: f32 = 0.05;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINES: Lines = Lines { accept: 17.0, doubt: 20.0, margin: 1.0 };

    fn member(own: f32, other: f32) -> Appearance {
        Appearance { own: Some(own), others: [other, 30.0] }
    }

    fn stranger(nearest: f32, next: f32) -> Appearance {
        Appearance { own: None, others: [nearest, next] }
    }

    #[test]
    fn every_kind_of_verdict_by_hand() {
        let all = [
            member(15.0, 25.0),
            member(15.0, 15.5),
            member(18.0, 25.0),
            member(21.0, 25.0),
            member(19.0, 16.0),
            stranger(16.0, 25.0),
            stranger(16.0, 16.5),
            stranger(19.0, 25.0),
            stranger(25.0, 26.0),
        ];
        let expected = OpenSet {
            members: 5,
            named_right: 1,
            named_wrong: 1,
            doubted: 2,
            missed: 1,
            strangers: 4,
            strangers_named: 1,
            strangers_doubted: 2,
        };
        assert_eq!(judge(&all, &LINES), expected);
    }

    #[test]
    fn margin_is_just_above_the_lead_that_is_one_too_many() {
        // Wrong leads within 20: 2, 1.02 and 0.5; two do not count, because the right candidate lies beyond. Of ten probes
        // one may be wrong.
        let mut all = vec![member(18.0, 16.0), member(18.02, 17.0), member(18.5, 18.0), member(28.0, 15.0)];
        all.push(member(28.0, 25.0));
        all.extend([member(15.0, 25.0); 5]);
        assert_eq!(smallest_margin(&all, 20.0, 0.1), 1.05);
        assert_eq!(smallest_margin(&all, 20.0, 0.0), 2.05);
        assert_eq!(smallest_margin(&all, 20.0, 0.3), 0.0);
        assert_eq!(smallest_margin(&[], 20.0, 0.3), 0.0);
    }

    #[test]
    fn members_and_strangers_of_drawn_classes() {
        let trial = |person: usize, own: Option<f32>| {
            let mut others = vec![24.0, 25.0, 26.0, 27.0];
            others[person] = f32::INFINITY;
            Trial { person, image: 0, side_px: 40.0, samples: 1, own, others }
        };
        let trials = [trial(0, Some(12.0)), trial(1, Some(13.0)), trial(2, Some(14.0)), trial(3, None)];
        let plan = Classes { size: 2, count: 50, seed: 1 };
        let placed = appearances(&trials, &[0, 1, 2, 3], plan);
        let strangers = placed.iter().filter(|a| a.own.is_none()).count();
        assert_eq!(strangers, 2 * 50);
        // Person 3 has no template of his own: no member, but a stranger.
        assert!(placed.len() < 4 * 50 && placed.len() > 2 * 50);
        assert!(placed.iter().all(|a| a.own.is_some() == a.others[1].is_infinite()));
        assert_eq!(placed, appearances(&trials, &[0, 1, 2, 3], plan));
        assert_ne!(placed, appearances(&trials, &[0, 1, 2, 3], Classes { seed: 2, ..plan }));
    }

    proptest! {
        #[test]
        fn the_margin_keeps_its_promise(
            scores in proptest::collection::vec((10.0_f32..30.0, 10.0_f32..30.0), 1..80), rate in 0.0_f64..0.3,
        ) {
            let all: Vec<Appearance> = scores.iter().map(|(own, other)| member(*own, *other)).collect();
            let margin = smallest_margin(&all, 25.0, rate);
            let lines = Lines { accept: 25.0, doubt: 25.0, margin };
            let plausible: Vec<Appearance> = all.iter().filter(|a| a.own.is_some_and(|own| own <= 25.0)).copied().collect();
            prop_assert!(judge(&plausible, &lines).named_wrong as f64 <= rate * all.len() as f64 + 1e-9);
            prop_assert!(margin < 15.1);
        }

        #[test]
        fn verdicts_add_up(scores in proptest::collection::vec((10.0_f32..30.0, 10.0_f32..30.0, any::<bool>()), 0..80)) {
            let one = |(a, b, m): &(f32, f32, bool)| if *m { member(*a, *b) } else { stranger(a.min(*b), a.max(*b)) };
            let all: Vec<Appearance> = scores.iter().map(one).collect();
            let sum = judge(&all, &LINES);
            prop_assert_eq!(sum.members, sum.named_right + sum.named_wrong + sum.doubted + sum.missed);
            prop_assert_eq!(sum.members + sum.strangers, all.len());
            prop_assert!(sum.strangers_named + sum.strangers_doubted <= sum.strangers);
        }
    }
}
