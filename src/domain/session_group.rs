//! Which photos are pictures of the same session.
//!
//! Called by the nightly batch with every photo whose class and time are known, and with sessions that exist already
//! (as entries of their own), so that a later run finds them again. Photos of one class within the gap of each other are
//! one session, and so are those of the same name, class, date and time; different session names are different sessions
//! even at the same time. The result does not depend on the order of the photos.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;

use crate::domain::ids::ClassId;
use crate::domain::spelling::fold;

/// Who says when a photo was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeSource {
    /// The name of the photo, a manifest or an existing session: when the session starts.
    Named,
    /// The camera: some moment of the session.
    Taken,
}

/// A photo to be grouped; `K` is whatever the caller calls it by, unique among the photos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedPhoto<K> {
    pub photo: K,
    pub class: ClassId,
    /// Name of the session; photos without one join a session near in time, whatever its name.
    pub session: Option<String>,
    /// In the school's time zone.
    pub at: NaiveDateTime,
    pub source: TimeSource,
}

/// The photos of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionGroup<K> {
    pub class: ClassId,
    pub name: Option<String>,
    /// The earliest named time of its photos, else the earliest at which one was taken.
    pub starts_at: NaiveDateTime,
    /// In the order of their times.
    pub photos: Vec<K>,
}

/// Groups `photos` into sessions, ordered by start, class and name. `gap_min` is `session_gap_min` (minutes, 20 by
/// default): the most time between a photo and the next one of its session.
pub fn group_sessions<K: Ord + Clone>(photos: &[TimedPhoto<K>], gap_min: u32) -> Vec<SessionGroup<K>> {
    let mut by_class: BTreeMap<ClassId, Vec<&TimedPhoto<K>>> = BTreeMap::new();
    for photo in photos {
        by_class.entry(photo.class).or_default().push(photo);
    }
    let mut sessions: Vec<_> = by_class.into_values().flat_map(|class| sessions_of_class(class, gap_min)).collect();
    sessions
        .sort_by(|a, b| (a.starts_at, a.class, &a.name, &a.photos).cmp(&(b.starts_at, b.class, &b.name, &b.photos)));
    sessions
}

/// Photos of one class, joined along the shortest time differences first. A joining that would put two session names
/// together is left out, so a photo without a name goes to the nearer of two sessions.
fn sessions_of_class<K: Ord + Clone>(mut photos: Vec<&TimedPhoto<K>>, gap_min: u32) -> Vec<SessionGroup<K>> {
    photos.sort_by(|a, b| (a.at, &a.photo).cmp(&(b.at, &b.photo)));
    let names: Vec<Option<String>> = photos.iter().map(|p| p.session.as_deref().map(fold)).collect();
    let mut joined = Joined::new(names.clone());
    for (_, _, a, b) in joinings(&photos, &names, gap_min) {
        joined.join(a, b);
    }
    let mut groups: BTreeMap<usize, Vec<&TimedPhoto<K>>> = BTreeMap::new();
    for (place, photo) in photos.into_iter().enumerate() {
        groups.entry(joined.first_of(place)).or_default().push(photo);
    }
    groups.into_values().map(|photos| session_of(&photos)).collect()
}

/// Pairs of places in `photos` (sorted by time) that may be one session, nearest first. Of equally near pairs, as whole
/// minutes often make them, those of one name come first and then the others in the order of their names.
fn joinings<'n, K>(
    photos: &[&TimedPhoto<K>],
    names: &'n [Option<String>],
    gap_min: u32,
) -> Vec<(chrono::TimeDelta, Option<&'n str>, usize, usize)> {
    let gap = chrono::TimeDelta::minutes(i64::from(gap_min));
    let mut pairs = Vec::new();
    for a in 0..photos.len() {
        for b in (a + 1)..photos.len() {
            let apart = photos[b].at - photos[a].at;
            if apart > gap {
                break;
            }
            let is_one_name = names[a] == names[b];
            if is_one_name || names[a].is_none() || names[b].is_none() {
                let name = names[a].as_deref().or(names[b].as_deref()).filter(|_| !is_one_name);
                pairs.push((apart, name, a, b));
            }
            if is_one_name && names[a].is_some() {
                break; // `b` is certain to be of the same session, and whatever follows is nearer to it
            }
        }
    }
    pairs.sort_unstable();
    pairs
}

/// Disjoint sets of places, each with at most one session name.
struct Joined {
    parents: Vec<usize>,
    names: Vec<Option<String>>,
}

impl Joined {
    fn new(names: Vec<Option<String>>) -> Self {
        Self { parents: (0..names.len()).collect(), names }
    }

    /// The first place of the set that `place` is in.
    fn first_of(&mut self, mut place: usize) -> usize {
        while self.parents[place] != place {
            self.parents[place] = self.parents[self.parents[place]];
            place = self.parents[place];
        }
        place
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first_of(a), self.first_of(b));
        let (first, second) = (a.min(b), a.max(b));
        let is_contrary = self.names[a].is_some() && self.names[b].is_some() && self.names[a] != self.names[b];
        if a != b && !is_contrary {
            self.parents[second] = first;
            let name = self.names[second].take();
            self.names[first] = self.names[first].take().or(name);
        }
    }
}

/// The session of `photos`, which are sorted by time and at least one.
fn session_of<K: Ord + Clone>(photos: &[&TimedPhoto<K>]) -> SessionGroup<K> {
    let start = photos.iter().min_by_key(|photo| (photo.source, photo.at)).expect("a session has a photo");
    SessionGroup {
        class: start.class,
        // Of several spellings of one name the first in the alphabet: which, matters less than that it is always the same.
        name: photos.iter().filter_map(|photo| photo.session.clone()).min(),
        starts_at: start.at,
        photos: photos.iter().map(|photo| photo.photo.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeDelta};
    use proptest::prelude::*;

    use super::*;

    fn minute(minute: i64) -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 11, 16).unwrap().and_hms_opt(9, 0, 0).unwrap() + TimeDelta::minutes(minute)
    }

    fn taken(photo: u32, session: &str, at: i64) -> TimedPhoto<u32> {
        let session = Some(session.to_owned()).filter(|name| !name.is_empty());
        TimedPhoto { photo, class: ClassId(1), session, at: minute(at), source: TimeSource::Taken }
    }

    fn named(photo: u32, session: &str, at: i64) -> TimedPhoto<u32> {
        TimedPhoto { source: TimeSource::Named, ..taken(photo, session, at) }
    }

    /// Photos of every session.
    fn grouped(photos: &[TimedPhoto<u32>]) -> Vec<Vec<u32>> {
        group_sessions(photos, 20).into_iter().map(|session| session.photos).collect()
    }

    #[test]
    fn the_gap_divides_and_belongs_to_the_session() {
        assert_eq!(grouped(&[taken(1, "", 0), taken(2, "", 20), taken(3, "", 41)]), [vec![1, 2], vec![3]]);
    }

    #[test]
    fn photos_of_the_same_moment_are_one_session_even_without_a_gap() {
        let sessions = group_sessions(&[named(1, "Maths", 0), named(2, "maths", 0), named(3, "Maths", 1)], 0);
        assert_eq!(sessions.iter().map(|s| s.photos.clone()).collect::<Vec<_>>(), [vec![1, 2], vec![3]]);
        assert_eq!(sessions[0].name.as_deref(), Some("Maths"));
    }

    #[test]
    fn classes_and_session_names_keep_apart() {
        let other_class = TimedPhoto { class: ClassId(2), ..taken(2, "", 0) };
        assert_eq!(grouped(&[taken(1, "", 0), other_class]), [vec![1], vec![2]]);
        let interleaved = [taken(1, "Maths", 0), taken(2, "Physics", 1), taken(3, "Maths", 2), taken(4, "Physics", 3)];
        assert_eq!(grouped(&interleaved), [vec![1, 3], vec![2, 4]]);
    }

    #[test]
    fn a_photo_without_a_name_joins_the_nearer_session() {
        let photos =
            [taken(1, "Maths", 0), taken(2, "", 12), taken(3, "Physics", 20), taken(4, "", 3), taken(5, "", 60)];
        assert_eq!(grouped(&photos), [vec![1, 4], vec![2, 3], vec![5]]);
        let chain = [taken(1, "Maths", 0), taken(2, "", 15), taken(3, "", 30)];
        assert_eq!(grouped(&chain), [[1, 2, 3]]);
        let even = [taken(1, "Physics", 0), taken(2, "Maths", 0), taken(3, "", 0)];
        assert_eq!(grouped(&even), [vec![2, 3], vec![1]], "Maths comes before Physics");
    }

    #[test]
    fn a_photo_of_another_session_does_not_part_two_neighbours() {
        let photos = [
            taken(1, "Maths", 0),
            taken(2, "", 2),
            taken(3, "Physics", 10),
            taken(4, "", 11),
            taken(5, "", 21),
            taken(6, "Maths", 22),
        ];
        assert_eq!(grouped(&photos), [vec![1, 2, 5, 6], vec![3, 4]]);
    }

    #[test]
    fn a_session_starts_when_its_name_says_or_with_its_first_photo() {
        let starts = |photos: &[TimedPhoto<u32>]| group_sessions(photos, 20)[0].starts_at;
        assert_eq!(starts(&[taken(1, "", 5), taken(2, "", 3)]), minute(3));
        assert_eq!(starts(&[taken(1, "", -2), named(2, "", 0), named(3, "", 10)]), minute(0));
    }

    #[test]
    fn no_photo_no_session() {
        assert!(grouped(&[]).is_empty());
    }

    fn photos() -> impl Strategy<Value = Vec<TimedPhoto<u32>>> {
        let photo = (1i64..3, prop::sample::select(vec!["", "Maths", "maths", "Physics"]), 0i64..150, any::<bool>());
        proptest::collection::vec(photo, 0..25).prop_map(|photos| {
            let timed = |(id, (class, session, at, is_named)): (u32, _)| {
                let photo = if is_named { named(id, session, at) } else { taken(id, session, at) };
                TimedPhoto { class: ClassId(class), ..photo }
            };
            (0..).zip(photos).map(timed).collect()
        })
    }

    proptest! {
        #[test]
        fn order_does_not_matter((sorted, shuffled) in photos().prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle()))) {
            prop_assert_eq!(group_sessions(&sorted, 20), group_sessions(&shuffled, 20));
        }

        #[test]
        fn every_photo_is_in_one_session_of_its_class_and_name(photos in photos()) {
            let sessions = group_sessions(&photos, 20);
            let mut seen: Vec<u32> = sessions.iter().flat_map(|session| session.photos.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..photos.len() as u32).collect::<Vec<_>>());
            for session in &sessions {
                for photo in session.photos.iter().map(|id| &photos[*id as usize]) {
                    prop_assert_eq!(photo.class, session.class);
                    let name = photo.session.as_deref().map(fold);
                    prop_assert!(name.is_none() || name == session.name.as_deref().map(fold));
                }
            }
        }

        #[test]
        fn photos_of_one_name_within_the_gap_are_one_session(photos in photos()) {
            let sessions = group_sessions(&photos, 20);
            let session_of = |id: u32| sessions.iter().position(|session| session.photos.contains(&id));
            for a in &photos {
                for b in &photos {
                    let is_one_name = a.session.is_some() && a.session.as_deref().map(fold) == b.session.as_deref().map(fold);
                    if a.class == b.class && is_one_name && (a.at - b.at).abs() <= TimeDelta::minutes(20) {
                        prop_assert_eq!(session_of(a.photo), session_of(b.photo));
                    }
                }
            }
        }

        #[test]
        fn sessions_of_one_name_are_farther_apart_than_the_gap(photos in photos()) {
            let sessions = group_sessions(&photos, 20);
            for (i, one) in sessions.iter().enumerate() {
                for other in &sessions[i + 1..] {
                    let is_joinable = one.class == other.class
                        && (one.name.as_deref().map(fold) == other.name.as_deref().map(fold)
                            || one.name.is_none() || other.name.is_none());
                    let near = one.photos.iter().any(|a| other.photos.iter().any(|b| {
                        (photos[*a as usize].at - photos[*b as usize].at).abs() <= TimeDelta::minutes(20)
                    }));
                    prop_assert!(!is_joinable || !near);
                }
            }
        }
    }
}
