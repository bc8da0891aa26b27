//! Decoding files from the wild: variants of one photo, files that crashed other decoders, bombs.
//!
//! The files belong to third parties and lie beside the repository (`../shared/photos`); where they are absent these tests
//! say so and pass. The unit tests of `vision::decode` cover the same rules with pictures made on the spot.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files should stop there")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use image::imageops::{FilterType, resize};
use rollcall::vision::decode::{DecodeError, DecodeLimits, DecodedPhoto, PhotoFormat, decode};

/// The system's allocator with a count, for each thread, of the bytes held now and at most.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

impl Counting {
    fn add(bytes: isize) {
        // `try_with`: threads still free memory while their locals are being torn down.
        let _ = HELD.try_with(|held| {
            held.set(held.get() + bytes);
            let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
        });
    }
}

// SAFETY: every call is passed on to the system's allocator unchanged; the counters are plain cells that allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        Self::add(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes this thread held during `work` beyond those it held before.
fn peak_bytes<T>(work: impl FnOnce() -> T) -> (T, isize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, PEAK.get() - before)
}

const MIB: isize = 1024 * 1024;

/// A folder of `../shared/photos`, or `None` with a line that says so.
fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/photos").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {folder}: the third-party photos are not beside the repository");
    None
}

/// `(file, expect)` of every line of a folder's `expect.csv`.
fn expectations(folder: &Path) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_path(folder.join("expect.csv")).unwrap();
    reader.records().map(|row| row.unwrap()).map(|row| (row[0].to_owned(), row[2].to_owned())).collect()
}

fn read(path: &Path) -> Result<DecodedPhoto, DecodeError> {
    decode(&fs::read(path).unwrap(), &DecodeLimits::default())
}

/// Mean absolute difference of the grey levels, after bringing `a` to the size of `b`.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let a = resize(a, b.width(), b.height(), FilterType::Triangle);
    let sum: u64 = a.iter().zip(b.iter()).map(|(x, y)| u64::from(x.abs_diff(*y))).sum();
    sum as f64 / b.len() as f64
}

/// Luma as JPEG defines it (ITU-R BT.601), in all three channels.
fn grey(photo: &RgbImage) -> RgbImage {
    let mut grey = photo.clone();
    for pixel in grey.pixels_mut() {
        let [r, g, b] = pixel.0.map(u32::from);
        pixel.0 = [((299 * r + 587 * g + 114 * b + 500) / 1000) as u8; 3];
    }
    grey
}

#[test]
fn all_orientations_of_a_photo_come_out_alike() {
    let Some(folder) = shared("format_variants") else { return };
    let upright = read(&folder.join("exif_1.jpg")).unwrap().pixels;
    for orientation in 2..=8 {
        let photo = read(&folder.join(format!("exif_{orientation}.jpg"))).unwrap();
        assert_eq!(photo.pixels.dimensions(), upright.dimensions(), "orientation {orientation}");
        // The variants were compressed one by one: up to 1.6 levels apart. A wrong turn is 50 and more.
        let difference = difference(&photo.pixels, &upright);
        assert!(difference < 3.0, "orientation {orientation}: {difference} grey levels");
    }
}

#[test]
fn every_encoding_of_a_photo_shows_the_same_picture() {
    let Some(folder) = shared("format_variants") else { return };
    let base = read(&folder.join("exif_1.jpg")).unwrap().pixels;
    // Grey levels that the encoding itself costs, with room to spare.
    for (file, format, tolerance) in [
        ("progressive.jpg", PhotoFormat::Jpeg, 1.0),
        ("cmyk.jpg", PhotoFormat::Jpeg, 2.0),
        ("q10.jpg", PhotoFormat::Jpeg, 10.0),
        ("jpeg_named.png", PhotoFormat::Jpeg, 2.0),
        ("big_48mp.jpg", PhotoFormat::Jpeg, 4.0),
        ("tiny_256.jpg", PhotoFormat::Jpeg, 10.0),
        ("rgba.png", PhotoFormat::Png, 5.0),
        ("palette.png", PhotoFormat::Png, 6.0),
        ("rgb16.png", PhotoFormat::Png, 6.0),
        ("photo.webp", PhotoFormat::WebP, 4.0),
        ("photo.gif", PhotoFormat::Gif, 6.0),
        ("animated.gif", PhotoFormat::Gif, 9.0),
        ("photo.bmp", PhotoFormat::Bmp, 6.0),
        ("photo.tif", PhotoFormat::Tiff, 2.0),
        ("photo.heic", PhotoFormat::Heic, 4.0),
    ] {
        let photo = read(&folder.join(file)).unwrap();
        assert_eq!(photo.format, format, "{file}");
        let difference = difference(&photo.pixels, &base);
        assert!(difference < tolerance, "{file}: {difference} grey levels");
    }
    let photo = read(&folder.join("gray.jpg")).unwrap();
    assert!(difference(&photo.pixels, &grey(&base)) < 2.0);
}

#[test]
fn files_come_out_as_their_list_expects() {
    let Some(folder) = shared("format_variants") else { return };
    for (file, expect) in expectations(&folder) {
        let outcome = read(&folder.join(&file));
        let refused_or_warned = outcome.as_ref().map_or(true, |photo| !photo.warnings.is_empty());
        match expect.as_str() {
            "clean error" | "refuse before allocating" => assert!(outcome.is_err(), "{file}"),
            "clean error or partial, never a silent full success" => assert!(refused_or_warned, "{file}"),
            expect if expect.contains("clean") || expect == "no_crash" => {}
            expect => assert!(outcome.is_ok(), "{file} ({expect}): {:?}", outcome.err()),
        }
    }
}

#[test]
fn bombs_are_refused_before_they_cost_memory() {
    let Some(folder) = shared("format_variants") else { return };
    let bombs = expectations(&folder).into_iter().filter(|(_, expect)| expect == "refuse before allocating");
    let mut refused = 0;
    for (file, _) in bombs {
        let bytes = fs::read(folder.join(&file)).unwrap();
        let (outcome, peak) = peak_bytes(|| decode(&bytes, &DecodeLimits::default()));
        assert!(matches!(outcome, Err(DecodeError::TooLarge(_))), "{file}: {:?}", outcome.err());
        assert!(peak < 2 * MIB, "{file}: {peak} bytes");
        refused += 1;
    }
    assert!(refused >= 4, "only {refused} bombs are on the list");
}

#[test]
fn an_ordinary_jpeg_costs_three_bytes_a_pixel() {
    let Some(folder) = shared("format_variants") else { return };
    let bytes = fs::read(folder.join("big_48mp.jpg")).unwrap();
    let (photo, peak) = peak_bytes(|| decode(&bytes, &DecodeLimits::default()).unwrap());
    let pixels = photo.pixels.len() as isize;
    assert!((pixels..pixels + 8 * MIB).contains(&peak), "{peak} bytes for {pixels}");
}

#[test]
fn nothing_that_broke_other_decoders_breaks_this_one() {
    let Some(folder) = shared("broken") else { return };
    let files = expectations(&folder);
    let limit = DecodeLimits::default().max_pixels as isize * 16;
    for (file, expect) in &files {
        let (outcome, peak) = peak_bytes(|| read(&folder.join(file)));
        assert!(peak < limit, "{file}: {peak} bytes");
        if expect == "decode" {
            assert!(outcome.is_ok(), "{file}: {:?}", outcome.err());
        }
    }
    assert!(files.len() > 100, "only {} files are on the list", files.len());
}

#[test]
fn no_good_photo_is_called_damaged() {
    let Some(folder) = shared(".") else { return };
    let is_good = |path: &Path| {
        let part = path.strip_prefix(&folder).unwrap();
        !part.starts_with("broken")
            && !part.starts_with("format_variants")
            && path.extension().is_some_and(|e| e == "jpg")
    };
    let files: Vec<PathBuf> = walkdir::WalkDir::new(&folder)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| is_good(path))
        .collect();
    assert!(files.len() > 1000, "only {} photos", files.len());
    for file in files {
        let photo = read(&file).unwrap();
        assert_eq!(photo.warnings, [], "{}", file.display());
    }
}
