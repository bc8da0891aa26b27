//! Strangers whose vectors were deleted when their session was confirmed: what was known of them stays known.

use std::collections::BTreeMap;

use super::fusion::Fused;
use super::ids::FaceId;
use super::status::Verdict;

impl Fused {
    /// Without vectors every face is a person of its own; those of `known`, faces with the number of the person they were
    /// grouped as before, are made one person again, so that the head count stays what it was.
    pub fn keep_people(&mut self, known: &[(FaceId, u32)]) {
        let mut person_now: BTreeMap<u32, u32> = BTreeMap::new();
        for face in self.faces.iter_mut().filter(|face| face.verdict.verdict == Verdict::Stranger) {
            let Some((_, before)) = known.iter().find(|(id, _)| *id == face.verdict.face) else { continue };
            match person_now.get(before) {
                Some(person) => {
                    face.person = *person;
                    self.strangers = self.strangers.saturating_sub(1);
                }
                None => {
                    person_now.insert(*before, face.person);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::assign::Probe;
    use super::super::assign::tests::{class_of, probe, scoring64};
    use super::super::fusion::fuse;
    use super::*;

    fn without_vector(face: i64) -> Probe {
        Probe { face: FaceId(face), vector: None }
    }

    #[test]
    fn forgotten_strangers_stay_as_many_people_as_they_were() {
        let photos = [vec![without_vector(1), without_vector(2)], vec![without_vector(3), probe(4, &[(0, 0.9)])]];
        let mut fused = fuse(&photos, &class_of(2), &scoring64());
        assert_eq!(fused.strangers, 3, "nothing says that two of them are one");
        fused.keep_people(&[(FaceId(1), 5), (FaceId(2), 0), (FaceId(3), 5)]);
        assert_eq!(fused.strangers, 2);
        let people: Vec<u32> = fused.faces.iter().map(|face| face.person).collect();
        assert!(people[0] == people[2] && people[0] != people[1] && people[3] != people[0], "{people:?}");
    }

    #[test]
    fn who_is_no_stranger_any_more_is_not_grouped_with_them() {
        let mut fused = fuse(&[vec![without_vector(1)], vec![probe(2, &[(0, 0.9)])]], &class_of(2), &scoring64());
        let before = fused.clone();
        fused.keep_people(&[(FaceId(1), 7), (FaceId(2), 7)]);
        assert_eq!(fused, before);
    }
}
