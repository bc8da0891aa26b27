//! Writing a calibration into a manifest: `[scoring]` is replaced, everything else stays as somebody wrote it.
//!
//! Called by `evaluate --calibrate`. It computes nothing.

use std::fs;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, value};

use super::manifest::{Manifest, Provenance, Scoring};
use super::{MANIFEST_FILE, PackError, folder_name};

/// Replaces `[scoring]` in the manifest of the pack in `dir`; `comment` goes above it. Written beside and moved into place,
/// so a reader sees the old manifest or the new one.
///
/// # Errors
/// [`PackError::Unreadable`] for a file that cannot be read or written, [`PackError::Manifest`] for a manifest that is not
/// one, before or after.
pub fn rescore(dir: &Path, scoring: &Scoring, comment: &str) -> Result<(), PackError> {
    let file = dir.join(MANIFEST_FILE);
    let unreadable = |source| PackError::Unreadable { name: folder_name(dir), file: MANIFEST_FILE.to_owned(), source };
    let old = fs::read_to_string(&file).map_err(unreadable)?;
    let new =
        rescored(&old, scoring, comment).map_err(|reason| PackError::Manifest { name: folder_name(dir), reason })?;
    let unfinished = dir.join(format!("{MANIFEST_FILE}.new"));
    fs::write(&unfinished, new).and_then(|()| fs::rename(&unfinished, &file)).map_err(unreadable)
}

/// The text of a manifest with another `[scoring]`.
///
/// # Errors
/// A sentence on what is wrong with the manifest.
pub fn rescored(manifest: &str, scoring: &Scoring, comment: &str) -> Result<String, String> {
    let mut document: DocumentMut = manifest.parse().map_err(|e: toml_edit::TomlError| e.to_string())?;
    let mut block = block(scoring, comment);
    if let Some(Item::Table(old)) = document.get("scoring") {
        block.set_position(old.position().unwrap_or(usize::MAX));
    }
    document.insert("scoring", Item::Table(block));
    let text = document.to_string();
    Manifest::parse(&text)?;
    Ok(text)
}

/// `[scoring]` alone, as `rescored` writes it.
pub fn scoring_block(scoring: &Scoring, comment: &str) -> String {
    let mut document = DocumentMut::new();
    document.insert("scoring", Item::Table(block(scoring, comment)));
    document.to_string().trim_start().to_owned()
}

fn block(scoring: &Scoring, comment: &str) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix(format!("\n# {comment}\n"));
    table.insert("accept", number(scoring.accept));
    table.insert("doubt", number(scoring.doubt));
    table.insert("margin", number(scoring.margin));
    table.insert("provenance", Item::Table(provenance(&scoring.provenance)));
    let mut llr = Table::new();
    llr.insert("slope", number(scoring.llr.slope));
    llr.insert("intercept", number(scoring.llr.intercept));
    llr.insert("provenance", value(&scoring.llr.provenance));
    table.insert("llr", Item::Table(llr));
    table
}

fn provenance(said: &Provenance) -> Table {
    let mut table = Table::new();
    table.insert("data", value(&said.data));
    let counts = [
        ("people", said.people),
        ("images", said.images),
        ("impostor_comparisons", Some(said.impostor_comparisons)),
        ("genuine_comparisons", Some(said.genuine_comparisons)),
        ("impostors_at_accept", said.impostors_at_accept),
        ("people_pairs_at_accept", said.people_pairs_at_accept),
    ];
    for (name, count) in counts {
        if let Some(count) = count {
            table.insert(name, value(i64::try_from(count).unwrap_or(i64::MAX)));
        }
    }
    table.insert("date", value(&said.date));
    table.insert("rule", value(&said.rule));
    table.insert("margin", value(&said.margin));
    table
}

/// The shortest decimal that reads back as the same f32; its exact f64 value would be a long tail of digits.
fn number(v: f32) -> Item {
    value(v.to_string().parse::<f64>().expect("a printed f32 reads as f64"))
}

#[cfg(test)]
mod tests {
    use super::super::manifest::LogLikelihoodRatio;
    use super::*;

    const STARTER: &str = include_str!("../../models/starter/pack.toml");

    fn scoring() -> Scoring {
        Scoring {
            accept: 18.31,
            doubt: 21.02,
            margin: 0.45,
            provenance: Provenance {
                data: "someone's \"people\"".to_owned(),
                people: Some(208),
                images: Some(1001),
                impostor_comparisons: 3_000_000,
                genuine_comparisons: 12_000,
                impostors_at_accept: Some(29),
                people_pairs_at_accept: Some(12),
                date: "2026-11-21".to_owned(),
                rule: "one line\nand another".to_owned(),
                margin: "smallest".to_owned(),
            },
            llr: LogLikelihoodRatio { slope: 1.9, intercept: 40.125, provenance: "fitted".to_owned() },
        }
    }

    #[test]
    fn only_the_scoring_changes() {
        let text = rescored(STARTER, &scoring(), "accept is cosine 0.5").unwrap();
        let (new, old) = (Manifest::parse(&text).unwrap(), Manifest::parse(STARTER).unwrap());
        assert_eq!(new.scoring, scoring());
        assert_eq!(Manifest { scoring: old.scoring.clone(), ..new }, old);
        let before =
            |text: &str| text.split("# Combined").next().unwrap().split("# accept is").next().unwrap().to_owned();
        assert_eq!(before(&text).trim_end(), before(STARTER).trim_end(), "comments and order stay");
        assert!(text.contains("\n# accept is cosine 0.5\n[scoring]\naccept = 18.31\n"), "{text}");
    }

    #[test]
    fn writing_twice_is_writing_once() {
        let once = rescored(STARTER, &scoring(), "c").unwrap();
        assert_eq!(rescored(&once, &scoring(), "c").unwrap(), once);
        assert!(once.ends_with(scoring_block(&scoring(), "c").as_str()));
    }

    #[test]
    fn lines_that_make_no_sense_are_never_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(MANIFEST_FILE);
        fs::write(&file, STARTER).unwrap();
        let crossed = Scoring { accept: 25.0, ..scoring() };
        assert!(rescore(dir.path(), &crossed, "c").unwrap_err().to_string().contains("accept"));
        assert_eq!(fs::read_to_string(&file).unwrap(), STARTER);
        rescore(dir.path(), &scoring(), "c").unwrap();
        assert_eq!(Manifest::parse(&fs::read_to_string(&file).unwrap()).unwrap().scoring, scoring());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
