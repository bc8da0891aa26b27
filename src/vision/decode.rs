//! Bytes of a photo into upright RGB pixels, within limits, whatever the bytes are.
//!
//! What a file is, is read from its bytes, never from its name. Sizes are checked from the header before anything is
//! allocated, and a picture that is cut off is an error, never a grey lower half: a missing front row would be marked
//! absent. Called by `app` for class photos and portraits alike.

use std::fmt;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::NaiveDateTime;
use exif::{In, Tag, Value};
use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

/// What a photo may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Size of the file, bytes. Default: 10 MiB.
    pub max_bytes: u64,
    /// Width times height. Default: 50 million.
    pub max_pixels: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_bytes: 10 * 1024 * 1024, max_pixels: 50_000_000 }
    }
}

/// A kind of picture that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhotoFormat {
    Jpeg,
    Png,
    WebP,
    Bmp,
    Gif,
    Tiff,
}

/// A photo as pixels.
#[derive(Debug, Clone)]
pub struct DecodedPhoto {
    /// Upright: the camera's orientation was applied. Alpha is laid over white, 16 bits are reduced to 8.
    pub pixels: RgbImage,
    pub format: PhotoFormat,
    /// The camera's clock when the picture was taken, without a zone.
    pub captured_at: Option<NaiveDateTime>,
    pub warnings: Vec<DecodeWarning>,
}

/// What the result does not show of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeWarning {
    /// Only the first frame was looked at.
    Animated,
}

impl fmt::Display for DecodeWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Animated => f.write_str("animated: only the first frame was looked at"),
        }
    }
}

/// Why bytes are no photo, in words for whoever sent them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("{found}, at most {limit} is allowed")]
    TooLarge { found: String, limit: String },
    #[error("{what} cannot be read; {advice}")]
    Unsupported { what: &'static str, advice: &'static str },
    #[error("{reason}")]
    Invalid { reason: String },
}

impl DecodeError {
    /// A file of `bytes` where at most `limit` are allowed.
    pub fn too_many_bytes(bytes: u64, limit: u64) -> Self {
        let mib = |b: u64| format!("{:.1} MB", b as f64 / (1024.0 * 1024.0));
        Self::TooLarge { found: format!("the file has {}", mib(bytes)), limit: mib(limit) }
    }

    fn too_many_pixels(width: u32, height: u32, limit: u64) -> Self {
        let megapixels = u64::from(width) * u64::from(height) / 1_000_000;
        Self::TooLarge {
            found: format!("the picture is {width} x {height} ({megapixels} megapixels)"),
            limit: format!("{} megapixels", limit / 1_000_000),
        }
    }

    fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: reason.into() }
    }
}

/// Tells the kind of picture from the first bytes and checks the size of the file.
///
/// # Errors
/// [`DecodeError::TooLarge`], [`DecodeError::Unsupported`] for a kind that is not read, [`DecodeError::Invalid`] for bytes
/// that are no picture at all.
pub fn identify(bytes: &[u8], limits: &DecodeLimits) -> Result<PhotoFormat, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::invalid("the file is empty"));
    }
    if bytes.len() as u64 > limits.max_bytes {
        return Err(DecodeError::too_many_bytes(bytes.len() as u64, limits.max_bytes));
    }
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Ok(PhotoFormat::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Ok(PhotoFormat::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(PhotoFormat::WebP),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(PhotoFormat::Gif),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Ok(PhotoFormat::Tiff),
        [b'B', b'M', ..] if bytes.len() > 26 => Ok(PhotoFormat::Bmp),
        _ => Err(stranger(bytes)),
    }
}

/// What a file that is not read seems to be.
fn stranger(bytes: &[u8]) -> DecodeError {
    const TO_JPEG: &str = "convert it to JPEG";
    let brand = bytes.get(4..12).filter(|b| b.starts_with(b"ftyp")).map(|b| &b[4..8]);
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).trim_start().to_ascii_lowercase();
    let (what, advice) = match brand {
        Some(b"avif" | b"avis") => ("an AVIF picture", TO_JPEG),
        Some(b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1") => {
            ("an HEIC picture", "set the phone's camera to \"Most Compatible\" or convert it to JPEG")
        }
        Some(_) => ("a film", "send a photo instead"),
        None if bytes.starts_with(b"%PDF") => ("a PDF document", "send the photo itself"),
        None if bytes.starts_with(&[0xFF, 0x0A]) || bytes.starts_with(b"\0\0\0\x0cJXL ") => {
            ("a JPEG XL picture", TO_JPEG)
        }
        None if bytes.starts_with(b"\0\0\0\x0cjP  ") => ("a JPEG 2000 picture", TO_JPEG),
        None if start.starts_with("<svg") || (start.starts_with("<?xml") && start.contains("<svg")) => {
            ("an SVG drawing", "send a photo instead")
        }
        None => return DecodeError::invalid("the file is not a picture"),
    };
    DecodeError::Unsupported { what, advice }
}

/// Decodes a photo.
///
/// # Errors
/// As [`identify`]; [`DecodeError::TooLarge`] for more pixels than allowed, before they are allocated;
/// [`DecodeError::Invalid`] for a picture that is damaged or cut off.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<DecodedPhoto, DecodeError> {
    let format = identify(bytes, limits)?;
    if format == PhotoFormat::Jpeg {
        require_whole_jpeg(bytes)?;
    }
    // Decoders meet hostile bytes; a panic in one of them is a damaged file, not the end of the program.
    let decoded = catch_unwind(AssertUnwindSafe(|| upright(bytes, format, limits)));
    let pixels = decoded.unwrap_or_else(|_| Err(DecodeError::invalid("the picture is damaged")))?;
    let animated = catch_unwind(AssertUnwindSafe(|| is_animated(bytes, format))).unwrap_or(false);
    Ok(DecodedPhoto {
        pixels,
        format,
        captured_at: taken_at(bytes),
        warnings: animated.then_some(DecodeWarning::Animated).into_iter().collect(),
    })
}

fn upright(bytes: &[u8], format: PhotoFormat, limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
    let damaged = |e: image::ImageError| DecodeError::invalid(format!("the picture is damaged: {e}"));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.codec());
    let mut allowance = Limits::no_limits();
    // Sixteen bits of four channels, and as much again for the decoder's own buffers.
    allowance.max_alloc = Some(limits.max_pixels.saturating_mul(16).saturating_add(limits.max_bytes));
    reader.limits(allowance);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(DecodeError::too_many_pixels(width, height, limits.max_pixels));
    }
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    Ok(if picture.color().has_alpha() { over_white(&picture) } else { picture.into_rgb8() })
}

/// Transparent pixels become white, as every viewer shows them.
fn over_white(picture: &DynamicImage) -> RgbImage {
    let rgba = picture.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, alpha] = rgba.get_pixel(x, y).0.map(u32::from);
        image::Rgb([r, g, b].map(|c| ((c * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

fn is_animated(bytes: &[u8], format: PhotoFormat) -> bool {
    match format {
        PhotoFormat::Gif => GifDecoder::new(Cursor::new(bytes)).is_ok_and(|gif| gif.into_frames().take(2).count() > 1),
        PhotoFormat::WebP => WebPDecoder::new(Cursor::new(bytes)).is_ok_and(|webp| webp.has_animation()),
        _ => false,
    }
}

impl PhotoFormat {
    const fn codec(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::WebP => ImageFormat::WebP,
            Self::Bmp => ImageFormat::Bmp,
            Self::Gif => ImageFormat::Gif,
            Self::Tiff => ImageFormat::Tiff,
        }
    }
}

/// When the camera says that the picture was taken: EXIF DateTimeOriginal, else DateTimeDigitized, else DateTime. Without a
/// zone: the camera's wall clock. None for anything that is not a date of this or the last century.
pub fn taken_at(bytes: &[u8]) -> Option<NaiveDateTime> {
    // EXIF is written by anybody; a reader that stumbles must not cost the photo.
    let fields = catch_unwind(|| exif::Reader::new().read_from_container(&mut Cursor::new(bytes)).ok()).ok()??;
    [Tag::DateTimeOriginal, Tag::DateTimeDigitized, Tag::DateTime].iter().find_map(|tag| {
        let Value::Ascii(lines) = &fields.get_field(*tag, In::PRIMARY)?.value else { return None };
        let text = std::str::from_utf8(lines.first()?).ok()?;
        let at = NaiveDateTime::parse_from_str(text.trim_end_matches('\0').trim(), "%Y:%m:%d %H:%M:%S").ok()?;
        let plausible = chrono::NaiveDate::from_ymd_opt(1970, 1, 2)?..chrono::NaiveDate::from_ymd_opt(2200, 1, 1)?;
        plausible.contains(&at.date()).then_some(at)
    })
}

/// A JPEG that ends before its end-of-image marker was cut off: the decoder would fill the rest with grey and say nothing.
/// Walks the segments (ITU-T T.81, annex B); what follows the first picture (second pictures, makers' data) is not read.
fn require_whole_jpeg(bytes: &[u8]) -> Result<(), DecodeError> {
    let cut_off =
        || DecodeError::invalid("the picture is cut off: the file ends before the picture does; send it again");
    let mut at = 2;
    let mut has_scan = false;
    loop {
        let marker = next_marker(bytes, &mut at).ok_or_else(cut_off)?;
        match marker {
            0xD9 if has_scan => return Ok(()),
            0xD9 => return Err(DecodeError::invalid("the file holds no picture")),
            // Markers without a segment: temporary use, restarts, a stray start of image.
            0x01 | 0xD0..=0xD8 => {}
            _ => {
                let length = bytes.get(at..at + 2).map(|l| usize::from(u16::from_be_bytes([l[0], l[1]])));
                at += length.filter(|l| *l >= 2).ok_or_else(cut_off)?;
                if at > bytes.len() {
                    return Err(cut_off());
                }
                has_scan |= marker == 0xDA;
            }
        }
    }
}

/// The next marker's code; leaves `at` behind it. Entropy-coded data, stuffed zeros and fill bytes are passed over.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        // Everything up to 0xFF is entropy-coded data, or garbage between segments that decoders forgive.
        *at += bytes.get(*at..)?.iter().position(|byte| *byte == 0xFF)?;
        while bytes.get(*at) == Some(&0xFF) {
            *at += 1;
        }
        let code = *bytes.get(*at)?;
        *at += 1;
        if code != 0 {
            return Some(code);
        }
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;

    use super::*;

    const LIMITS: DecodeLimits = DecodeLimits { max_bytes: 1 << 20, max_pixels: 100_000 };

    fn picture() -> RgbImage {
        RgbImage::from_fn(120, 80, |x, y| image::Rgb([x as u8 * 2, y as u8 * 3, 90]))
    }

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(&picture()).unwrap();
        bytes
    }

    /// A JPEG with an EXIF segment holding the orientation and a date.
    fn with_exif(orientation: u8, date: &str) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
        tiff.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
        tiff.extend([0x32, 0x01, 2, 0, 20, 0, 0, 0, 38, 0, 0, 0]);
        tiff.extend([0, 0, 0, 0]);
        tiff.extend(date.as_bytes());
        tiff.push(0);
        let mut out = jpeg()[..2].to_vec();
        out.extend([0xFF, 0xE1]);
        out.extend(u16::try_from(tiff.len() + 8).unwrap().to_be_bytes());
        out.extend(b"Exif\0\0");
        out.extend(tiff);
        out.extend(&jpeg()[2..]);
        out
    }

    fn reason(result: Result<DecodedPhoto, DecodeError>) -> String {
        result.unwrap_err().to_string()
    }

    fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
        assert_eq!(a.dimensions(), b.dimensions());
        let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / a.as_raw().len() as f64
    }

    #[test]
    fn every_kind_gives_the_same_pixels() {
        let original = DynamicImage::from(picture());
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff] {
            let photo = decode(&encoded(&original, format), &LIMITS).unwrap();
            assert!(mean_difference(&photo.pixels, &picture()) < 8.0, "{format:?}");
            assert_eq!(photo.format.codec(), format);
        }
        assert!(mean_difference(&decode(&jpeg(), &LIMITS).unwrap().pixels, &picture()) < 3.0);
    }

    #[test]
    fn grey_sixteen_bit_and_alpha_become_rgb() {
        let grey = DynamicImage::from(DynamicImage::from(picture()).to_luma8());
        let deep = DynamicImage::from(DynamicImage::from(picture()).to_rgb16());
        let expected = grey.to_rgb8();
        assert_eq!(decode(&encoded(&grey, ImageFormat::Png), &LIMITS).unwrap().pixels, expected);
        assert_eq!(decode(&encoded(&deep, ImageFormat::Png), &LIMITS).unwrap().pixels, picture());
        let clear = image::RgbaImage::from_pixel(9, 9, image::Rgba([200, 0, 0, 0]));
        let white = decode(&encoded(&clear.into(), ImageFormat::Png), &LIMITS).unwrap().pixels;
        assert_eq!(white.get_pixel(4, 4).0, [255; 3]);
    }

    #[test]
    fn camera_orientation_is_applied_and_the_date_is_read() {
        let photo = decode(&with_exif(6, "2026:11:16 09:05:00"), &LIMITS).unwrap();
        assert_eq!(photo.pixels.dimensions(), (80, 120));
        let upright = image::imageops::rotate90(&picture());
        assert!(mean_difference(&photo.pixels, &upright) < 3.0);
        assert_eq!(photo.captured_at.map(|t| t.to_string()), Some("2026-11-16 09:05:00".into()));
        assert_eq!(taken_at(&with_exif(1, "0000:00:00 00:00:00")), None);
        assert_eq!(taken_at(&jpeg()), None);
    }

    #[test]
    fn cut_off_pictures_are_errors_at_every_length() {
        let whole = jpeg();
        for end in (4..whole.len() - 1).step_by(37) {
            assert!(
                matches!(decode(&whole[..end], &LIMITS), Err(DecodeError::Invalid { .. })),
                "{end} of {}",
                whole.len()
            );
        }
        let png = encoded(&picture().into(), ImageFormat::Png);
        for end in (9..png.len() - 12).step_by(29) {
            assert!(decode(&png[..end], &LIMITS).is_err(), "{end} of {}", png.len());
        }
    }

    #[test]
    fn what_follows_the_picture_does_not_disturb() {
        let mut bytes = jpeg();
        bytes.extend(b"maker's data");
        bytes.extend(jpeg());
        assert_eq!(decode(&bytes, &LIMITS).unwrap().pixels.dimensions(), (120, 80));
    }

    #[test]
    fn limits_are_checked_before_pixels_are_allocated() {
        let wide = encoded(&RgbImage::new(1000, 101).into(), ImageFormat::Png);
        assert!(reason(decode(&wide, &LIMITS)).contains("1000 x 101"));
        let tight = DecodeLimits { max_bytes: 50, ..LIMITS };
        assert!(matches!(decode(&jpeg(), &tight), Err(DecodeError::TooLarge { .. })));
    }

    #[test]
    fn other_files_are_named() {
        let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
        assert!(reason(decode(heic, &LIMITS)).contains("Most Compatible"));
        assert!(reason(decode(b"%PDF-1.7 ...", &LIMITS)).contains("PDF"));
        assert!(reason(decode(b"<html>not found</html>", &LIMITS)).contains("not a picture"));
        assert!(reason(decode(b"", &LIMITS)).contains("empty"));
    }

    #[test]
    fn animations_are_told() {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for _ in 0..2 {
            encoder.encode_frame(image::Frame::new(DynamicImage::from(picture()).to_rgba8())).unwrap();
        }
        drop(encoder);
        assert_eq!(decode(&bytes, &LIMITS).unwrap().warnings, [DecodeWarning::Animated]);
    }

    proptest::proptest! {
        #[test]
        fn damaged_bytes_never_panic(at in 0_usize..1000, byte in proptest::prelude::any::<u8>()) {
            let mut bytes = jpeg();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = decode(&bytes, &LIMITS);
        }
    }
}
