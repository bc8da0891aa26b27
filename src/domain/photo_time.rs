//! Dates and times as they stand in file names and manifests, and which one of several counts.
//!
//! Called by [`photo_name`](super::photo_name) and [`manifest`](super::manifest). Names hold school time and nothing is
//! guessed: what looks like a date and is none is an error, what is not said is left to the photo's EXIF.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use thiserror::Error;

/// What a name says about when a photo was taken, in the school's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamedTime {
    Unsaid,
    Date(NaiveDate),
    Moment(NaiveDateTime),
}

/// Why nobody knows when a photo was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TimeError {
    #[error(
        "photo has no time: neither its name nor its EXIF data says one; name it <Class>-<Section>_<YYYY-MM-DD>_<HHMM>"
    )]
    Missing,
    #[error(
        "name says {named}, the camera says {taken}; add the time to the name: <Class>-<Section>_<YYYY-MM-DD>_<HHMM>"
    )]
    OtherDate { named: NaiveDate, taken: NaiveDate },
}

impl NamedTime {
    /// The photo's time, from the name, else from the camera (`taken_at`: EXIF, already in the school's time zone).
    ///
    /// # Errors
    /// [`TimeError::Missing`] when neither knows, [`TimeError::OtherDate`] when they name different days.
    pub fn resolve(self, taken_at: Option<NaiveDateTime>) -> Result<NaiveDateTime, TimeError> {
        match (self, taken_at) {
            (Self::Moment(moment), _) => Ok(moment),
            (_, None) => Err(TimeError::Missing),
            (Self::Unsaid, Some(taken)) => Ok(taken),
            (Self::Date(named), Some(taken)) if named == taken.date() => Ok(taken),
            (Self::Date(named), Some(taken)) => Err(TimeError::OtherDate { named, taken: taken.date() }),
        }
    }

    /// What two names of one photo (the nearer one first) say together; `None` when they name different days.
    pub(crate) fn or(self, farther: Self) -> Option<Self> {
        match (self, farther) {
            (said, Self::Unsaid) | (Self::Unsaid, said) => Some(said),
            (Self::Moment(near), Self::Moment(far)) => (near.date() == far.date()).then_some(self),
            (Self::Date(near), Self::Date(far)) => (near == far).then_some(self),
            (Self::Moment(moment), Self::Date(date)) | (Self::Date(date), Self::Moment(moment)) => {
                (moment.date() == date).then_some(Self::Moment(moment))
            }
        }
    }
}

/// A timestamp of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamp {
    /// In the school's time zone.
    Local(NaiveDateTime),
    /// With its own offset.
    Zoned(DateTime<FixedOffset>),
}

impl Timestamp {
    /// Reads `2026-11-16T09:00[:00[.000]]`, with `T` or a blank, and `Z` or `+05:30` behind it when it has an offset.
    pub fn parse(text: &str) -> Option<Self> {
        const LOCAL: [&str; 2] = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"];
        const ZONED: [&str; 2] = ["%Y-%m-%dT%H:%M%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"];
        let text = text.trim().replacen([' ', 't'], "T", 1).replace(['Z', 'z'], "+00:00");
        if !text.get(..10).is_some_and(|date| is_shape(date, "dddd-dd-dd")) {
            return None;
        }
        let local = LOCAL.iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok()).map(Self::Local);
        local.or_else(|| ZONED.iter().find_map(|form| DateTime::parse_from_str(&text, form).ok()).map(Self::Zoned))
    }

    /// The wall-clock time in the school's time `zone`.
    pub fn local(self, zone: &impl TimeZone) -> NaiveDateTime {
        match self {
            Self::Local(local) => local,
            Self::Zoned(zoned) => zoned.with_timezone(zone).naive_local(),
        }
    }
}

/// A word that looks like a date (or like a date and a time) and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoSuchTime {
    pub(crate) text: String,
}

/// Reads the words at which a file name says its date: `word` and, for the time, the `next` one. `None` when `word` does
/// not look like a date; then it is an ordinary word.
///
/// Dates are `YYYY-MM-DD`, `YYYY.MM.DD` and `YYYYMMDD`; times `HHMM`, `HHMMSS`, `HH-MM`, `HH-MM-SS` (`.` and `:` too), in
/// the next word or behind the date and a `T` or `-`. What follows a time in its word is ignored.
pub(crate) fn named_time(word: &str, next: Option<&str>) -> Option<Result<NamedTime, NoSuchTime>> {
    let (date, rest) = split_date(word)?;
    let joined = rest.strip_prefix(['T', 't', '-']);
    let time_text = joined.or(next.filter(|_| rest.is_empty())).unwrap_or("");
    let bad = || NoSuchTime { text: if joined.is_some() { word.to_owned() } else { format!("{word} {time_text}") } };
    Some(match (date, time_at_start(time_text)) {
        (None, _) => Err(NoSuchTime { text: word.to_owned() }),
        (Some(_), Some(None)) => Err(bad()),
        (Some(date), Some(Some(time))) => Ok(NamedTime::Moment(date.and_time(time))),
        (Some(date), None) => Ok(NamedTime::Date(date)),
    })
}

/// The date at the start of `word` (`None` for one that no calendar has) and what follows it.
fn split_date(word: &str) -> Option<(Option<NaiveDate>, &str)> {
    let starts = |shape: &str| word.get(..shape.len()).is_some_and(|start| is_shape(start, shape));
    let (digits, rest) = if starts("dddd-dd-dd") || starts("dddd.dd.dd") {
        (format!("{}{}{}", &word[..4], &word[5..7], &word[8..10]), &word[10..])
    } else if starts("dddddddd") {
        (word[..8].to_owned(), &word[8..])
    } else {
        return None;
    };
    let is_joined = rest.starts_with(['T', 't']) && rest[1..].starts_with(|c: char| c.is_ascii_digit());
    let is_word_end = !rest.starts_with(char::is_alphanumeric);
    let is_our_time = digits.starts_with("19") || digits.starts_with("20");
    if !(is_joined || is_word_end) || (!is_our_time && starts("dddddddd")) {
        return None; // a counter or a hash
    }
    let date = NaiveDate::parse_from_str(&digits, "%Y%m%d").ok().filter(|_| is_our_time);
    Some((date, rest))
}

/// The time at the start of `text`: `None` when nothing there looks like one, `Some(None)` for one that no clock shows.
fn time_at_start(text: &str) -> Option<Option<NaiveTime>> {
    const SHAPES: [&str; 8] = ["dd-dd-dd", "dd.dd.dd", "dd:dd:dd", "dddddd", "dd-dd", "dd.dd", "dd:dd", "dddd"];
    let fits = |shape: &&&str| {
        text.get(..shape.len()).is_some_and(|start| is_shape(start, shape))
            && !text[shape.len()..].starts_with(|c: char| c.is_ascii_digit())
    };
    let shape = SHAPES.iter().find(fits)?;
    let digits: Vec<u32> = text[..shape.len()].chars().filter_map(|c| c.to_digit(10)).collect();
    let number = |at: usize| digits.get(at..at + 2).map_or(0, |pair| pair[0] * 10 + pair[1]);
    Some(NaiveTime::from_hms_opt(number(0), number(2), number(4)))
}

/// Whether `text` has the form of `shape`, in which `d` stands for a digit.
fn is_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(t, s)| if s == b'd' { t.is_ascii_digit() } else { t == s })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, day).unwrap()
    }

    fn moment(hour: u32, minute: u32, second: u32) -> NaiveDateTime {
        date(16).and_hms_opt(hour, minute, second).unwrap()
    }

    fn read(text: &str) -> Option<Result<NamedTime, String>> {
        let (word, next) = text.split_once(' ').map_or((text, None), |(word, next)| (word, Some(next)));
        named_time(word, next).map(|said| said.map_err(|bad| bad.text))
    }

    #[test]
    fn every_accepted_form_reads_the_same() {
        for form in [
            "2026-11-16 0900",
            "2026-11-16 09-00",
            "2026-11-16 09.00",
            "2026-11-16 090000",
            "2026-11-16 09-00-00",
            "2026.11.16 0900",
            "20261116 0900",
            "20261116 090000",
            "20261116T090000",
            "20261116-090000",
            "2026-11-16T09-00",
            "2026-11-16-0900",
            "2026-11-16 0900-left",
            "2026-11-16 0900(1)",
            "2026-11-16 0900left",
            "2026-11-16 09-00-1",
        ] {
            assert_eq!(read(form), Some(Ok(NamedTime::Moment(moment(9, 0, 0)))), "{form}");
        }
        assert_eq!(read("20261116 235958"), Some(Ok(NamedTime::Moment(moment(23, 59, 58)))));
    }

    #[test]
    fn a_date_stands_without_a_time() {
        for form in
            ["2026-11-16", "2026-11-16 left", "20261116 1", "2026-11-16-left", "2026-11-16(1)", "20261116 09031234"]
        {
            assert_eq!(read(form), Some(Ok(NamedTime::Date(date(16)))), "{form}");
        }
    }

    #[test]
    fn what_looks_like_a_time_and_is_none_is_bad() {
        for (form, bad) in [
            ("2026-13-16 0900", "2026-13-16"),
            ("2026-02-29", "2026-02-29"),
            ("0026-11-16", "0026-11-16"),
            ("20261345 0900", "20261345"),
            ("2026-11-16 2400", "2026-11-16 2400"),
            ("2026-11-16 0960", "2026-11-16 0960"),
            ("2026-11-16 09-75", "2026-11-16 09-75"),
            ("2026-11-16T0975", "2026-11-16T0975"),
            ("2026-11-16 235960", "2026-11-16 235960"),
        ] {
            assert_eq!(read(form), Some(Err(bad.to_owned())), "{form}");
        }
    }

    #[test]
    fn ordinary_words_counters_and_hashes_are_no_dates() {
        for word in [
            "Maths",
            "0900",
            "IMG1234",
            "12345678",
            "202611161",
            "20261116ab",
            "2026-11-161",
            "2026-11-1",
            "é026-11-16",
        ] {
            assert_eq!(read(word), None, "{word}");
        }
    }

    #[test]
    fn the_name_counts_before_the_camera() {
        let camera = Some(moment(9, 4, 0));
        assert_eq!(NamedTime::Moment(moment(9, 0, 0)).resolve(camera), Ok(moment(9, 0, 0)));
        assert_eq!(NamedTime::Moment(moment(9, 0, 0)).resolve(None), Ok(moment(9, 0, 0)));
        assert_eq!(NamedTime::Date(date(16)).resolve(camera), Ok(moment(9, 4, 0)));
        assert_eq!(NamedTime::Unsaid.resolve(camera), Ok(moment(9, 4, 0)));
    }

    #[test]
    fn a_time_is_asked_for_and_never_guessed() {
        let other_date = TimeError::OtherDate { named: date(17), taken: date(16) };
        assert_eq!(NamedTime::Unsaid.resolve(None), Err(TimeError::Missing));
        assert_eq!(NamedTime::Date(date(16)).resolve(None), Err(TimeError::Missing));
        assert_eq!(NamedTime::Date(date(17)).resolve(Some(moment(9, 4, 0))), Err(other_date));
    }

    #[test]
    fn the_nearer_name_counts_on_the_same_day() {
        let (early, late) = (NamedTime::Moment(moment(9, 0, 0)), NamedTime::Moment(moment(9, 5, 0)));
        assert_eq!(late.or(early), Some(late));
        assert_eq!(NamedTime::Date(date(16)).or(early), Some(early));
        assert_eq!(early.or(NamedTime::Date(date(16))), Some(early));
        assert_eq!(NamedTime::Unsaid.or(early), Some(early));
        assert_eq!(early.or(NamedTime::Date(date(17))), None);
        assert_eq!(NamedTime::Date(date(17)).or(NamedTime::Date(date(16))), None);
    }

    #[test]
    fn manifest_timestamps_come_with_and_without_offset() {
        let local = Some(Timestamp::Local(moment(9, 0, 0)));
        for form in ["2026-11-16T09:00", "2026-11-16 09:00", "2026-11-16T09:00:00", " 2026-11-16t09:00:00.000 "] {
            assert_eq!(Timestamp::parse(form), local, "{form}");
        }
        let india = FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
        for form in
            ["2026-11-16T03:30Z", "2026-11-16 09:00+05:30", "2026-11-16T09:00:00+0530", "2026-11-16T03:30:00.0Z"]
        {
            let read = Timestamp::parse(form).unwrap();
            assert!(matches!(read, Timestamp::Zoned(_)), "{form}");
            assert_eq!(read.local(&india), moment(9, 0, 0), "{form}");
        }
        for form in [
            "",
            "2026-11-16",
            "09:00",
            "16.11.2026 09:00",
            "2026-11-16T24:01",
            "2026-11-16T09:00 PM",
            "+2026-11-16T09:00",
        ] {
            assert_eq!(Timestamp::parse(form), None, "{form}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_words_never_panic(word in "\\PC{0,30}", next in proptest::option::of("\\PC{0,20}")) {
            let _ = named_time(&word, next.as_deref());
            let _ = Timestamp::parse(&word);
        }

        #[test]
        fn date_like_words_never_panic(word in "[0-9T.:é-]{0,16}", next in proptest::option::of("[0-9.:é-]{0,9}")) {
            let _ = named_time(&word, next.as_deref());
            let _ = Timestamp::parse(&word);
        }

        #[test]
        fn every_minute_round_trips(minutes in 0i64..(199 * 365 * 1440)) {
            let start = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
            let moment = start + chrono::TimeDelta::minutes(minutes);
            let word = moment.format("%Y-%m-%d").to_string();
            let time = moment.format("%H%M").to_string();
            prop_assert_eq!(named_time(&word, Some(&time)), Some(Ok(NamedTime::Moment(moment))));
            let stamp = moment.format("%Y-%m-%dT%H:%M").to_string();
            prop_assert_eq!(Timestamp::parse(&stamp), Some(Timestamp::Local(moment)));
        }
    }
}
