//! What people say about faces, and which face of a photo they said it about.
//!
//! A decision is kept by its place in the photo. When the photo is looked at again, its faces are new ones, a little to the
//! side of the old: each decision goes to the face that covers its place best. Called by `app` whenever a session is settled.

use super::geometry::BoundingBox;
use super::ids::MemberId;

/// A face counts as the one that was decided about when it covers the place at least so well (intersection over union).
/// One half is the usual line for "the same object" (PASCAL VOC, Everingham et al. 2010); no two faces that do not overlap
/// each other can both exceed it.
pub const SAME_PLACE_IOU: f32 = 0.5;

/// What a person says about a face; it wins over what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It is this member.
    Member(MemberId),
    /// It is nobody of the class.
    Stranger,
}

impl Decision {
    pub const fn member(self) -> Option<MemberId> {
        match self {
            Self::Member(member) => Some(member),
            Self::Stranger => None,
        }
    }
}

/// A decision with its place in the photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decided {
    pub place: BoundingBox,
    pub decision: Decision,
}

/// The face that each decision of a photo is about, as its index in `faces`; `None` where there is no such face any more.
///
/// The best-fitting pairs go first (of equal ones the earlier decision, then the earlier face). A decision gets at most one
/// face, a face at most one decision, and no two faces the same member.
pub fn found_again(decisions: &[Decided], faces: &[BoundingBox]) -> Vec<Option<usize>> {
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (d, decided) in decisions.iter().enumerate() {
        for (f, face) in faces.iter().enumerate() {
            let iou = decided.place.iou(face);
            if iou >= SAME_PLACE_IOU {
                pairs.push((iou, d, f));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut found: Vec<Option<usize>> = vec![None; decisions.len()];
    let mut named: Vec<MemberId> = Vec::new();
    for (_, d, f) in pairs {
        let member = decisions[d].decision.member();
        let is_free = found[d].is_none() && !found.contains(&Some(f)) && !member.is_some_and(|m| named.contains(&m));
        if is_free {
            found[d] = Some(f);
            named.extend(member);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn square(x: f32) -> BoundingBox {
        BoundingBox::from_xywh(x, 0.0, 10.0, 10.0)
    }

    fn said(x: f32, member: i64) -> Decided {
        Decided { place: square(x), decision: Decision::Member(MemberId(member)) }
    }

    #[test]
    fn a_face_a_little_to_the_side_is_the_same() {
        // Shifted by 3 of 10 pixels the overlap is 7/13, by 4 it is 6/14.
        assert_eq!(found_again(&[said(0.0, 1)], &[square(50.0), square(3.0)]), [Some(1)]);
        assert_eq!(found_again(&[said(0.0, 1)], &[square(4.0)]), [None]);
        assert_eq!(found_again(&[], &[square(0.0)]), []);
    }

    #[test]
    fn the_best_fit_goes_first_and_nothing_is_given_twice() {
        let one_in_reach = [square(1.0), square(30.0)];
        assert_eq!(found_again(&[said(0.0, 1), said(1.0, 2)], &one_in_reach), [None, Some(0)]);
        assert_eq!(found_again(&[said(2.0, 1), said(3.0, 2)], &[square(1.0), square(3.0)]), [Some(0), Some(1)]);
    }

    #[test]
    fn a_member_is_found_once() {
        let twice = [said(0.0, 1), said(50.5, 1)];
        assert_eq!(found_again(&twice, &[square(0.0), square(50.0)]), [Some(0), None]);
        let strangers = twice.map(|s| Decided { decision: Decision::Stranger, ..s });
        assert_eq!(found_again(&strangers, &[square(0.0), square(50.0)]), [Some(0), Some(1)]);
    }

    proptest! {
        #[test]
        fn every_pair_fits_and_is_the_only_one(
            places in proptest::collection::vec((0.0_f32..40.0, 0_i64..4), 0..6),
            faces in proptest::collection::vec(0.0_f32..40.0, 0..6),
        ) {
            let decisions: Vec<Decided> = places.iter().map(|(x, member)| said(*x, *member)).collect();
            let faces: Vec<BoundingBox> = faces.iter().map(|x| square(*x)).collect();
            let found = found_again(&decisions, &faces);
            prop_assert_eq!(found.len(), decisions.len());
            let pairs: Vec<(usize, usize)> = found.iter().enumerate().filter_map(|(d, f)| Some((d, (*f)?))).collect();
            for (i, (d, f)) in pairs.iter().enumerate() {
                prop_assert!(decisions[*d].place.iou(&faces[*f]) >= SAME_PLACE_IOU);
                for (other, face) in &pairs[i + 1..] {
                    prop_assert!(f != face && decisions[*d].decision != decisions[*other].decision);
                }
            }
        }

        #[test]
        fn faces_that_did_not_move_keep_their_decisions(xs in proptest::collection::btree_set(0_u16..200, 0..8)) {
            // At least 11 pixels apart, so that none overlap.
            let decisions: Vec<Decided> =
                xs.iter().enumerate().map(|(i, x)| said(f32::from(*x) * 11.0, i as i64)).collect();
            let faces: Vec<BoundingBox> = decisions.iter().map(|d| d.place).collect();
            let expected: Vec<Option<usize>> = (0..faces.len()).map(Some).collect();
            prop_assert_eq!(found_again(&decisions, &faces), expected);
        }
    }
}
