//! The parts of JPEG that a forgiving decoder hides: cut-off files, damage in the middle, rare variants.
//!
//! The decoder fills what it cannot read with grey and reports success. A class photo that is grey from the third row on
//! would mark half a class absent, so completeness is checked here first (ITU-T T.81, annex B), then the picture is decoded
//! strictly, and only a picture that fails that is decoded forgivingly and comes with its damage. What strict decoding
//! passes over is looked for by [`entropy`].

use image::RgbImage;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{CUT_OFF, DecodeError, PhotoFormat, entropy, invalid, rare_kind};

/// Bytes that may follow `0xFF`.
mod marker {
    pub(super) const STUFFING: u8 = 0x00;
    pub(super) const TEM: u8 = 0x01;
    /// A progressive frame with Huffman codes.
    pub(super) const PROGRESSIVE: u8 = 0xC2;
    pub(super) const SOI: u8 = 0xD8;
    pub(super) const EOI: u8 = 0xD9;
    pub(super) const SOS: u8 = 0xDA;
    pub(super) const FILL: u8 = 0xFF;

    pub(super) const fn is_restart(code: u8) -> bool {
        matches!(code, 0xD0..=0xD7)
    }

    /// Segments that may follow a scan: tables, restart interval, DNL, APPn, comment. Frame headers may not.
    pub(super) const fn may_end_scan(code: u8) -> bool {
        matches!(code, 0xC4 | 0xCC | EOI..=0xDF | 0xE0..=0xEF | 0xFE)
    }
}

/// Whether the pixels of a file that has its end are all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Intact,
    Damaged,
}

/// Refuses the variants that no photo uses and the decoder reports as damage.
///
/// # Errors
/// `Unsupported` when the first frame is lossless, hierarchical or arithmetic-coded (T.81, table B.1).
pub(super) fn check_variant(bytes: &[u8]) -> Result<(), DecodeError> {
    match first_frame(bytes) {
        None | Some(0xC0..=marker::PROGRESSIVE) => Ok(()),
        Some(_) => Err(rare_kind(PhotoFormat::Jpeg)),
    }
}

/// Whether the first frame is progressive: all of its coefficients are held until the last scan.
pub(super) fn is_progressive(bytes: &[u8]) -> bool {
    first_frame(bytes) == Some(marker::PROGRESSIVE)
}

/// Which kind the first frame is of (T.81, table B.1), where one stands before the first scan.
fn first_frame(bytes: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        let (code, after) = next_marker(bytes, at)?;
        at = match code {
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => return Some(code),
            marker::SOS | marker::EOI => return None,
            marker::SOI | marker::TEM => after,
            _ => after_segment(bytes, after)?,
        };
    }
}

/// Pixels of a JPEG as stored.
///
/// `lenient` decodes the same bytes forgivingly; it is called only after strict decoding failed.
///
/// # Errors
/// `Invalid` when the file ends before its picture does or when its lower part cannot be read, and those of `lenient`.
pub(super) fn pixels(
    bytes: &[u8],
    lenient: impl FnOnce() -> Result<RgbImage, DecodeError>,
) -> Result<(RgbImage, Condition), DecodeError> {
    if !reaches_its_end(bytes) {
        return Err(invalid(CUT_OFF));
    }
    if let Some(pixels) = strict(bytes) {
        let condition = entropy::irregularity(bytes).map_or(Condition::Intact, |_| Condition::Damaged);
        return Ok((pixels, condition));
    }
    let pixels = lenient()?;
    let readable_percent = 100 * readable_rows(&pixels) / pixels.height();
    if readable_percent < 99 {
        return Err(invalid(format!(
            "the file is damaged, only the upper {readable_percent} % of the picture can be read; send it again"
        )));
    }
    Ok((pixels, Condition::Damaged))
}

/// Any colour model to RGB8; `None` at the first irregularity.
fn strict(bytes: &[u8]) -> Option<RgbImage> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let rgb = decoder.decode().ok()?;
    let (width, height) = decoder.dimensions()?;
    RgbImage::from_raw(width as u32, height as u32, rgb)
}

/// Rows above the grey (128) with which the decoder fills what it could not read.
fn readable_rows(pixels: &RgbImage) -> u32 {
    let grey = pixels.rows().rev().take_while(|row| row.clone().all(|pixel| pixel.0 == [128; 3])).count();
    pixels.height() - grey as u32
}

/// Whether an end-of-image marker closes the first picture. What comes after it is nobody's business: phones append
/// second pictures, videos and trailers. Thumbnails lie inside segments and are skipped with them.
fn reaches_its_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some((code, after)) = next_marker(bytes, at) {
        at = match code {
            marker::EOI => return true,
            marker::SOI | marker::TEM => after,
            _ if marker::is_restart(code) => after,
            marker::SOS => match after_segment(bytes, after) {
                Some(data) => end_of_scan(bytes, data),
                None => return false,
            },
            _ => match after_segment(bytes, after) {
                Some(next) => next,
                None => return false,
            },
        };
    }
    false
}

/// One segment of the first picture, and what follows its header.
pub(super) struct Segment<'a> {
    /// The byte after 0xFF.
    pub(super) code: u8,
    /// Without the two bytes of its length.
    pub(super) body: &'a [u8],
    /// The entropy-coded data behind a scan's header; empty for other segments.
    pub(super) coded: &'a [u8],
}

/// The segments up to the end of the picture, or up to what cannot be read.
pub(super) fn segments(bytes: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut at = 2;
    std::iter::from_fn(move || {
        loop {
            let (code, after) = next_marker(bytes, at)?;
            if matches!(code, marker::SOI | marker::TEM) || marker::is_restart(code) {
                at = after;
                continue;
            }
            if code == marker::EOI {
                return None;
            }
            let end = after_segment(bytes, after)?;
            at = if code == marker::SOS { end_of_scan(bytes, end) } else { end };
            return Some(Segment { code, body: bytes.get(after + 2..end)?, coded: &bytes[end..at] });
        }
    })
}

/// The next marker code at or after `at`, with the position behind it; stray data before it is skipped.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == marker::FILL)? + 1;
        match *bytes.get(at)? {
            marker::STUFFING | marker::FILL => {}
            code => return Some((code, at + 1)),
        }
    }
}

/// Skips a segment whose two-byte length, which counts itself, stands at `at`.
fn after_segment(bytes: &[u8], at: usize) -> Option<usize> {
    let length = u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
    let end = at + usize::from(length.max(2));
    (end <= bytes.len()).then_some(end)
}

/// Position of the marker that ends the entropy-coded data at `at`, or the end of the file.
fn end_of_scan(bytes: &[u8], mut at: usize) -> usize {
    while let Some(offset) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == marker::FILL)) {
        at += offset;
        match bytes.get(at + 1) {
            Some(&code) if marker::may_end_scan(code) => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SOI, an APP1 whose thumbnail has its own end, one scan with stuffing, a restart and fill bytes, EOI.
    const WHOLE: &[u8] = &[
        0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xD8, 0xFF, 0xD9, 0xFF, 0xDA, 0, 3, 1, 0x12, 0xFF, 0, 0x34, 0xFF, 0xD0,
        0x56, 0xFF, 0xFF, 0xFF, 0xD9,
    ];

    #[test]
    fn only_the_pictures_own_end_counts() {
        assert!(reaches_its_end(WHOLE));
        for len in 0..WHOLE.len() {
            assert!(!reaches_its_end(&WHOLE[..len]), "{len} bytes");
        }
        assert!(reaches_its_end(&[WHOLE, b"SEFT trailer \xFF\xD8"].concat()));
    }

    #[test]
    fn codes_that_no_scan_can_end_with_are_data() {
        let damaged = [&WHOLE[..15], &[0xFF, 0x02, 0xFF, 0xC0, 0x7F, 0xFF, 0xD9]].concat();
        assert!(reaches_its_end(&damaged));
    }

    #[test]
    fn lossless_and_arithmetic_files_are_called_rare_not_damaged() {
        for code in [0xC3, 0xC9, 0xCA] {
            let error = check_variant(&[0xFF, 0xD8, 0xFF, code, 0, 2]).unwrap_err();
            assert!(matches!(error, DecodeError::Unsupported { .. }), "{error}");
        }
        for code in [0xC0, 0xC1, 0xC2] {
            assert_eq!(check_variant(&[0xFF, 0xD8, 0xFF, code, 0, 2]), Ok(()));
        }
    }
}
