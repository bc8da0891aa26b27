use exif::experimental::Writer;
use exif::{Field, In, Tag, Value};
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{Frame, ImageFormat, Rgb, Rgba, RgbaImage};
use proptest::prelude::*;

use super::*;

/// An EXIF block as it stands in a JPEG, without the leading `Exif\0\0`.
pub(super) fn exif_block(fields: impl IntoIterator<Item = (Tag, Value)>) -> Vec<u8> {
    let fields: Vec<Field> =
        fields.into_iter().map(|(tag, value)| Field { tag, ifd_num: In::PRIMARY, value }).collect();
    let mut writer = Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let mut bytes = Cursor::new(Vec::new());
    writer.write(&mut bytes, true).unwrap();
    bytes.into_inner()
}

/// A smooth picture without symmetry: every turn and mirroring of it looks different.
pub(super) fn scene() -> RgbImage {
    RgbImage::from_fn(48, 32, |x, y| Rgb([(5 * x) as u8, (7 * y) as u8, (2 * x + 2 * y) as u8]))
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// High quality, so that differences are the decoder's.
fn jpeg_of(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(picture).unwrap();
    bytes
}

/// The same JPEG with an APP1 segment right after its start.
fn with_app1(jpeg: &[u8], exif: &[u8]) -> Vec<u8> {
    let payload = [b"Exif\0\0", exif].concat();
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &payload, &jpeg[2..]].concat()
}

fn read(bytes: &[u8]) -> Result<DecodedPhoto, DecodeError> {
    decode(bytes, &DecodeLimits::default())
}

pub(super) fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter().zip(b.iter()).map(|(x, y)| f64::from(x.abs_diff(*y))).sum::<f64>() / a.len() as f64
}

const FORMATS: [(PhotoFormat, ImageFormat); 6] = [
    (PhotoFormat::Jpeg, ImageFormat::Jpeg),
    (PhotoFormat::Png, ImageFormat::Png),
    (PhotoFormat::WebP, ImageFormat::WebP),
    (PhotoFormat::Gif, ImageFormat::Gif),
    (PhotoFormat::Bmp, ImageFormat::Bmp),
    (PhotoFormat::Tiff, ImageFormat::Tiff),
];

#[test]
fn every_format_gives_its_pixels() {
    for (format, encoding) in FORMATS {
        let photo = read(&encoded(scene(), encoding)).unwrap();
        assert_eq!(photo.format, format);
        assert_eq!(photo.warnings, []);
        let difference = mean_difference(&photo.pixels, &scene());
        assert!(difference < 6.0, "{format}: {difference}");
    }
}

#[test]
fn all_eight_orientations_come_out_upright() {
    for exif_value in 1..=8u16 {
        // Turning back a quarter turn is the other quarter turn; every other orientation undoes itself.
        let back = match exif_value {
            6 => 8,
            8 => 6,
            same => same as u8,
        };
        let stored = upright(scene(), Orientation::from_exif(back).unwrap());
        let exif = exif_block([(Tag::Orientation, Value::Short(vec![exif_value]))]);
        let photo = read(&with_app1(&jpeg_of(&stored), &exif)).unwrap();
        let difference = mean_difference(&photo.pixels, &scene());
        assert!(difference < 3.0, "orientation {exif_value}: {difference}");
    }
}

#[test]
fn capture_time_is_read_from_a_jpeg() {
    let taken = Value::Ascii(vec![b"2026:11:16 09:00:00".to_vec()]);
    let zone = Value::Ascii(vec![b"+05:30".to_vec()]);
    let exif = exif_block([(Tag::DateTimeOriginal, taken), (Tag::OffsetTimeOriginal, zone)]);
    let photo = read(&with_app1(&jpeg_of(&scene()), &exif)).unwrap();
    assert_eq!(photo.captured_at, Some("2026-11-16T09:00:00".parse().unwrap()));
    assert_eq!(photo.captured_offset_min, Some(330));
}

#[test]
fn what_is_transparent_shows_white() {
    let mut picture = RgbaImage::from_pixel(3, 1, Rgba([200, 100, 0, 255]));
    picture.put_pixel(1, 0, Rgba([200, 100, 0, 0]));
    picture.put_pixel(2, 0, Rgba([0, 0, 0, 128]));
    for encoding in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        let photo = read(&encoded(picture.clone(), encoding)).unwrap();
        let pixels: Vec<_> = photo.pixels.pixels().map(|pixel| pixel.0).collect();
        assert_eq!(pixels, [[200, 100, 0], [255, 255, 255], [127, 127, 127]], "{encoding:?}");
    }
}

#[test]
fn sixteen_bits_and_grey_become_eight_bit_rgb() {
    let grey16 = image::ImageBuffer::from_fn(4, 1, |x, _| image::Luma([(x * 0x5555) as u16]));
    let photo = read(&encoded(DynamicImage::ImageLuma16(grey16), ImageFormat::Png)).unwrap();
    let pixels: Vec<_> = photo.pixels.pixels().map(|pixel| pixel.0).collect();
    assert_eq!(pixels, [[0; 3], [0x55; 3], [0xAA; 3], [0xFF; 3]]);
}

#[test]
fn a_second_frame_is_announced() {
    let gif = |frames: u32| {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for _ in 0..frames {
            encoder.encode_frame(Frame::new(DynamicImage::ImageRgb8(scene()).into_rgba8())).unwrap();
        }
        drop(encoder);
        bytes
    };
    assert_eq!(read(&gif(1)).unwrap().warnings, []);
    assert_eq!(read(&gif(3)).unwrap().warnings, [DecodeWarning::FirstFrameOnly]);
}

#[test]
fn a_cut_off_file_is_refused_or_complete_but_never_half_a_picture() {
    for (format, encoding) in FORMATS {
        let bytes = encoded(scene(), encoding);
        let whole = read(&bytes).unwrap().pixels;
        for len in 0..bytes.len() {
            if let Ok(photo) = read(&bytes[..len]) {
                assert!(photo.pixels == whole, "{format} cut to {len} of {} bytes", bytes.len());
            }
        }
    }
}

#[test]
fn a_cut_off_jpeg_is_told_so_even_when_its_thumbnail_is_whole() {
    let bytes = with_app1(&jpeg_of(&scene()), &jpeg_of(&scene()));
    assert!(read(&bytes).is_ok());
    let error = read(&bytes[..bytes.len() - 40]).unwrap_err();
    assert!(error.to_string().contains("cut off"), "{error}");
}

#[test]
fn what_phones_append_to_a_jpeg_does_no_harm() {
    let one = jpeg_of(&scene());
    for trailer in [&one[..], b"SEFH trailer", &[0; 100], &one[..one.len() / 2]] {
        let photo = read(&[&one, trailer].concat()).unwrap();
        assert_eq!(photo.warnings, []);
        assert!(photo.pixels == read(&one).unwrap().pixels);
    }
}

#[test]
fn damage_in_the_middle_of_a_jpeg_says_how_much_is_left() {
    let picture = RgbImage::from_fn(64, 400, |x, y| Rgb([(x * y) as u8, (x ^ y) as u8, y as u8]));
    let mut bytes = jpeg_of(&picture);
    let middle = bytes.len() / 2;
    // A code that no JPEG has, in the middle of the scan.
    bytes[middle..middle + 2].copy_from_slice(&[0xFF, 0x02]);
    let error = read(&bytes).unwrap_err().to_string();
    assert!(error.contains("only the upper") && !error.contains(" 0 %") && !error.contains("100 %"), "{error}");
}

#[test]
fn each_limit_refuses_with_its_own_numbers() {
    let bytes = encoded(scene(), ImageFormat::Png);
    let limits = DecodeLimits::default();
    let len = bytes.len() as u64;
    assert!(decode(&bytes, &DecodeLimits { max_bytes: len, max_pixels: 48 * 32, ..limits }).is_ok());
    for (limits, oversize) in [
        (DecodeLimits { max_bytes: len - 1, ..limits }, Oversize::Bytes { bytes: len, limit: len - 1 }),
        (DecodeLimits { max_pixels: 1000, ..limits }, Oversize::Pixels { width: 48, height: 32, limit: 1000 }),
    ] {
        assert_eq!(decode(&bytes, &limits).unwrap_err(), DecodeError::TooLarge(oversize));
    }
    let tight = DecodeLimits { max_alloc_bytes: 48 * 32 * 3 - 1, ..limits };
    let bmp = encoded(scene(), ImageFormat::Bmp);
    assert_eq!(decode(&bmp, &tight).unwrap_err(), DecodeError::TooLarge(Oversize::Memory { limit: 48 * 32 * 3 - 1 }));
}

#[test]
fn a_header_without_pixels_is_invalid() {
    let mut gif = encoded(scene(), ImageFormat::Gif);
    gif[6..10].fill(0);
    let outcome = read(&gif).map(|photo| photo.pixels.dimensions());
    assert!(matches!(outcome, Err(DecodeError::Invalid { .. })), "{outcome:?}");
}

proptest! {
    #[test]
    fn hostile_metadata_costs_neither_the_photo_nor_a_panic(block in prop::collection::vec(any::<u8>(), 0..300)) {
        let tiff_header = b"II*\0\x08\0\0\0";
        for exif in [block.clone(), [&tiff_header[..], &block].concat()] {
            prop_assert!(read(&with_app1(&jpeg_of(&scene()), &exif)).is_ok());
        }
    }

    #[test]
    fn damaged_bytes_never_panic(which in 0usize..6, position in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut bytes = encoded(scene(), FORMATS[which].1);
        let position = position.index(bytes.len());
        bytes[position] = value;
        // The header may now say another size; whatever comes back is a photo within the limits or an error.
        if let Ok(photo) = read(&bytes) {
            prop_assert!(photo.pixels.width() > 0 && photo.pixels.height() > 0);
        }
    }
}

#[test]
fn what_decoding_takes_follows_from_the_header() {
    let limits = DecodeLimits::default();
    let picture = scene();
    let pixels = u64::from(picture.width()) * u64::from(picture.height());
    let as_format = |format| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    assert_eq!(working_bytes(&as_format(image::ImageFormat::Jpeg), &limits), 3 * pixels);
    assert_eq!(working_bytes(&as_format(image::ImageFormat::Png), &limits), 6 * pixels);
    let tight = DecodeLimits { max_pixels: pixels - 1, ..limits };
    for refused in [b"no picture".to_vec(), Vec::new()] {
        assert_eq!(working_bytes(&refused, &limits), 0);
    }
    assert_eq!(working_bytes(&as_format(image::ImageFormat::Jpeg), &tight), 0);
}
