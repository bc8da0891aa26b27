//! HEIC: the pictures that iPhones and many Android phones take unless they are told otherwise.
//!
//! The decoder is the `heifer` crate, Rust without `unsafe`. A HEIC file is a container of pictures made of pictures (a phone's
//! photo is a grid of some dozens), so a small file can ask for any amount of work; what it asks for is added up before any of
//! it is done.

use heifer::Error as HeifError;
use heifer::heifer_hevc_dec::Error as HevcError;
use heifer::heifer_hevc_dec::nal::{NalUnit, split_annex_b};
use heifer::heifer_hevc_dec::params::{ParameterSets, Sps};
use heifer::heifer_isobmff::{Error as ContainerError, HeifFile, ItemId};
use heifer::{Options, decode_rgba8};
use image::{DynamicImage, RgbImage, RgbaImage};

use super::capture_time::{self, CaptureTime};
use super::{
    CUT_OFF, DecodeError, DecodeLimits, Oversize, PhotoFormat, check_dimensions, invalid, over_white, rare_kind,
};

/// All coded pictures of a file together may have so many times the pixels that one photo may have: the photo, an alpha plane
/// of the same size, and tiles that reach over the edge.
const CODED_SHARE: u64 = 3;
/// All coded pictures together may be so many times as long as the file: in an honest one none is there twice.
const READ_SHARE: u64 = 3;
/// Each picture counts for so many pixels at least, so that a file cannot hold millions of empty ones.
const LEAST_PIXELS: u64 = 4096;
/// A photo is a picture, or a grid of pictures, with an alpha plane; deeper nesting is nobody's photo.
const MAX_DEPTH: u32 = 4;
/// The decoder gives 8-bit RGBA.
const RGBA_BYTES: u64 = 4;

/// The main picture, turned and cropped as the file says.
pub(super) fn pixels(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
    let file = HeifFile::parse(bytes).map_err(|e| explain(&e.into()))?;
    let main = file.primary_item().map_err(|e| explain(&e.into()))?.id;
    if let Some((width, height)) = file.image_size(main).map_err(|e| explain(&e.into()))? {
        check_size(width, height, limits)?;
    }
    let mut budget = Budget {
        pixels: limits.max_pixels.saturating_mul(CODED_SHARE),
        bytes: (bytes.len() as u64).saturating_mul(READ_SHARE),
    };
    let too_much = |TooMuch| invalid("it is made of more pictures than a photo can be; send it as JPEG");
    budget.spend(&file, main, 0).map_err(too_much)?;
    // Photos are decoded side by side; one photo gets one thread.
    let options = Options { max_threads: 1, max_pixels: limits.max_pixels };
    let picture = decode_rgba8(bytes, &options).map_err(|e| explain(&e))?;
    check_size(picture.width, picture.height, limits)?;
    let opaque = !picture.has_alpha;
    let rgba = RgbaImage::from_raw(picture.width, picture.height, picture.data)
        .ok_or_else(|| invalid("the HEIC data is damaged; send it again"))?;
    let rgba = DynamicImage::ImageRgba8(rgba);
    Ok(if opaque { rgba.into_rgb8() } else { over_white(rgba) })
}

/// Width and height that the file says its main picture has.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let file = HeifFile::parse(bytes).ok()?;
    file.image_size(file.primary_item().ok()?.id).ok()?
}

/// When the photo was taken.
pub(super) fn captured(bytes: &[u8]) -> Option<CaptureTime> {
    let file = HeifFile::parse(bytes).ok()?;
    let exif = file.exif(file.primary_item().ok()?.id).ok()??;
    capture_time::read(exif)
}

/// What the coded pictures of a file may still cost.
struct Budget {
    pixels: u64,
    bytes: u64,
}

/// A file asks for more than any photo does.
struct TooMuch;

impl Budget {
    /// Takes away what a picture and everything that it is made of will cost. What cannot be read costs nothing: the decoder
    /// stops there too.
    fn spend(&mut self, file: &HeifFile<'_>, id: ItemId, depth: u32) -> Result<(), TooMuch> {
        let Ok(item) = file.item(id) else { return Ok(()) };
        if depth > MAX_DEPTH {
            return Err(TooMuch);
        }
        self.take_pixels(LEAST_PIXELS)?;
        if item.item_type.0 == *b"hvc1" {
            self.spend_coded(file, id)?;
        } else {
            for part in file.referenced_items(id, b"dimg") {
                self.spend(file, *part, depth + 1)?;
            }
        }
        // Of these only the alpha plane is decoded; depth maps and the like are small.
        for plane in file.referencing_items(id, b"auxl") {
            self.spend(file, plane, depth + 1)?;
        }
        Ok(())
    }

    /// A coded picture costs what its bit stream says, whatever the container says of it.
    fn spend_coded(&mut self, file: &HeifFile<'_>, id: ItemId) -> Result<(), TooMuch> {
        let Ok(stream) = file.hevc_bitstream(id) else { return Ok(()) };
        self.bytes = self.bytes.checked_sub(stream.len() as u64).ok_or(TooMuch)?;
        let mut sets = ParameterSets::default();
        for nal in split_annex_b(&stream).map(NalUnit::parse) {
            let Ok(nal) = nal else { return Ok(()) };
            if nal.header.unit_type.is_slice() || sets.add(&nal).is_err() {
                break;
            }
        }
        let area = |sps: &Sps| u64::from(sps.pic_width_in_luma_samples) * u64::from(sps.pic_height_in_luma_samples);
        self.take_pixels(sets.sps.iter().flatten().map(area).max().unwrap_or(0))
    }

    fn take_pixels(&mut self, pixels: u64) -> Result<(), TooMuch> {
        self.pixels = self.pixels.checked_sub(pixels).ok_or(TooMuch)?;
        Ok(())
    }
}

fn check_size(width: u32, height: u32, limits: &DecodeLimits) -> Result<(), DecodeError> {
    check_dimensions(width, height, limits)?;
    let decoded_bytes = u64::from(width) * u64::from(height) * RGBA_BYTES;
    if decoded_bytes > limits.max_alloc_bytes {
        return Err(Oversize::Memory { limit: limits.max_alloc_bytes }.into());
    }
    Ok(())
}

fn explain(error: &HeifError) -> DecodeError {
    match error {
        HeifError::Unsupported(_)
        | HeifError::Container(ContainerError::Unimplemented(_))
        | HeifError::Hevc(HevcError::Unimplemented(_)) => rare_kind(PhotoFormat::Heic),
        HeifError::Container(ContainerError::UnexpectedEof) | HeifError::Hevc(HevcError::UnexpectedEof) => {
            invalid(CUT_OFF)
        }
        _ => invalid("the HEIC data is damaged; send it again"),
    }
}

#[cfg(test)]
mod tests {
    use exif::{Tag, Value};
    use heifer::heifer_isobmff::writer::{HeifWriter, ImageSpec};
    use heifer::{EncodeOptions, Metadata, encode_rgb8, encode_rgba8, encode_with_metadata};

    use super::super::decode;
    use super::super::tests::{exif_block, mean_difference, scene};
    use super::*;

    fn best() -> EncodeOptions {
        EncodeOptions { quality: 95, max_threads: 1 }
    }

    fn heic() -> Vec<u8> {
        encode_rgb8(scene().width(), scene().height(), scene().as_raw(), &best()).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<super::super::DecodedPhoto, DecodeError> {
        decode(bytes, &DecodeLimits::default())
    }

    /// The same file with one property in the place of another of the same length.
    fn with_property(heic: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
        assert_eq!(old.len(), new.len());
        let at = heic.windows(old.len()).position(|window| window == old).expect("the encoder writes this property");
        [&heic[..at], new, &heic[at + old.len()..]].concat()
    }

    /// Pictures of a grid that are all the same coded one.
    fn grid(rows: u16, columns: u16) -> Vec<u8> {
        let bytes = heic();
        let file = HeifFile::parse(&bytes).unwrap();
        let id = file.primary_item().unwrap().id;
        let config = file.hevc_config(id).unwrap().unwrap().clone();
        let data = file.item_data(id).unwrap();
        let (mut slices, mut rest) = (Vec::new(), &data[..]);
        while let Some((length, tail)) = rest.split_first_chunk::<4>() {
            let (slice, tail) = tail.split_at(u32::from_be_bytes(*length) as usize);
            slices.push(slice.to_vec());
            rest = tail;
        }
        let (width, height) = scene().dimensions();
        let mut writer = HeifWriter::new();
        let tile = writer.add_image(&ImageSpec { hidden: true, ..ImageSpec::new(width, height, config, &slices) });
        let tiles = vec![tile; usize::from(rows) * usize::from(columns)];
        let main = writer.add_grid(rows, columns, width * 2, height * 2, &tiles, None, None);
        writer.set_primary(main);
        writer.finish()
    }

    #[test]
    fn a_phone_photo_gives_its_pixels() {
        let photo = read(&heic()).unwrap();
        assert_eq!((photo.format, photo.captured_at, photo.warnings), (PhotoFormat::Heic, None, vec![]));
        let difference = mean_difference(&photo.pixels, &scene());
        assert!(difference < 3.0, "{difference}");
    }

    #[test]
    fn turns_and_the_time_come_out_of_the_container() {
        for quarters in 1..=3_u8 {
            let turn = [b"irot", &[quarters; 1][..], &[0; 7]].concat();
            let photo = read(&with_property(&heic(), b"pixi\0\0\0\0\x03\x08\x08\x08", &turn)).unwrap();
            let expected = match quarters {
                1 => image::imageops::rotate270(&scene()),
                2 => image::imageops::rotate180(&scene()),
                _ => image::imageops::rotate90(&scene()),
            };
            let difference = mean_difference(&photo.pixels, &expected);
            assert!(difference < 3.0, "{quarters}: {difference}");
        }
        let taken = exif_block([(Tag::DateTimeOriginal, Value::Ascii(vec![b"2026:11:16 09:00:00".to_vec()]))]);
        let metadata = Metadata { exif: Some(taken), ..Metadata::default() };
        let dated = encode_with_metadata(&heifer::decode(&heic()).unwrap(), &metadata, &best()).unwrap();
        let expected = Some("2026-11-16T09:00:00".parse().unwrap());
        assert_eq!(read(&dated).unwrap().captured_at, expected);
        assert_eq!(super::super::taken_at(&dated, &DecodeLimits::default()), expected);
    }

    #[test]
    fn what_is_transparent_shows_white() {
        let clear = [10, 20, 30, 0].repeat(64 * 64);
        let photo = read(&encode_rgba8(64, 64, &clear, &best()).unwrap()).unwrap();
        assert!(photo.pixels.pixels().all(|pixel| pixel.0 == [255; 3]));
    }

    #[test]
    fn a_file_that_ends_early_is_no_photo() {
        let whole = heic();
        for eighth in 1..8 {
            let error = read(&whole[..whole.len() * eighth / 8]).unwrap_err();
            assert!(matches!(error, DecodeError::Invalid { .. }), "{eighth}: {error}");
        }
    }

    #[test]
    fn a_grid_is_one_photo() {
        let photo = read(&grid(2, 2)).unwrap();
        let (width, height) = scene().dimensions();
        assert_eq!(photo.pixels.dimensions(), (2 * width, 2 * height));
        let corner = image::imageops::crop_imm(&photo.pixels, width, height, width, height).to_image();
        assert!(mean_difference(&corner, &scene()) < 3.0);
    }

    #[test]
    fn a_file_that_asks_for_endless_work_is_refused_before_it() {
        // Few bytes, 65,025 pictures of which all but four lie outside of the photo.
        let bomb = grid(255, 255);
        assert!(bomb.len() < 1_000_000, "{}", bomb.len());
        assert!(read(&bomb).unwrap_err().to_string().contains("more pictures"));
        // As large as the header says, and larger than it says.
        let limits = DecodeLimits { max_pixels: 1000, ..DecodeLimits::default() };
        assert!(matches!(decode(&heic(), &limits), Err(DecodeError::TooLarge(Oversize::Pixels { width: 48, .. }))));
        let small = [b"ispe\0\0\0\0", &2_u32.to_be_bytes()[..], &2_u32.to_be_bytes()].concat();
        let large = [b"ispe\0\0\0\0", &48_u32.to_be_bytes()[..], &32_u32.to_be_bytes()].concat();
        assert!(decode(&with_property(&heic(), &large, &small), &limits).is_err());
    }

    #[test]
    fn other_codecs_in_the_same_container_are_named() {
        let error = read(&with_property(&heic(), b"hvc1", b"av01")).unwrap_err();
        assert!(error.to_string().contains("Most compatible"), "{error}");
    }
}
