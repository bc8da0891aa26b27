//! Identification: probes against rosters, as a class photo's faces meet a class. Closed set (is the right person the
//! nearest?), open set (are strangers left nameless?), at the pack's lines and at lines of chosen rates, by size of the face.
//!
//! Words and definitions follow ISO/IEC 19795-1 and NIST's FRVT 1:N: a false positive identification is a stranger with a
//! candidate at or below the line, a false negative identification a member whose right candidate is not both nearest and
//! at or below it.

use serde::Serialize;

use super::draw::Draw;
use super::open_set::{Appearance, OpenSet, judge, place};
use super::rates::Rates;
use super::sizes::Sizes;
use super::trials::Trial;
use super::verification::comparisons_needed;
use crate::domain::interval::Share;
use crate::domain::score::Lines;

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rosters {
    /// Students of each roster.
    pub sizes: Vec<usize>,
    /// Rosters drawn of each size.
    pub draws: usize,
    /// Samples of each template.
    pub samples: usize,
    pub seed: u64,
}

/// False positive identification rates that the false negative one is stated at.
pub const FALSE_POSITIVE_RATES: [f64; 5] = [0.3, 0.1, 0.03, 0.01, 0.001];

/// What probes met in rosters of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identified {
    /// Students of the roster; fewer than asked for when there are not so many people.
    pub roster: usize,
    #[serde(flatten)]
    pub all: Outcomes,
    pub by_size: Vec<OutcomesBySize>,
    /// Both error rates at lines of chosen false positive rates, without a margin.
    pub trade_off: Vec<TradeOff>,
}

/// Shares of probes; intervals are over the people whom the probes are of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outcomes {
    /// Member probes whose nearest candidate is the right one, whatever the score.
    pub rank_1: Share,
    /// Member probes, at the pack's lines and margin.
    pub named_right: Share,
    pub named_wrong: Share,
    pub doubted: Share,
    /// Members taken for strangers.
    pub missed: Share,
    /// Stranger probes that were given a name: the false positive identification rate of the pack's lines.
    pub strangers_named: Share,
    pub strangers_doubted: Share,
}

/// The outcomes of faces of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutcomesBySize {
    pub from_px: f32,
    pub to_px: f32,
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

/// A point of the curve of both errors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TradeOff {
    pub false_positive_rate: f64,
    /// Combined score; none with too few stranger probes, see `withheld`.
    pub line: Option<f32>,
    /// Member probes whose right candidate is not nearest, or beyond the line.
    pub false_negatives: Option<Share>,
    pub withheld: Option<String>,
}

/// A probe in front of a roster, and whose it is.
struct Placed {
    person: usize,
    step: usize,
    met: Appearance,
}

/// Places every probe before every roster and counts. `trials` may hold any numbers of samples; those of `rosters.samples`
/// are used. `people` is one more than the largest index of a person; `sizes` are the steps that the probes were made in.
pub fn identify(trials: &[Trial], people: usize, sizes: Sizes, rosters: &Rosters, lines: &Lines) -> Vec<Identified> {
    let trials: Vec<&Trial> = trials.iter().filter(|t| t.samples == rosters.samples).collect();
    let eligible: Vec<usize> =
        (0..people).filter(|p| trials.iter().any(|t| t.person == *p && t.own.is_some())).collect();
    let one = |size: &usize| {
        let size = (*size).min(eligible.len());
        let placed = before_rosters(&trials, &eligible, size, sizes, rosters);
        let count = |placed: &[&Placed]| outcomes(placed, people, lines, rosters.seed);
        let by_size = (0..sizes.steps).map(|step| {
            let (from_px, to_px) = sizes.step(step);
            let part: Vec<&Placed> = placed.iter().filter(|p| p.step == step).collect();
            OutcomesBySize { from_px, to_px, outcomes: count(&part) }
        });
        Identified {
            roster: size,
            all: count(&placed.iter().collect::<Vec<_>>()),
            by_size: by_size.collect(),
            trade_off: trade_off(&placed, people, rosters.seed),
        }
    };
    rosters.sizes.iter().map(one).collect()
}

fn before_rosters(trials: &[&Trial], eligible: &[usize], size: usize, sizes: Sizes, rosters: &Rosters) -> Vec<Placed> {
    let mut placed = Vec::new();
    for roster in 0..rosters.draws {
        let mut draw = Draw::of(rosters.seed, &[size, roster]);
        let members: Vec<usize> = draw.some_of(eligible.len(), size).into_iter().map(|i| eligible[i]).collect();
        let before = |trial: &&Trial| {
            let met = place(trial, &members)?;
            Some(Placed { person: trial.person, step: sizes.step_of(trial.side_px), met })
        };
        placed.extend(trials.iter().filter_map(before));
    }
    placed
}

fn outcomes(placed: &[&Placed], people: usize, lines: &Lines, seed: u64) -> Outcomes {
    let mut judged = vec![OpenSet::default(); people];
    let mut nearest = vec![0_usize; people];
    for one in placed {
        let sum = &mut judged[one.person];
        *sum = sum.plus(&judge(&[one.met], lines));
        nearest[one.person] += usize::from(one.met.is_rank_1());
    }
    let share =
        |part: &dyn Fn(usize) -> (usize, usize)| Share::over_people(&(0..people).map(part).collect::<Vec<_>>(), seed);
    let member = |count: fn(&OpenSet) -> usize| share(&|p: usize| (count(&judged[p]), judged[p].members));
    let stranger = |count: fn(&OpenSet) -> usize| share(&|p: usize| (count(&judged[p]), judged[p].strangers));
    Outcomes {
        rank_1: share(&|p: usize| (nearest[p], judged[p].members)),
        named_right: member(|o| o.named_right),
        named_wrong: member(|o| o.named_wrong),
        doubted: member(|o| o.doubted),
        missed: member(|o| o.missed),
        strangers_named: stranger(|o| o.strangers_named),
        strangers_doubted: stranger(|o| o.strangers_doubted),
    }
}

fn trade_off(placed: &[Placed], people: usize, seed: u64) -> Vec<TradeOff> {
    let strangers: Vec<f32> = placed.iter().filter(|p| p.met.own.is_none()).map(|p| p.met.others[0]).collect();
    let rates = Rates::new(Vec::new(), strangers);
    let (probes, mut members) = (rates.impostor().len(), vec![(0_usize, 0_usize); people]);
    let point = |rate: &f64| {
        let line = rates.line_at(*rate);
        if probes < comparisons_needed(*rate) || !line.is_finite() {
            let withheld = format!("{probes} stranger probes are too few, {} are needed", comparisons_needed(*rate));
            return TradeOff {
                false_positive_rate: *rate,
                line: None,
                false_negatives: None,
                withheld: Some(withheld),
            };
        }
        members.fill((0, 0));
        for one in placed.iter().filter(|p| p.met.own.is_some()) {
            let found = one.met.is_rank_1() && one.met.own.is_some_and(|own| own <= line);
            let (lost, all) = &mut members[one.person];
            (*lost, *all) = (*lost + usize::from(!found), *all + 1);
        }
        TradeOff {
            false_positive_rate: *rate,
            line: Some(line),
            false_negatives: Some(Share::over_people(&members, seed)),
            withheld: None,
        }
    };
    FALSE_POSITIVE_RATES.iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { smallest_px: 20.0, largest_px: 80.0, steps: 2 };
    const LINES: Lines = Lines { accept: 17.0, doubt: 20.0, margin: 1.0 };

    fn rosters(sizes: &[usize], draws: usize) -> Rosters {
        Rosters { sizes: sizes.to_vec(), draws, samples: 1, seed: 1 }
    }

    /// `n` people who are 15 from themselves and 25 from all others; one probe each, in the small step for even people.
    fn trials(n: usize) -> Vec<Trial> {
        let one = |person: usize| {
            let mut others = vec![25.0; n];
            others[person] = f32::INFINITY;
            let side_px = if person.is_multiple_of(2) { 30.0 } else { 60.0 };
            Trial { person, image: 0, side_px, samples: 1, own: Some(15.0), others }
        };
        (0..n).map(one).collect()
    }

    #[test]
    fn everybody_is_known_in_a_roster_of_all() {
        let known = identify(&trials(10), 10, SIZES, &rosters(&[30], 3), &LINES);
        let Identified { roster, all, by_size, .. } = &known[0];
        assert_eq!((*roster, all.rank_1.count, all.rank_1.of), (10, 30, 30));
        assert_eq!((all.named_right.count, all.missed.count, all.strangers_named.of), (30, 0, 0));
        assert_eq!(by_size.iter().map(|s| s.outcomes.rank_1.of).collect::<Vec<_>>(), [15, 15]);
    }

    #[test]
    fn members_and_strangers_of_small_rosters_add_up() {
        let known = identify(&trials(10), 10, SIZES, &rosters(&[4], 5), &LINES);
        let all = &known[0].all;
        assert_eq!((all.named_right.of, all.strangers_named.of), (4 * 5, 6 * 5));
        assert_eq!((all.named_right.share, all.strangers_named.share), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn a_look_alike_takes_rank_1_and_a_near_stranger_gets_a_name() {
        let mut all = trials(2);
        // Person 0 looks more like 1 than like himself, and 1 like 0 when 1 is a stranger.
        all[0].others[1] = 14.0;
        all[1].others[0] = 16.0;
        let both = &identify(&all, 2, SIZES, &rosters(&[2], 1), &LINES)[0].all;
        assert_eq!((both.rank_1.count, both.rank_1.of), (1, 2));
        // 14 leads 15 by 1.0, 15 leads 16 by 1.0: both are the margin.
        assert_eq!((both.named_wrong.count, both.named_right.count), (1, 1));
        let alone = &identify(&all, 2, SIZES, &rosters(&[1], 8), &LINES)[0].all;
        assert_eq!((alone.strangers_named.count, alone.strangers_named.of), (8, 8));
    }

    #[test]
    fn people_without_enough_pictures_are_strangers_only() {
        let mut all = trials(3);
        all[2].own = None;
        let known = &identify(&all, 3, SIZES, &rosters(&[3], 2), &LINES)[0];
        assert_eq!((known.roster, known.all.rank_1.of, known.all.strangers_named.of), (2, 4, 2));
    }

    #[test]
    fn a_false_positive_rate_that_few_strangers_show_is_withheld() {
        // 6 strangers in each of 20 rosters: 120 probes carry the rate 0.1 and not 0.03.
        let points = &identify(&trials(10), 10, SIZES, &rosters(&[4], 20), &LINES)[0].trade_off;
        assert!(points.iter().all(|p| p.withheld.is_some() == p.line.is_none()));
        // All strangers score 25: none may pass a rate below 1 without all passing.
        assert!(points.iter().all(|p| p.line.is_none()));
        let mut spread = trials(10);
        for (i, trial) in spread.iter_mut().enumerate() {
            trial.others.iter_mut().enumerate().for_each(|(j, o)| *o += (i * 10 + j) as f32 / 10.0);
        }
        let points = &identify(&spread, 10, SIZES, &rosters(&[4], 20), &LINES)[0].trade_off;
        let stated: Vec<bool> = points.iter().map(|p| p.line.is_some()).collect();
        assert_eq!(stated, [true, true, false, false, false]);
        assert_eq!(points[1].false_negatives.unwrap().share, Some(0.0));
    }
}
