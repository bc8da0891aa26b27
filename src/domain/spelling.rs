//! When two spellings mean the same: what people type, what a file system makes of it, and what stands in the roster.
//!
//! Called by everything that matches text against existing classes, students and columns. It decides equality only; what
//! is shown or stored is always the text as it was written first.

/// The form in which labels are compared: lower case, Latin letters without accents, every run of blanks, underscores,
/// dots and characters that no file name may hold as one blank, every kind of dash as `-`.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_combining_accent(*c)) {
        match c {
            '_' | '.' | '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => push_blank(&mut folded),
            c if c.is_whitespace() || c.is_control() => push_blank(&mut folded),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => folded.push('-'),
            c => folded.extend(c.to_lowercase().filter(|c| !is_combining_accent(*c)).map(without_accent)),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// The text with the letters of Latin-1 and Latin Extended-A in the plain form that ASCII has for them: `Überblick` is
/// `Uberblick`, `œuvre` is `oeuvre`. What has none stays as it is.
pub fn latin(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_combining_accent(*c)) {
        match c {
            'ß' => plain.push_str("ss"),
            'æ' => plain.push_str("ae"),
            'Æ' => plain.push_str("AE"),
            'œ' => plain.push_str("oe"),
            'Œ' => plain.push_str("OE"),
            c if c.is_uppercase() && !c.is_ascii() => {
                let lower = c.to_lowercase().next().map(without_accent).filter(char::is_ascii);
                plain.push(lower.map_or(c, |lower| lower.to_ascii_uppercase()));
            }
            c => plain.push(without_accent(c)),
        }
    }
    plain
}

/// [`fold`] for the names of people, in which a hyphen is a blank and an apostrophe is nothing: `Anne-Marie O'Neil` is
/// `anne_marie_oneil`.
pub fn fold_person(name: &str) -> String {
    let plain: String =
        name.chars().filter(|c| !matches!(c, '\'' | '`' | '\u{2019}' | '\u{2018}' | '\u{02bc}' | '\u{00b4}')).collect();
    fold(&fold(&plain).replace('-', " "))
}

/// The form in which identifiers (PRN) are compared: only case and outer blanks do not count.
pub fn fold_identifier(text: &str) -> String {
    text.trim().to_lowercase()
}

/// The known spelling that `said` probably meant: fewest edits, at most one in four letters; the first of equals.
pub fn nearest<'a>(said: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(said);
    let most = (wanted.chars().count() / 4).max(1);
    let (distance, best) =
        known.into_iter().map(|k| (edit_distance(&wanted, &fold(k)), k)).min_by_key(|(distance, _)| *distance)?;
    (distance <= most).then_some(best)
}

/// Optimal string alignment distance in characters (insert, delete, replace and swapping two neighbours cost 1 each;
/// Damerau 1964 without editing a swapped pair again), of the first 128 of each text.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(COMPARED_CHARS).collect();
    let b: Vec<char> = b.chars().take(COMPARED_CHARS).collect();
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

/// Suggestions are for typing mistakes; nobody needs one for a text longer than this.
const COMPARED_CHARS: usize = 128;

fn push_blank(folded: &mut String) {
    if !folded.is_empty() && !folded.ends_with(' ') {
        folded.push(' ');
    }
}

/// Some file systems store `é` as `e` and an accent.
fn is_combining_accent(c: char) -> bool {
    ('\u{0300}'..='\u{036f}').contains(&c)
}

/// The base letter of a lower-case letter of Latin-1 and Latin Extended-A; every other character as it is.
fn without_accent(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'ĥ' | 'ħ' => 'h',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => 'i',
        'ĵ' => 'j',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => 'o',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ŧ' | 'ț' => 't',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ŵ' => 'w',
        'ý' | 'ÿ' | 'ŷ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blanks_underscores_dots_and_case_do_not_count() {
        assert_eq!(fold("  Data__Structures .II "), "data structures ii");
        assert_eq!(fold("CSE\u{2013}A"), "cse-a");
        assert_eq!(fold("CS/07"), "cs 07");
    }

    #[test]
    fn composed_and_decomposed_accents_are_equal() {
        assert_eq!(fold("Jos\u{e9}"), fold("Jose\u{301}"));
        assert_eq!(fold("JOSÉ"), "jose");
        assert_eq!(fold("İzmir"), "izmir");
    }

    #[test]
    fn latin_letters_lose_their_accents_and_keep_their_case() {
        assert_eq!(
            latin("Überblick: Čeština, Français E\u{301}t\u{e9}, œuvre, Straße"),
            "Uberblick: Cestina, Francais Ete, oeuvre, Strasse"
        );
        assert_eq!(latin("आरव Я İ"), "आरव Я I");
    }

    #[test]
    fn letters_of_other_scripts_stay_distinct() {
        assert_ne!(fold("आरव"), fold("आराव"));
    }

    #[test]
    fn hyphens_and_apostrophes_do_not_count_in_names_of_people() {
        assert_eq!(fold_person("Anne-Marie O\u{2019}Neil"), "anne marie oneil");
        assert_ne!(fold("CSE-A"), fold("CSE A"));
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("roll", "rlol"), 1);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn nearest_suggests_typing_mistakes_only() {
        assert_eq!(nearest("CES-A", ["AIML-B", "CSE-A"]), Some("CSE-A"));
        assert_eq!(nearest("EEE-A", ["CSE-A"]), None, "two edits in five letters are too many");
        assert_eq!(nearest("consnt", ["email", "consent"]), Some("consent"));
        assert_eq!(nearest("holiday pictures", ["CSE-A"]), None);
        assert_eq!(nearest("x", []), None);
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
            prop_assert_eq!(fold_person(&fold_person(&text)), fold_person(&text));
        }

        #[test]
        fn distance_is_symmetric_and_bounded(a in "\\PC{0,20}", b in "\\PC{0,20}") {
            let distance = edit_distance(&a, &b);
            prop_assert_eq!(distance, edit_distance(&b, &a));
            prop_assert!(distance <= a.chars().count().max(b.chars().count()));
            prop_assert_eq!(distance == 0, a == b);
        }
    }
}
