//! Whether a pilot has shown enough, and whether what it has shown is good enough.
//!
//! The upper ends of the intervals decide, not the shares: what has not been shown is not assumed. The intervals take records for
//! independent; one student who is taken for another every day makes them narrower than they should be, which is why days and
//! sessions are asked for besides.

use serde::Serialize;

use super::Tally;
use crate::domain::interval::Share;
use crate::domain::status::words;

/// Fewer sessions say more about some lessons than about the school: ten are more than one seating order, one light and one phone.
pub const LEAST_SESSIONS: usize = 10;
/// A photo of another day shows other clothes, other weather and other people away.
pub const LEAST_DAYS: usize = 5;
/// Names that the program must have given. Without a single wrong one among 400 the Wilson interval of wrong names ends at 0.95 %,
/// just below [`MOST_WRONG_NAMES`]; among fewer than 381 it ends above, and nothing could be shown. A class of forty gives as many
/// in ten sessions.
pub const LEAST_NAMES: usize = 400;
/// Upper end of the wrong names that a school can live with: one in a hundred, one in two or three lessons of a full class. A wrong
/// name is the worst mistake, because nobody is asked about it.
pub const MOST_WRONG_NAMES: f64 = 0.01;
/// Upper end of those there who are called absent: one in twenty, two in a lesson of forty, whom the teacher corrects when signing.
/// With more of them calling names is quicker.
pub const MOST_MISSED: f64 = 0.05;

words! {
    /// What a pilot says in one word.
    Readiness, "a readiness": {
        NotEnoughYet = "not_enough_yet",
        NotReady = "not_ready",
        Ready = "ready",
    }
}

/// What a pilot says, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub readiness: Readiness,
    /// A sentence each.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// Of so many sessions on so many days.
    pub fn of(sessions: usize, days: usize, total: &Tally) -> Self {
        let missing = missing(sessions, days, total.names());
        if !missing.is_empty() {
            return Self { readiness: Readiness::NotEnoughYet, reasons: missing };
        }
        let shares = total.shares();
        let wrong = Line {
            what: "names that the program gave and the register has not there",
            share: shares.wrong_names,
            most: MOST_WRONG_NAMES,
        };
        let missed =
            Line { what: "students there whom the program called absent", share: shares.missed, most: MOST_MISSED };
        let above: Vec<String> =
            [&wrong, &missed].into_iter().filter(|line| !line.holds()).map(Line::sentence).collect();
        if above.is_empty() {
            return Self { readiness: Readiness::Ready, reasons: vec![wrong.sentence(), missed.sentence()] };
        }
        Self { readiness: Readiness::NotReady, reasons: above }
    }
}

fn missing(sessions: usize, days: usize, names: usize) -> Vec<String> {
    let needed = [
        ("sessions compared", sessions, LEAST_SESSIONS),
        ("days with a session", days, LEAST_DAYS),
        ("names that the program gave", names, LEAST_NAMES),
    ];
    let short = needed.into_iter().filter(|(_, have, least)| have < least);
    short.map(|(what, have, least)| format!("{what}: {have}, at least {least} are needed")).collect()
}

struct Line {
    what: &'static str,
    share: Share,
    most: f64,
}

impl Line {
    /// Nothing counted shows nothing.
    fn holds(&self) -> bool {
        self.share.interval.is_some_and(|interval| interval.high <= self.most)
    }

    fn sentence(&self) -> String {
        let Share { count, of, interval, .. } = self.share;
        let high = interval.map_or(100.0, |interval| 100.0 * interval.high);
        let (relation, line) = (if self.holds() { "within" } else { "above" }, 100.0 * self.most);
        let what = self.what;
        format!("{what}: {count} of {of}, at most {high:.2} % (95 % interval), {relation} the line of {line:.0} %")
    }
}
