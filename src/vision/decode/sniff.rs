//! What kind of file some bytes are. Names and endings lie (`photo.png` is often a JPEG), first bytes seldom do.

use super::{DecodeError, PhotoFormat, invalid};

const SAVE_AS_JPEG: &str = "open it and save or export it as JPEG";

/// The format of a picture that [`super::decode`] reads.
///
/// # Errors
/// `Invalid` for an empty file or one of zeros only, `Unsupported` with the likely kind and a way out for everything else.
pub(super) fn format(bytes: &[u8]) -> Result<PhotoFormat, DecodeError> {
    if bytes.is_empty() {
        return Err(invalid("the file is empty; send it again"));
    }
    if let Some(format) = readable(bytes) {
        return Ok(format);
    }
    if bytes.iter().all(|&byte| byte == 0) {
        return Err(invalid("the file holds only zeros: it was not copied to the end; send it again"));
    }
    let (what, advice) = foreign(bytes);
    Err(DecodeError::Unsupported { what: what.to_owned(), advice: advice.to_owned() })
}

fn readable(bytes: &[u8]) -> Option<PhotoFormat> {
    match bytes {
        [0xFF, 0xD8, ..] => Some(PhotoFormat::Jpeg),
        [0x89, b'P', b'N', b'G', ..] => Some(PhotoFormat::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(PhotoFormat::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(PhotoFormat::WebP),
        // Canon raw files are TIFFs that say so; their first picture is a thumbnail.
        [b'I', b'I', 42, 0, _, _, _, _, b'C', b'R', ..] => None,
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(PhotoFormat::Tiff),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] if is_heic(brand) => Some(PhotoFormat::Heic),
        _ if is_bmp(bytes) => Some(PhotoFormat::Bmp),
        _ => None,
    }
}

/// Brands of still pictures in HEVC (ISO/IEC 23008-12, B.4), and the general one that some phones write first.
fn is_heic(brand: &[u8]) -> bool {
    const STILL: [&[u8; 4]; 5] = [b"heic", b"heix", b"heim", b"heis", b"mif1"];
    STILL.iter().any(|still| brand.starts_with(*still))
}

/// "BM" alone also starts many a text: the size of the second header must be one that exists.
fn is_bmp(bytes: &[u8]) -> bool {
    let header_size = bytes.get(14..18).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    bytes.starts_with(b"BM") && matches!(header_size, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// What a file of another kind seems to be, and what to do about it.
fn foreign(bytes: &[u8]) -> (&'static str, &'static str) {
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => iso_media(bytes),
        [b'%', b'P', b'D', b'F', ..] => ("a PDF document", "save its photo as JPEG and send that"),
        [b'P', b'K', 3, 4, ..] => ("a ZIP archive or office document", "unpack it and send the photos in it"),
        [0xFF, 0x0A, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => ("a JPEG XL picture", SAVE_AS_JPEG),
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => ("a JPEG 2000 picture", SAVE_AS_JPEG),
        [b'8', b'B', b'P', b'S', ..] => ("a Photoshop document", SAVE_AS_JPEG),
        [0, 0, 1, 0, ..] => ("an icon", "send a photo"),
        [b'I', b'I', 42, 0, ..] | [b'I', b'I', b'R' | b'U', ..] => ("a camera raw file", SAVE_AS_JPEG),
        _ if bytes.starts_with(b"FUJIFILM") => ("a camera raw file", SAVE_AS_JPEG),
        [0x1A, 0x45, 0xDF, 0xA3, ..] | [b'R', b'I', b'F', b'F', ..] => {
            ("a video or sound file", "take a photo instead")
        }
        _ => text(bytes).unwrap_or(("a file of unknown kind", "send a JPEG or PNG photo")),
    }
}

/// ISO base media files (`ftyp` box): phones use them for photos, live photos and videos.
fn iso_media(bytes: &[u8]) -> (&'static str, &'static str) {
    match bytes.get(8..12) {
        Some(b"avif" | b"avis") => ("an AVIF picture", SAVE_AS_JPEG),
        Some(b"hevc" | b"hevx" | b"hevm" | b"hevs" | b"msf1") => ("a HEIC series", "send one photo of it as JPEG"),
        Some(b"crx ") => ("a camera raw file", SAVE_AS_JPEG),
        _ => ("a video", "take a photo instead"),
    }
}

fn text(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let start = &bytes[..bytes.len().min(1024)];
    // A character may be cut in two at the end of the sample.
    let valid = match str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(&start[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    if valid.is_empty() || valid.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let lower = valid.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    Some(if lower.contains("<svg") {
        ("an SVG drawing", "send a photo")
    } else if lower.starts_with("<!doctype html") || lower.contains("<html") {
        ("a web page", "the download went wrong: save the picture itself")
    } else {
        ("a text file", "send a JPEG or PNG photo")
    })
}

/// Whether a GIF holds more than one frame, by walking its blocks (GIF89a specification, 1990) without decoding any.
/// A GIF that ends early counts what is there.
pub(super) fn gif_is_animated(bytes: &[u8]) -> bool {
    gif_frames(bytes).take(2).count() == 2
}

/// One item for each image descriptor.
fn gif_frames(bytes: &[u8]) -> impl Iterator<Item = ()> {
    const HEADER_LEN: usize = 13;
    let mut at = HEADER_LEN + bytes.get(10).map_or(0, |&flags| colour_table_len(flags));
    std::iter::from_fn(move || {
        loop {
            match *bytes.get(at)? {
                // Extension: introducer, label, data.
                0x21 => at = after_sub_blocks(bytes, at + 2)?,
                // Image: descriptor of 10 bytes, its own colour table, code size, data.
                0x2C => {
                    let flags = *bytes.get(at + 9)?;
                    at = after_sub_blocks(bytes, at + 10 + colour_table_len(flags) + 1).unwrap_or(bytes.len());
                    return Some(());
                }
                _ => return None,
            }
        }
    })
}

fn colour_table_len(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Position after a chain of sub-blocks (length byte, data) that a length of zero ends.
fn after_sub_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let len = usize::from(*bytes.get(at)?);
        at += 1 + len;
        if len == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        format(bytes).unwrap_err().to_string()
    }

    #[test]
    fn files_of_other_kinds_are_named_and_come_with_advice() {
        for (bytes, words) in [
            (&b"\0\0\0\x18ftyphevc\0\0\0\0"[..], ["HEIC series", "JPEG"]),
            (b"\0\0\0\x18ftypavif\0\0\0\0", ["AVIF", "JPEG"]),
            (b"\0\0\0\x18ftypisom\0\0\0\0", ["video", "photo"]),
            (b"%PDF-1.7\n", ["PDF", "JPEG"]),
            (b"PK\x03\x04....", ["ZIP", "unpack"]),
            (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"\"/>", ["SVG", "photo"]),
            (b"<!DOCTYPE html><title>404</title>", ["web page", "download"]),
            ("höflich".as_bytes(), ["text", "JPEG"]),
            (b"BMW 320, blue", ["text", "JPEG"]),
            (b"II*\0\x10\0\0\0CR\x02\0", ["raw", "JPEG"]),
            (b"\x01\x02\x03\xFE\xFF\x80\x99", ["unknown", "JPEG"]),
        ] {
            let text = refusal(bytes);
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }

    #[test]
    fn empty_and_zero_filled_files_are_invalid() {
        assert!(refusal(b"").contains("empty"));
        assert!(refusal(&[0; 4096]).contains("zeros"));
    }

    #[test]
    fn a_text_cut_inside_a_character_is_still_text() {
        let text = format!("{}é", "x".repeat(1023));
        assert!(refusal(text.as_bytes()).contains("text"));
    }
}
