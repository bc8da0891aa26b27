//! When a photo was taken, from its EXIF block. Broken or hostile metadata yields nothing, never an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{Datelike, NaiveDate, NaiveDateTime};
use exif::{DateTime, Exif, In, Reader, Tag, Value};

/// Wall clock of the camera, and how far it was ahead of UTC if the camera says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CaptureTime {
    pub(super) at: NaiveDateTime,
    pub(super) offset_min: Option<i32>,
}

/// The tag of a moment with the tag of its offset, best first: shutter, digitisation, last change of the file.
const MOMENTS: [(Tag, Tag); 3] = [
    (Tag::DateTimeOriginal, Tag::OffsetTimeOriginal),
    (Tag::DateTimeDigitized, Tag::OffsetTimeDigitized),
    (Tag::DateTime, Tag::OffsetTime),
];

/// Years in which a digital class photo can have been taken; a camera that lost its clock says 1970 or 1980.
const PLAUSIBLE_YEARS: std::ops::Range<i32> = 1990..2100;

/// `exif_block` starts with the TIFF header (`II*` or `MM*`).
pub(super) fn read(exif_block: Vec<u8>) -> Option<CaptureTime> {
    // A bug in the metadata reader costs the date, not the photo.
    catch_unwind(AssertUnwindSafe(|| {
        let exif = parse(exif_block)?;
        MOMENTS.iter().find_map(|&(moment, offset)| capture_time(&exif, moment, offset))
    }))
    .ok()
    .flatten()
}

/// Keeps what can be read when single fields are broken.
fn parse(exif_block: Vec<u8>) -> Option<Exif> {
    Reader::new()
        .continue_on_error(true)
        .read_raw(exif_block)
        .or_else(|error| error.distill_partial_result(|_| ()))
        .ok()
}

fn capture_time(exif: &Exif, moment: Tag, offset: Tag) -> Option<CaptureTime> {
    let at = moment_of(&DateTime::from_ascii(ascii(exif, moment)?).ok()?)?;
    Some(CaptureTime { at, offset_min: ascii(exif, offset).and_then(offset_min) })
}

fn ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(lines) => lines.first().map(Vec::as_slice),
        _ => None,
    }
}

fn moment_of(text: &DateTime) -> Option<NaiveDateTime> {
    let date = NaiveDate::from_ymd_opt(text.year.into(), text.month.into(), text.day.into())?;
    let at = date.and_hms_opt(text.hour.into(), text.minute.into(), text.second.into())?;
    PLAUSIBLE_YEARS.contains(&at.year()).then_some(at)
}

/// `+05:30` -> 330. Zones lie between -12:00 and +14:00.
fn offset_min(text: &[u8]) -> Option<i32> {
    let text = str::from_utf8(text).ok()?.trim();
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    let total = sign * (i32::from(hours) * 60 + i32::from(minutes));
    (minutes < 60 && (-12 * 60..=14 * 60).contains(&total)).then_some(total)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vision::decode::tests::exif_block;

    fn block(fields: &[(Tag, &str)]) -> Vec<u8> {
        exif_block(fields.iter().map(|(tag, text)| (*tag, Value::Ascii(vec![text.as_bytes().to_vec()]))))
    }

    fn at(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn shutter_time_wins_over_the_others_and_brings_its_own_offset() {
        let exif = block(&[
            (Tag::DateTime, "2026:11:20 18:00:00"),
            (Tag::DateTimeOriginal, "2026:11:16 09:00:07"),
            (Tag::OffsetTimeOriginal, "+05:30"),
            (Tag::OffsetTime, "-03:00"),
        ]);
        assert_eq!(read(exif), Some(CaptureTime { at: at("2026-11-16T09:00:07"), offset_min: Some(330) }));
    }

    #[test]
    fn a_nonsense_shutter_time_falls_back_to_the_next_one() {
        let exif = block(&[(Tag::DateTimeOriginal, "0000:00:00 00:00:00"), (Tag::DateTime, "2026:11:16 09:00:00")]);
        assert_eq!(read(exif), Some(CaptureTime { at: at("2026-11-16T09:00:00"), offset_min: None }));
    }

    #[test]
    fn dates_that_never_were_are_no_dates() {
        for text in [
            "2026:02:30 09:00:00",
            "2026:13:01 09:00:00",
            "2026:11:16 25:00:00",
            "1970:01:01 00:00:00",
            "    :  :     :  :  ",
            "2026-11-16",
            "",
        ] {
            assert_eq!(read(block(&[(Tag::DateTimeOriginal, text)])), None, "{text:?}");
        }
    }

    #[test]
    fn offsets_outside_the_world_are_ignored() {
        for (text, minutes) in [
            ("+05:30", Some(330)),
            ("-11:00", Some(-660)),
            ("+14:00", Some(840)),
            ("+15:00", None),
            ("-13:00", None),
            ("+05:60", None),
            ("   :  ", None),
            ("Z", None),
            ("+é:00", None),
        ] {
            assert_eq!(offset_min(text.as_bytes()), minutes, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_block_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0usize..3) {
            let mut block = [&b"II*\0\x08\0\0\0"[..], b"MM\0*\0\0\0\x08", b""][start].to_vec();
            block.extend(bytes);
            read(block);
        }

        #[test]
        fn a_broken_byte_gives_a_plausible_date_or_none(position in 0usize..200, value in any::<u8>()) {
            let mut exif = block(&[(Tag::DateTimeOriginal, "2026:11:16 09:00:00")]);
            let position = position % exif.len();
            exif[position] = value;
            if let Some(captured) = read(exif) {
                prop_assert!(PLAUSIBLE_YEARS.contains(&captured.at.year()));
            }
        }
    }
}
