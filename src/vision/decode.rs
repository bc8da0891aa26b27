//! The bytes of one picture file -> an upright RGB photo, or the reason why not in words a teacher understands.
//!
//! Uploads are hostile until proven otherwise: the type is read from the bytes and never from the name, sizes are checked
//! in the header before anything is allocated, and damage is an error or a warning, never a silently grey photo. Called by
//! enrolment and by every photo of a session; must not touch files, clocks or faces.

mod capture_time;
mod entropy;
mod heic;
mod jpeg;
mod sniff;

use std::fmt;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::NaiveDateTime;
use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, png::PngDecoder, tiff::TiffDecoder, webp::WebPDecoder};
use image::error::{ImageError, ImageResult};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, Limits, RgbImage};
use thiserror::Error;

use capture_time::CaptureTime;

/// What one picture file may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Largest file in bytes. Default 10 MiB: a 12-megapixel phone JPEG has 3 to 6.
    pub max_bytes: u64,
    /// Most pixels in the header, width times height. Default 50 million: today's phones at their full resolution.
    pub max_pixels: u64,
    /// Most bytes the decoded pixels may take before they become RGB8. Default 512 MiB: 50 megapixels of 16-bit RGBA are
    /// 400 MB. An ordinary JPEG takes 3 bytes a pixel here, twice that for the moment in which it is turned upright, and a
    /// progressive one 6 more while it is read.
    pub max_alloc_bytes: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_bytes: 10 * 1024 * 1024, max_pixels: 50_000_000, max_alloc_bytes: 512 * 1024 * 1024 }
    }
}

/// The file types that are read, as found in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhotoFormat {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
    Tiff,
    /// HEIF with pictures in HEVC.
    Heic,
}

impl PhotoFormat {
    /// The usual ending of a file name, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Gif => "gif",
            Self::Bmp => "bmp",
            Self::Tiff => "tif",
            Self::Heic => "heic",
        }
    }
}

impl fmt::Display for PhotoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Heic => "HEIC",
        })
    }
}

/// A photo as everything after this module sees it.
#[derive(Debug, Clone)]
pub struct DecodedPhoto {
    /// Upright (EXIF orientation 1 to 8 applied), 8 bits a channel, grey spread over all three. What is transparent shows
    /// white, as on a page. Colour profiles are not applied: faces move by a few grey levels at most.
    pub pixels: RgbImage,
    pub format: PhotoFormat,
    /// Wall clock of the camera without a zone: EXIF `DateTimeOriginal`, else `DateTimeDigitized`, else `DateTime`. `None`
    /// when absent or nonsense.
    pub captured_at: Option<NaiveDateTime>,
    /// Minutes that the wall clock was ahead of UTC, when the camera says so.
    pub captured_offset_min: Option<i32>,
    pub warnings: Vec<DecodeWarning>,
}

/// What a usable photo lacks. Belongs in the report of every run: degraded is never silent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeWarning {
    #[error("animated picture: only its first frame was used")]
    FirstFrameOnly,
    #[error("the file is damaged, parts of the picture may be wrong: check the result or send it again")]
    Damaged,
}

/// Why a file is no photo. The text completes "class.jpg: ..." and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error(transparent)]
    TooLarge(#[from] Oversize),
    #[error("{what} cannot be read; {advice}")]
    Unsupported { what: String, advice: String },
    #[error("not a readable picture: {reason}")]
    Invalid { reason: String },
}

/// Which limit a file exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Oversize {
    #[error("the file has {} MB, the limit is {} MB; send a smaller copy", megabytes(*bytes), megabytes(*limit))]
    Bytes { bytes: u64, limit: u64 },
    #[error("the picture has {width} x {height} pixels, the limit is {} megapixels; send a smaller copy", limit / 1_000_000)]
    Pixels { width: u32, height: u32, limit: u64 },
    #[error("the picture needs more than {} MB of memory; send it as an 8-bit JPEG", megabytes(*limit))]
    Memory { limit: u64 },
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (1024.0 * 1024.0))
}

fn invalid(reason: impl Into<String>) -> DecodeError {
    DecodeError::Invalid { reason: reason.into() }
}

/// Longest side that is accepted at all, in pixels: what JPEG and GIF headers can say.
const MAX_SIDE_PX: u32 = 65_535;

/// The kind of a file, read from its bytes, after a look at its size.
///
/// # Errors
/// As [`decode`] for files of another kind, and for empty and oversized ones.
pub fn identify(bytes: &[u8], limits: &DecodeLimits) -> Result<PhotoFormat, DecodeError> {
    let len = bytes.len() as u64;
    if len > limits.max_bytes {
        return Err(Oversize::Bytes { bytes: len, limit: limits.max_bytes }.into());
    }
    sniff::format(bytes)
}

/// What [`decode`] would say in `captured_at`, without decoding the picture.
pub fn taken_at(bytes: &[u8], limits: &DecodeLimits) -> Option<NaiveDateTime> {
    let format = identify(bytes, limits).ok()?;
    let read = || -> Option<NaiveDateTime> {
        if format == PhotoFormat::Heic {
            return Some(heic::captured(bytes)?.at);
        }
        let (mut decoder, _) = open(format, bytes, limits).ok()?;
        Some(captured(format, bytes, decoder.as_mut())?.at)
    };
    // As in `decode`: a bug in a decoder costs the date, not the run.
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

/// What decoding a file takes at its largest moment, bytes, as far as its header tells; the pixels that are left at the end are
/// the smaller part of it. Nothing for files that [`decode`] refuses by their header.
pub fn working_bytes(bytes: &[u8], limits: &DecodeLimits) -> u64 {
    let Ok(format) = identify(bytes, limits) else { return 0 };
    let of_header = || -> Option<u64> {
        if format == PhotoFormat::Heic {
            let (width, height) = heic::dimensions(bytes)?;
            check_dimensions(width, height, limits).ok()?;
            return Some(u64::from(width) * u64::from(height) * (HEIC_BYTES + RGB_BYTES));
        }
        let (mut decoder, _) = open(format, bytes, limits).ok()?;
        check_size(decoder.as_ref(), limits).ok()?;
        let (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        let turned = decoder.orientation().is_ok_and(|o| o != Orientation::NoTransforms);
        let decoded = match format {
            PhotoFormat::Jpeg if jpeg::is_progressive(bytes) => pixels * (RGB_BYTES + PROGRESSIVE_BYTES),
            PhotoFormat::Jpeg => pixels * RGB_BYTES,
            _ => decoder.total_bytes() + pixels * RGB_BYTES,
        };
        Some(decoded.max(if turned { 2 * pixels * RGB_BYTES } else { 0 }))
    };
    // As in `decode`: a bug in a decoder is no matter here, `decode` will say what is wrong.
    catch_unwind(AssertUnwindSafe(of_header)).ok().flatten().unwrap_or(0)
}

/// Bytes of a pixel as it is handed on.
const RGB_BYTES: u64 = 3;
/// Bytes of a pixel's coefficients, which a progressive JPEG needs all at once.
const PROGRESSIVE_BYTES: u64 = 6;

/// Bytes of a pixel in a HEIC decoder: planes of 8 bits and the RGBA that is made of them.
const HEIC_BYTES: u64 = 6;

/// Decodes one picture file.
///
/// # Errors
/// [`DecodeError::TooLarge`] before anything is allocated for the pixels, [`DecodeError::Unsupported`] for files of another
/// kind, [`DecodeError::Invalid`] for empty, cut-off and damaged ones.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<DecodedPhoto, DecodeError> {
    let format = identify(bytes, limits)?;
    // Decoders are large and the files come from strangers: a bug in one of them ends this photo, not the whole nightly run.
    // Nothing that the closure touches is used after a panic.
    catch_unwind(AssertUnwindSafe(|| decode_as(format, bytes, limits)))
        .unwrap_or_else(|_| Err(invalid(format!("the {format} data is damaged; send it again"))))
}

fn decode_as(format: PhotoFormat, bytes: &[u8], limits: &DecodeLimits) -> Result<DecodedPhoto, DecodeError> {
    let unreadable = |error| explain(format, &error, limits);
    if format == PhotoFormat::Heic {
        let pixels = heic::pixels(bytes, limits)?;
        return Ok(DecodedPhoto::new(format, pixels, heic::captured(bytes), Vec::new()));
    }
    if format == PhotoFormat::Jpeg {
        jpeg::check_variant(bytes)?;
    }
    let (mut decoder, frames) = open(format, bytes, limits).map_err(unreadable)?;
    check_size(decoder.as_ref(), limits)?;
    decoder.set_limits(memory_limits(limits)).map_err(unreadable)?;

    // Metadata is a convenience: when it is broken the photo still counts.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let captured = captured(format, bytes, decoder.as_mut());

    let mut warnings = Vec::new();
    if frames == Frames::Several {
        warnings.push(DecodeWarning::FirstFrameOnly);
    }
    let pixels = match format {
        PhotoFormat::Jpeg => {
            let lenient = || DynamicImage::from_decoder(decoder).map(DynamicImage::into_rgb8).map_err(unreadable);
            let (pixels, condition) = jpeg::pixels(bytes, lenient)?;
            if condition == jpeg::Condition::Damaged {
                warnings.push(DecodeWarning::Damaged);
            }
            pixels
        }
        _ => over_white(DynamicImage::from_decoder(decoder).map_err(unreadable)?),
    };
    Ok(DecodedPhoto::new(format, upright(pixels, orientation), captured, warnings))
}

impl DecodedPhoto {
    fn new(format: PhotoFormat, pixels: RgbImage, captured: Option<CaptureTime>, warnings: Vec<DecodeWarning>) -> Self {
        Self {
            pixels,
            format,
            captured_at: captured.map(|c| c.at),
            captured_offset_min: captured.and_then(|c| c.offset_min),
            warnings,
        }
    }
}

fn captured(format: PhotoFormat, bytes: &[u8], decoder: &mut dyn ImageDecoder) -> Option<CaptureTime> {
    match format {
        PhotoFormat::Tiff => capture_time::read(bytes.to_vec()),
        _ => decoder.exif_metadata().ok().flatten().and_then(capture_time::read),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frames {
    One,
    Several,
}

impl Frames {
    const fn several_if(animated: bool) -> Self {
        if animated { Self::Several } else { Self::One }
    }
}

/// Reads the header only. Not for HEIC, which has a decoder of another kind.
fn open<'a>(
    format: PhotoFormat,
    bytes: &'a [u8],
    limits: &DecodeLimits,
) -> ImageResult<(Box<dyn ImageDecoder + 'a>, Frames)> {
    let input = Cursor::new(bytes);
    Ok(match format {
        PhotoFormat::Jpeg => (Box::new(image::codecs::jpeg::JpegDecoder::new(input)?), Frames::One),
        PhotoFormat::Png => {
            let png = PngDecoder::with_limits(input, memory_limits(limits))?;
            let frames = Frames::several_if(png.is_apng()?);
            (Box::new(png), frames)
        }
        PhotoFormat::WebP => {
            let webp = WebPDecoder::new(input)?;
            let frames = Frames::several_if(webp.has_animation());
            (Box::new(webp), frames)
        }
        PhotoFormat::Gif => (Box::new(GifDecoder::new(input)?), Frames::several_if(sniff::gif_is_animated(bytes))),
        PhotoFormat::Bmp => (Box::new(BmpDecoder::new(input)?), Frames::One),
        PhotoFormat::Tiff => (Box::new(TiffDecoder::new(input)?), Frames::One),
        PhotoFormat::Heic => unreachable!("its callers send HEIC elsewhere"),
    })
}

/// Bounds what the decoders allocate besides the pixels, such as frames and unpacked metadata. Dimensions are not repeated
/// here: [`check_size`] refuses them first and in better words.
fn memory_limits(limits: &DecodeLimits) -> Limits {
    let mut memory_limits = Limits::no_limits();
    memory_limits.max_alloc = Some(limits.max_alloc_bytes);
    memory_limits
}

fn check_size(decoder: &dyn ImageDecoder, limits: &DecodeLimits) -> Result<(), DecodeError> {
    let (width, height) = decoder.dimensions();
    check_dimensions(width, height, limits)?;
    if decoder.total_bytes() > limits.max_alloc_bytes {
        return Err(Oversize::Memory { limit: limits.max_alloc_bytes }.into());
    }
    Ok(())
}

fn check_dimensions(width: u32, height: u32, limits: &DecodeLimits) -> Result<(), DecodeError> {
    if width == 0 || height == 0 {
        return Err(invalid("its header says that it has no pixels"));
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels || width.max(height) > MAX_SIDE_PX {
        return Err(Oversize::Pixels { width, height, limit: limits.max_pixels }.into());
    }
    Ok(())
}

/// Alpha over white, 16 bits and palettes down to 8-bit RGB.
fn over_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let rgba = picture.into_rgba8();
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (out, pixel) in rgb.pixels_mut().zip(rgba.pixels()) {
        let [r, g, b, alpha] = pixel.0;
        out.0 = [r, g, b].map(|value| blend(value, alpha));
    }
    rgb
}

fn upright(pixels: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return pixels;
    }
    let mut picture = DynamicImage::ImageRgb8(pixels);
    picture.apply_orientation(orientation);
    picture.into_rgb8()
}

/// The decoder's complaint in words for whoever sent the file; its own name chunks and checksums.
fn explain(format: PhotoFormat, error: &ImageError, limits: &DecodeLimits) -> DecodeError {
    match error {
        // Scratch memory and metadata: the size of the picture itself is checked in `check_size`.
        ImageError::Limits(_) => Oversize::Memory { limit: limits.max_alloc_bytes }.into(),
        ImageError::Unsupported(_) => rare_kind(format),
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => invalid(CUT_OFF),
        _ => invalid(format!("the {format} data is damaged; send it again")),
    }
}

fn rare_kind(format: PhotoFormat) -> DecodeError {
    let advice = match format {
        PhotoFormat::Heic => "set the phone's camera to 'Most compatible' or convert it to JPEG",
        _ => "open it and save it as an ordinary JPEG",
    };
    DecodeError::Unsupported { what: format!("this rare kind of {format}"), advice: advice.to_owned() }
}

const CUT_OFF: &str = "the file is cut off: it ends before the picture does; send it again";

#[cfg(test)]
mod tests;
