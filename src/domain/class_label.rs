//! How a class is called on paper: `CSE-A`. Finds existing classes in what people wrote.
//!
//! Used by [`photo_name`](super::photo_name) and by whoever is told a class by name and section. It knows no ids but
//! those it was given; it never invents a class and never picks one of several that fit.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use crate::domain::ids::ClassId;
use crate::domain::spelling::{fold, nearest};

/// An existing class of the term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassRef {
    pub id: ClassId,
    pub name: String,
    pub section: String,
}

impl fmt::Display for ClassRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.section)
    }
}

/// Classes that a text fits, as places in the list of classes.
pub(crate) type Fitting = BTreeSet<usize>;

/// The classes of the term, ready to be looked up by label. Name and section may hold `-`, `_` and blanks themselves.
#[derive(Debug, Clone)]
pub struct ClassLabels {
    classes: Vec<ClassRef>,
    /// `cse-a`, `cse a` and `cse - a`.
    spelled: HashMap<String, Fitting>,
    /// `cse-a` alone: the only form that is recognised in the middle of other words.
    hyphened: HashMap<String, Fitting>,
    sections: HashSet<String>,
}

impl ClassLabels {
    pub fn new(classes: Vec<ClassRef>) -> Self {
        let mut spelled: HashMap<String, Fitting> = HashMap::new();
        let mut hyphened: HashMap<String, Fitting> = HashMap::new();
        let mut sections = HashSet::new();
        for (place, class) in classes.iter().enumerate() {
            let (name, section) = (fold(&class.name), fold(&class.section));
            for between in ["-", " ", " - "] {
                spelled.entry(format!("{name}{between}{section}")).or_default().insert(place);
            }
            hyphened.entry(format!("{name}-{section}")).or_default().insert(place);
            sections.insert(section);
        }
        Self { classes, spelled, hyphened, sections }
    }

    pub fn classes(&self) -> &[ClassRef] {
        &self.classes
    }

    /// The classes whose name and section are these, apart from spelling; more than one only when the list itself holds
    /// a class twice.
    pub fn named(&self, name: &str, section: &str) -> Vec<&ClassRef> {
        let wanted = (fold(name), fold(section));
        self.classes.iter().filter(|class| (fold(&class.name), fold(&class.section)) == wanted).collect()
    }

    /// The label of an existing class that `said` probably means.
    pub fn nearest(&self, said: &str) -> Option<String> {
        let labels: Vec<String> = self.classes.iter().map(ToString::to_string).collect();
        nearest(said, labels.iter().map(String::as_str)).map(str::to_owned)
    }

    /// The classes whose label is all of `text`, with any separator.
    pub(crate) fn spelled(&self, text: &str) -> Fitting {
        self.spelled.get(&fold(text)).cloned().unwrap_or_default()
    }

    /// The classes whose label with a hyphen is all of `text`.
    pub(crate) fn hyphened(&self, text: &str) -> Fitting {
        self.hyphened.get(&fold(text)).cloned().unwrap_or_default()
    }

    /// Whether the last word of `text` reads like `<Class>-<Section>`: a section that this school has, or one letter.
    pub(crate) fn claimed<'t>(&self, text: &'t str) -> Option<&'t str> {
        let word = text.rsplit(' ').next()?;
        let (name, section) = word.rsplit_once('-')?;
        let is_section = self.sections.contains(&fold(section))
            || (section.len() == 1 && section.starts_with(|c: char| c.is_ascii_alphabetic()));
        (name.starts_with(char::is_alphabetic) && is_section).then_some(word)
    }
}

#[cfg(test)]
pub(crate) fn class_refs(classes: &[(&str, &str)]) -> Vec<ClassRef> {
    let class = |(id, (name, section)): (i64, &(&str, &str))| ClassRef {
        id: ClassId(id),
        name: (*name).to_owned(),
        section: (*section).to_owned(),
    };
    (1..).zip(classes).map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter_and_separators_do() {
        let labels = ClassLabels::new(class_refs(&[("Data Science", "B"), ("Data-Science", "B")]));
        assert_eq!(labels.spelled("data_science-b"), Fitting::from([0]));
        assert_eq!(labels.spelled("DATA-SCIENCE_B"), Fitting::from([1]));
        assert_eq!(labels.spelled("Data Science - B"), Fitting::from([0]));
        assert_eq!(labels.hyphened("data science b"), Fitting::new());
    }

    #[test]
    fn a_label_that_two_classes_share_fits_both() {
        let labels = ClassLabels::new(class_refs(&[("CSE-A", "B"), ("CSE", "A-B")]));
        assert_eq!(labels.spelled("CSE-A-B"), Fitting::from([0, 1]));
        assert_eq!(labels.spelled("CSE_A-B"), Fitting::from([1]));
        assert_eq!(labels.spelled("CSE-A_B"), Fitting::from([0]));
    }

    #[test]
    fn classes_are_found_by_name_and_section() {
        let labels = ClassLabels::new(class_refs(&[("CSE", "A"), ("AIML", "B")]));
        assert_eq!(labels.named("aiml", " b "), [&labels.classes()[1]]);
        assert!(labels.named("AIML", "A").is_empty());
        assert_eq!(labels.nearest("CES-A"), Some("CSE-A".to_owned()));
    }

    #[test]
    fn words_that_read_like_a_class_are_told_from_others() {
        let labels = ClassLabels::new(class_refs(&[("CSE", "A1")]));
        assert_eq!(labels.claimed("Maths ECE-a1"), Some("ECE-a1"));
        assert_eq!(labels.claimed("ECE-Q"), Some("ECE-Q"));
        assert_eq!(labels.claimed("Data-Structures"), None);
        assert_eq!(labels.claimed("Physics-2"), None);
        assert_eq!(labels.claimed("2026-A"), None);
        assert_eq!(labels.claimed(""), None);
    }
}
