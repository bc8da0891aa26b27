//! The order of roll numbers as a person expects it.

use std::cmp::Ordering;

/// `CSE-A-2` before `CSE-A-10`: runs of ASCII digits compare as numbers of any length, everything else by character
/// without regard to case. Texts that differ only in case or leading zeros are told apart last, so that the order is
/// total and two runs over the same class give the same sheet.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        let (Some(first_a), Some(first_b)) = (rest_a.chars().next(), rest_b.chars().next()) else {
            return rest_a.len().cmp(&rest_b.len()).then_with(|| a.cmp(b));
        };
        let order = if first_a.is_ascii_digit() && first_b.is_ascii_digit() {
            by_number(take_digits(&mut rest_a), take_digits(&mut rest_b))
        } else {
            rest_a = &rest_a[first_a.len_utf8()..];
            rest_b = &rest_b[first_b.len_utf8()..];
            first_a.to_lowercase().cmp(first_b.to_lowercase())
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Cuts the digits off the front of `text` and returns them without leading zeros.
fn take_digits<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits.trim_start_matches('0')
}

fn by_number(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_inside_roll_numbers_compare_as_numbers() {
        let mut rolls =
            ["CSE-A-10", "CSE-B-1", "CSE-A-2", "cse-a-1", "CSE-A-02", "", "7", "99999999999999999999999", "CSE-A"];
        rolls.sort_by(|a, b| natural_order(a, b));
        let expected =
            ["", "7", "99999999999999999999999", "CSE-A", "cse-a-1", "CSE-A-02", "CSE-A-2", "CSE-A-10", "CSE-B-1"];
        assert_eq!(rolls, expected);
    }

    fn roll() -> impl Strategy<Value = String> {
        proptest::string::string_regex("[aAbé0-2-]{0,6}").expect("the pattern is a valid regex")
    }

    proptest! {
        #[test]
        fn any_two_numbers_keep_their_order(a in any::<u64>(), b in any::<u64>()) {
            prop_assert_eq!(natural_order(&format!("R{a}x"), &format!("R{b}x")), a.cmp(&b));
        }

        #[test]
        fn the_order_is_total(a in roll(), b in roll(), c in roll()) {
            prop_assert_eq!(natural_order(&a, &b), natural_order(&b, &a).reverse());
            prop_assert_eq!(natural_order(&a, &b).is_eq(), a == b);
            if natural_order(&a, &b).is_le() && natural_order(&b, &c).is_le() {
                prop_assert!(natural_order(&a, &c).is_le());
            }
        }
    }
}
