//! What the path of a photo in a batch folder says: its class, its session and its time.
//!
//! Called by the nightly batch for every file below its folder. Three places may speak: folders (`CSE-A/...`), the file
//! name (`[Session_]<Class>-<Section>_<YYYY-MM-DD>_<HHMM>[_anything].jpg`, also with `_` between class and section), and
//! the class that the caller asked for. They must agree on exactly one existing class. A wrong class marks a whole class
//! absent, so whatever fits twice, contradicts itself or names a class that does not exist is an error with the
//! candidates, never a choice. Nothing is opened here: what a file really is, is found by looking into it.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use thiserror::Error;

use crate::domain::class_label::{ClassLabels, Fitting};
use crate::domain::ids::ClassId;
use crate::domain::photo_time::{NamedTime, NoSuchTime, named_time};
use crate::domain::spelling::fold;

/// A photo whose path was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPhoto {
    pub class: ClassId,
    /// The session as its name was written, underscores as blanks.
    pub session: Option<String>,
    pub time: NamedTime,
}

/// Why a path does not say to which class a photo belongs, or when it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Several readings, or places that contradict each other.
    #[error("name can be read in more than one way: {}; rename it or list it in manifest.csv", .candidates.join(" | "))]
    Ambiguous { candidates: Vec<String> },
    /// No existing class fits `said`.
    #[error("no class is called {said:?}{}; import its roster or rename the photo", did_you_mean(.nearest.as_deref()))]
    UnknownClass { said: String, nearest: Option<String> },
    /// `text` stands where the time belongs.
    #[error("{text:?} is no date and time; write <YYYY-MM-DD>_<HHMM>")]
    BadTimestamp { text: String },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|label| format!(" (is {label} meant?)")).unwrap_or_default()
}

/// Whether a directory walk should hand on the file at `path` (relative to the batch folder). Kinds that we cannot read
/// count too, so that they are reported; hidden files and folders, tables and texts do not.
pub fn looks_like_photo(path: &Path) -> bool {
    const EXTENSIONS: [&str; 14] =
        ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "gif", "tif", "tiff", "heic", "heif", "avif", "jxl"];
    let is_hidden = path.components().any(|part| match part {
        Component::Normal(name) => name.to_string_lossy().starts_with('.') || name == "__MACOSX",
        _ => false,
    });
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    !is_hidden && extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

/// Reads `path` (relative to the batch folder) against the classes of the term. The class `asked` for by the caller
/// decides where the path says nothing or allows it among others; it never overrules the path.
///
/// # Errors
/// [`NameError`]: see its variants.
pub fn read_photo_name(path: &Path, labels: &ClassLabels, asked: Option<ClassId>) -> Result<NamedPhoto, NameError> {
    let parts = spoken(path, labels)?;
    let class = agreed_class(&parts, labels, asked)?;
    let mut photo = NamedPhoto { class: labels.classes()[class].id, session: None, time: NamedTime::Unsaid };
    for part in &parts {
        let (session, time) = part.about(class)?;
        photo.time = photo.time.or(time).ok_or_else(|| ambiguous(&parts, labels))?;
        photo.session = photo.session.or(session);
    }
    Ok(photo)
}

/// One folder name or the file name without its extension, and what it says.
#[derive(Debug)]
struct Part {
    text: String,
    kind: PartKind,
    readings: BTreeSet<Reading>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartKind {
    File,
    Folder,
}

/// One way to read a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reading {
    /// Place in the list of classes.
    class: Option<usize>,
    session: Option<String>,
    time: NamedTime,
}

impl Part {
    fn classes(&self) -> Fitting {
        self.readings.iter().filter_map(|reading| reading.class).collect()
    }

    /// Session and time if the photo is one of `class`.
    fn about(&self, class: usize) -> Result<(Option<String>, NamedTime), NameError> {
        let fits = |reading: &&Reading| reading.class.is_none_or(|c| c == class);
        let mut fitting = self.readings.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (None, _) => Ok((None, NamedTime::Unsaid)),
            (Some(only), None) => Ok((only.session.clone(), only.time)),
            (Some(_), Some(_)) => {
                let candidates = self.readings.iter().filter(fits).map(|r| r.in_words(&self.text, "it")).collect();
                Err(NameError::Ambiguous { candidates })
            }
        }
    }

    /// The class that this part seems to mean although there is none of that name.
    fn claimed_class<'a>(&'a self, labels: &ClassLabels) -> Option<&'a str> {
        match (self.readings.first(), self.kind) {
            (Some(Reading { class: None, session: Some(session), .. }), _) => labels.claimed(session),
            (None, PartKind::Folder) => labels.claimed(&self.text),
            _ => None,
        }
    }
}

impl Reading {
    fn in_words(&self, text: &str, class: &str) -> String {
        let session = self.session.as_ref().map(|s| format!("session {s:?} of ")).unwrap_or_default();
        let time = match self.time {
            NamedTime::Unsaid => String::new(),
            NamedTime::Date(date) => format!(" on {date}"),
            NamedTime::Moment(moment) => format!(" at {}", moment.format("%Y-%m-%d %H:%M:%S")),
        };
        format!("{text:?} as {session}{class}{time}")
    }
}

/// What every part of `path` says, the file first and then its folders outwards.
fn spoken(path: &Path, labels: &ClassLabels) -> Result<Vec<Part>, NameError> {
    let folders = path.parent().into_iter().flat_map(Path::components).rev().filter_map(|part| match part {
        Component::Normal(name) => Some((name, PartKind::Folder)),
        _ => None,
    });
    let file = path.file_stem().map(|stem| (stem, PartKind::File));
    file.into_iter()
        .chain(folders)
        .map(|(name, kind)| {
            let text = spaced(&name.to_string_lossy());
            Ok(Part { readings: readings(&text, labels)?, kind, text })
        })
        .collect()
}

/// Underscores and blanks are one separator.
fn spaced(text: &str) -> String {
    text.split(|c: char| c == '_' || c.is_whitespace()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Every way to read `text`. Names are anchored at their date: what ends directly before it is the class, what is left
/// of the class is the session, so neither a session called like a class nor anything behind the time confuses.
fn readings(text: &str, labels: &ClassLabels) -> Result<BTreeSet<Reading>, NameError> {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let anchors: Vec<_> = (0..words.len())
        .filter_map(|i| Some((words[..i].join(" "), named_time(words[i], words.get(i + 1).copied())?)))
        .collect();
    let mut found = BTreeSet::new();
    for (left, time) in &anchors {
        for (class, session) in class_at_end(left, labels) {
            found.insert(Reading { class: Some(class), session, time: time.clone().map_err(bad_timestamp)? });
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let Some((left, time)) = anchors.into_iter().next() else {
        return Ok(mentioned(&words, labels, NamedTime::Unsaid));
    };
    if fold(&left) == "pxl" {
        // Such cameras write UTC into the name; EXIF holds the wall clock.
        return Ok(BTreeSet::new());
    }
    let time = time.map_err(bad_timestamp)?;
    let mut found = if left.is_empty() { mentioned(&words, labels, time) } else { BTreeSet::new() };
    if found.is_empty() {
        found.insert(Reading { class: None, session: session_name(&left).filter(|s| !is_of_a_camera(s)), time });
    }
    Ok(found)
}

fn bad_timestamp(bad: NoSuchTime) -> NameError {
    NameError::BadTimestamp { text: bad.text }
}

/// Every class whose label ends `left` at a word boundary, with the session name before it.
fn class_at_end(left: &str, labels: &ClassLabels) -> Vec<(usize, Option<String>)> {
    let starts = std::iter::once(0).chain(left.match_indices(' ').map(|(blank, _)| blank + 1));
    starts
        .flat_map(|start| {
            let session = session_name(&left[..start]);
            labels.spelled(&left[start..]).into_iter().map(move |class| (class, session.clone()))
        })
        .collect()
}

/// Classes in a text in which no date tells where they have to stand: all of it, or `<Class>-<Section>` among its words.
fn mentioned(words: &[&str], labels: &ClassLabels, time: NamedTime) -> BTreeSet<Reading> {
    let mut classes = labels.spelled(&words.join(" "));
    for start in 0..words.len() {
        for end in start + 1..=words.len().min(start + MOST_WORDS_OF_A_LABEL) {
            classes.extend(labels.hyphened(&words[start..end].join(" ")));
        }
    }
    classes.into_iter().map(|class| Reading { class: Some(class), session: None, time }).collect()
}

/// Keeps the search through a long text linear; no school calls a class by more words.
const MOST_WORDS_OF_A_LABEL: usize = 12;

fn session_name(left: &str) -> Option<String> {
    let name = left.trim_end_matches([' ', '-']).trim_start_matches([' ', '-']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// Whether the words before a date are those of a camera or a messenger (`IMG_20261116_090312`), not of a person.
fn is_of_a_camera(session: &str) -> bool {
    const FIRST_WORDS: [&str; 11] =
        ["img", "image", "dsc", "dscn", "mvimg", "pano", "photo", "snap", "vid", "win", "screenshot"];
    let name = fold(session);
    let mut words = name.split(' ');
    name == "whatsapp image"
        || words.next().is_some_and(|word| FIRST_WORDS.contains(&word))
            && words.all(|word| word.bytes().all(|b| b.is_ascii_digit()))
}

/// The one class on which all places agree.
fn agreed_class(parts: &[Part], labels: &ClassLabels, asked: Option<ClassId>) -> Result<usize, NameError> {
    let said: Vec<Fitting> = parts.iter().map(Part::classes).filter(|classes| !classes.is_empty()).collect();
    let common = said.iter().cloned().reduce(|a, b| &a & &b);
    let unknown = |said: &str| NameError::UnknownClass { said: said.to_owned(), nearest: labels.nearest(said) };
    let is_unsaid = common.is_none();
    let claimed = parts
        .iter()
        .filter(|part| part.kind == PartKind::File || is_unsaid)
        .find_map(|part| part.claimed_class(labels));
    if let Some(claimed) = claimed {
        return Err(unknown(claimed));
    }
    let Some(asked) = asked else {
        return match common {
            None => Err(unknown(best_guess(parts))),
            Some(classes) if classes.len() == 1 => Ok(classes.into_iter().next().expect("the set has one element")),
            Some(_) => Err(ambiguous(parts, labels)),
        };
    };
    let fits = |class: &usize| labels.classes()[*class].id == asked;
    match common {
        Some(classes) => classes.into_iter().find(fits).ok_or_else(|| contradicts(parts, labels, asked)),
        None => (0..labels.classes().len()).find(fits).ok_or_else(|| unknown(&asked.to_string())),
    }
}

/// The text to show when nothing names a class: what stands before the date, else the outermost folder, else the name.
fn best_guess(parts: &[Part]) -> &str {
    let before_date = parts.iter().find_map(|part| part.readings.first()?.session.as_deref());
    before_date.or(parts.last().map(|part| part.text.as_str())).unwrap_or_default()
}

fn ambiguous(parts: &[Part], labels: &ClassLabels) -> NameError {
    let in_words = |part: &Part, reading: &Reading| {
        let class = reading.class.map_or_else(|| "some class".to_owned(), |class| labels.classes()[class].to_string());
        reading.in_words(&part.text, &class)
    };
    let candidates = parts.iter().flat_map(|part| part.readings.iter().map(move |r| in_words(part, r))).collect();
    NameError::Ambiguous { candidates }
}

fn contradicts(parts: &[Part], labels: &ClassLabels, asked: ClassId) -> NameError {
    let mut error = ambiguous(parts, labels);
    if let NameError::Ambiguous { candidates } = &mut error {
        let label = labels.classes().iter().find(|class| class.id == asked).map(ToString::to_string);
        candidates.push(format!("{} was asked for", label.unwrap_or_else(|| asked.to_string())));
    }
    error
}

#[cfg(test)]
mod tests;
