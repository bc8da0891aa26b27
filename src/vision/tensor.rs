//! Turns rectangles of a photo into the float tensors that nets eat.
//!
//! Resampling is "area": every output value is the plain mean of a window of whole input pixels, exactly as
//! `torch.nn.functional.interpolate(mode="area")` (adaptive average pooling) does it, because that is what the MTCNN
//! reference was trained and tuned with. It always reads the full-resolution photo; no smaller copy is kept.
//! Called by `engine` for pyramid tiles, crops and aligned faces. Must not know which net the numbers are for.

use std::ops::Range;

use image::RgbImage;
use multiversion::multiversion;
use rayon::prelude::*;

/// A rectangle of whole pixels, origin top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelRect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

impl PixelRect {
    /// All of a `width` x `height` picture.
    pub const fn whole(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, width, height }
    }

    /// Number of floats of a three-channel tensor of this size.
    pub const fn tensor_len(&self) -> usize {
        3 * self.width as usize * self.height as usize
    }
}

/// Which colour is plane 0 of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourOrder {
    Rgb,
    Bgr,
}

/// How grey levels 0..255 become what a net was trained on: `(x - mean) / std`, planes in `order`.
/// `mean` and `std` are given in the order of the planes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    pub order: ColourOrder,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

impl Normalisation {
    /// `(x - 127.5) / 128`, RGB: the MTCNN family.
    pub const MTCNN: Self = Self { order: ColourOrder::Rgb, mean: [127.5; 3], std: [128.0; 3] };
}

/// A resampled picture that exists only in the mind: the `source` rectangle of a photo, brought to `width` x `height`.
/// [`AreaGrid::fill`] computes any part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AreaGrid {
    pub source: PixelRect,
    pub width: u32,
    pub height: u32,
}

/// Up to this many bytes can be added in 16 bits: 257 * 255 = 65535.
const MAX_ROWS_IN_U16: u32 = 257;
/// Output rows that one thread computes at a time.
const BAND_ROWS: usize = 64;
/// Output pixels from which on several threads are worth waking.
const PIXELS_FOR_THREADS: usize = 256 * 1024;
/// Pixels in a window whose sum fits into 31 bits.
const MAX_WINDOW: u32 = (i32::MAX as u32) / 255;

impl AreaGrid {
    /// Writes `part` of the resampled picture to `out` as `[3, part.height, part.width]` f32.
    ///
    /// Output pixel `i` is the mean of the input pixels `floor(i*in/out) .. ceil((i+1)*in/out)` on each axis; that is
    /// also defined, with windows of one or two pixels, when the picture grows. Same `part`, same bits, whatever the tiling.
    ///
    /// # Panics
    /// When `source` leaves the photo, `part` leaves the grid, either is empty, a window has more than eight million pixels, or
    /// `out` has another length than `part.tensor_len()`.
    pub fn fill(&self, photo: &RgbImage, part: PixelRect, normalisation: &Normalisation, out: &mut [f32]) {
        let source = self.source;
        assert!(
            source.x + source.width <= photo.width() && source.y + source.height <= photo.height(),
            "source leaves the photo"
        );
        assert!(part.x + part.width <= self.width && part.y + part.height <= self.height, "part leaves the grid");
        assert!(source.width > 0 && source.height > 0 && part.width > 0 && part.height > 0, "nothing to resample");
        assert_eq!(out.len(), part.tensor_len(), "tensor of another size");

        let columns = windows(source.x, source.width, self.width, part.x, part.width);
        let rows = windows(source.y, source.height, self.height, part.y, part.height);
        let longest = |windows: &[Range<u32>]| windows.iter().map(|w| w.end - w.start).max().unwrap_or(0);
        let tallest = longest(&rows);
        assert!(u64::from(tallest) * u64::from(longest(&columns)) <= MAX_WINDOW.into(), "windows of too many pixels");
        let job = Job { photo, columns: &columns, normalisation };
        let band = |rows: &[Range<u32>], planes: [&mut [f32]; 3]| {
            if tallest <= MAX_ROWS_IN_U16 { job.band::<u16>(rows, planes) } else { job.band::<u32>(rows, planes) }
        };
        let plane = part.width as usize * part.height as usize;
        let (first, rest) = out.split_at_mut(plane);
        let (second, third) = rest.split_at_mut(plane);
        if plane < PIXELS_FOR_THREADS {
            return band(&rows, [first, second, third]);
        }
        let pixels = part.width as usize * BAND_ROWS;
        first
            .par_chunks_mut(pixels)
            .zip(second.par_chunks_mut(pixels))
            .zip(third.par_chunks_mut(pixels))
            .zip(rows.par_chunks(BAND_ROWS))
            .for_each(|(((first, second), third), rows)| band(rows, [first, second, third]));
    }
}

/// An RGB picture as `[3, height, width]` f32, nothing resampled.
///
/// # Panics
/// When `out` does not hold `3 * height * width` values or the picture is empty.
pub fn picture(picture: &RgbImage, normalisation: &Normalisation, out: &mut [f32]) {
    let whole = PixelRect::whole(picture.width(), picture.height());
    AreaGrid { source: whole, width: whole.width, height: whole.height }.fill(picture, whole, normalisation, out);
}

/// The input pixels behind each of `count` output pixels from `first` on, for `input` pixels brought to `output`.
fn windows(offset: u32, input: u32, output: u32, first: u32, count: u32) -> Vec<Range<u32>> {
    let (input, output) = (u64::from(input), u64::from(output));
    (u64::from(first)..u64::from(first + count))
        .map(|i| {
            let start = (i * input / output) as u32;
            let end = ((i + 1) * input).div_ceil(output) as u32;
            offset + start..offset + end
        })
        .collect()
}

struct Job<'a> {
    photo: &'a RgbImage,
    columns: &'a [Range<u32>],
    normalisation: &'a Normalisation,
}

impl Job<'_> {
    /// Fills a few output rows of the three planes: adds up the rows of each window first (a straight run over memory),
    /// then the columns. Integer sums are exact in any order.
    fn band<A: Sum>(&self, rows: &[Range<u32>], planes: [&mut [f32]; 3]) {
        let stride = self.photo.width() as usize * 3;
        let left = self.columns[0].start as usize;
        let right = self.columns[self.columns.len() - 1].end as usize;
        let pixels: &[u8] = self.photo.as_raw();
        // One value more than there are: a pixel is read with the value behind it.
        let mut sums: Vec<A> = vec![A::from(0); 3 * (right - left) + 1];
        let mut row_of_windows = RowOfWindows {
            left,
            columns: self.columns,
            to_left: vec![[0; 4]; right - left + 1],
            values: vec![[0.0; 4]; self.columns.len()],
            planes: Planes::new(self.normalisation, planes),
        };
        for (y, window) in rows.iter().enumerate() {
            sums.fill(A::from(0));
            for source_y in window.clone() {
                A::add_row(&mut sums, &pixels[source_y as usize * stride..][3 * left..3 * right]);
            }
            A::add_columns(&sums, &mut row_of_windows, y, window.end - window.start);
        }
    }
}

/// The second half of a row's way from sums of rows to values of planes. A pixel is computed in four lanes: red, green, blue,
/// and one that nobody reads.
struct RowOfWindows<'a> {
    /// Column of the photo at which the sums begin.
    left: usize,
    columns: &'a [Range<u32>],
    /// For each column, the sum of all to its left.
    to_left: Vec<[u32; 4]>,
    /// For each window, what becomes of its mean.
    values: Vec<[f32; 4]>,
    planes: Planes<'a>,
}

/// Where red, green and blue go, and how.
struct Planes<'a> {
    mean: [f32; 4],
    std: [f32; 4],
    planes: [&'a mut [f32]; 3],
}

impl<'a> Planes<'a> {
    fn new(normalisation: &Normalisation, mut planes: [&'a mut [f32]; 3]) -> Self {
        let Normalisation { order, mut mean, mut std } = *normalisation;
        if order == ColourOrder::Bgr {
            mean.reverse();
            std.reverse();
            planes.reverse();
        }
        let four = |[r, g, b]: [f32; 3]| [r, g, b, 1.0];
        Self { mean: four(mean), std: four(std), planes }
    }
}

/// A number that sums of grey levels fit into. The two steps are compiled for several kinds of processor, and the best is
/// chosen when the program runs.
trait Sum: Copy + From<u8> + Into<u32> {
    /// `sums[i] += row[i]`
    fn add_row(sums: &mut [Self], row: &[u8]);

    /// Adds up the columns of each window, whose `height` rows are added up already, and writes row `y` of the planes.
    fn add_columns(sums: &[Self], windows: &mut RowOfWindows<'_>, y: usize, height: u32);
}

impl Sum for u16 {
    fn add_row(sums: &mut [Self], row: &[u8]) {
        #[multiversion(targets("x86_64+avx2", "x86_64+sse4.1"))]
        fn add_row(sums: &mut [u16], row: &[u8]) {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += u16::from(*v));
        }
        add_row(sums, row);
    }

    fn add_columns(sums: &[Self], windows: &mut RowOfWindows<'_>, y: usize, height: u32) {
        #[multiversion(targets("x86_64+avx2", "x86_64+sse4.1"))]
        fn add_columns(sums: &[u16], windows: &mut RowOfWindows<'_>, y: usize, height: u32) {
            windows.fill(sums, y, height);
        }
        add_columns(sums, windows, y, height);
    }
}

/// For photos whose windows are higher than 257 rows: rare, and not worth more.
impl Sum for u32 {
    fn add_row(sums: &mut [Self], row: &[u8]) {
        sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += Self::from(*v));
    }

    fn add_columns(sums: &[Self], windows: &mut RowOfWindows<'_>, y: usize, height: u32) {
        windows.fill(sums, y, height);
    }
}

impl RowOfWindows<'_> {
    /// Three passes over what lies in the first cache. Windows of two and three columns alternate as they like, so each is
    /// the difference of two sums instead of a loop of its own.
    #[inline(always)]
    fn fill<A: Copy + Into<u32>>(&mut self, sums: &[A], y: usize, height: u32) {
        let mut sum = [0_u32; 4];
        for (column, to_left) in self.to_left[1..].iter_mut().enumerate() {
            let pixel: &[A; 4] = sums[3 * column..].first_chunk().expect("one value more than there are pixels");
            for (sum, value) in sum.iter_mut().zip(pixel) {
                *sum = sum.wrapping_add((*value).into());
            }
            *to_left = sum;
        }
        let Planes { mean, std, planes } = &mut self.planes;
        for (window, value) in self.columns.iter().zip(&mut self.values) {
            let (start, end) = (window.start as usize - self.left, window.end as usize - self.left);
            let (to_start, to_end) = (self.to_left[start], self.to_left[end]);
            let count = (height * (end - start) as u32) as f32;
            for lane in 0..4 {
                let total = to_end[lane].wrapping_sub(to_start[lane]) as i32;
                value[lane] = (total as f32 / count - mean[lane]) / std[lane];
            }
        }
        let width = self.columns.len();
        let [red, green, blue] = planes.each_mut().map(|plane| &mut plane[y * width..][..width]);
        for (((value, red), green), blue) in self.values.iter().zip(red).zip(green).zip(blue) {
            [*red, *green, *blue, _] = *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Normalisation = Normalisation { order: ColourOrder::Rgb, mean: [0.0; 3], std: [1.0; 3] };

    fn noise(width: u32, height: u32) -> RgbImage {
        let mut state = 1_u32;
        RgbImage::from_fn(width, height, |_, _| {
            image::Rgb(std::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            }))
        })
    }

    fn resample(photo: &RgbImage, source: PixelRect, width: u32, height: u32) -> Vec<f32> {
        let part = PixelRect::whole(width, height);
        let mut out = vec![0.0; part.tensor_len()];
        AreaGrid { source, width, height }.fill(photo, part, &PLAIN, &mut out);
        out
    }

    #[test]
    fn five_columns_to_three_and_seven_average_the_windows_of_torch() {
        let photo = RgbImage::from_fn(5, 1, |x, _| image::Rgb([(x * 10) as u8; 3]));
        let whole = PixelRect::whole(5, 1);
        // interpolate(torch.tensor([[[[0., 10, 20, 30, 40]]]]), size=(1, 3), mode="area") and (1, 7)
        assert_eq!(resample(&photo, whole, 3, 1)[..3], [5.0, 20.0, 35.0]);
        assert_eq!(resample(&photo, whole, 7, 1)[..7], [0.0, 5.0, 15.0, 20.0, 25.0, 35.0, 40.0]);
    }

    #[test]
    fn every_value_is_the_mean_of_its_window() {
        let photo = noise(37, 61);
        let source = PixelRect { x: 3, y: 5, width: 31, height: 50 };
        for (width, height) in [(24, 24), (7, 90), (31, 50), (1, 1)] {
            let out = resample(&photo, source, width, height);
            for y in 0..height {
                for x in 0..width {
                    let xs = source.x + x * 31 / width..source.x + ((x + 1) * 31).div_ceil(width);
                    let ys = source.y + y * 50 / height..source.y + ((y + 1) * 50).div_ceil(height);
                    let n = f64::from((xs.end - xs.start) * (ys.end - ys.start));
                    for c in 0..3 {
                        let sum: f64 = ys
                            .clone()
                            .flat_map(|y| xs.clone().map(move |x| (x, y)))
                            .map(|(x, y)| f64::from(photo.get_pixel(x, y)[c]))
                            .sum();
                        let got = out[c * (width * height) as usize + (y * width + x) as usize];
                        assert!((f64::from(got) - sum / n).abs() < 1e-4, "({x}, {y}, {c}) at {width} x {height}");
                    }
                }
            }
        }
    }

    #[test]
    fn windows_of_more_than_257_rows_do_not_overflow() {
        let photo = RgbImage::from_pixel(2, 600, image::Rgb([255, 254, 3]));
        assert_eq!(resample(&photo, PixelRect::whole(2, 600), 1, 1), [255.0, 254.0, 3.0]);
    }

    #[test]
    fn a_part_has_the_bits_of_the_whole() {
        let photo = noise(200, 301);
        let (width, height) = (121, 181);
        let grid = AreaGrid { source: PixelRect::whole(200, 301), width, height };
        let whole = resample(&photo, grid.source, width, height);
        let part = PixelRect { x: 17, y: 90, width: 60, height: 91 };
        let mut out = vec![0.0; part.tensor_len()];
        grid.fill(&photo, part, &PLAIN, &mut out);
        for (i, value) in out.iter().enumerate() {
            let (c, y, x) = (i / (60 * 91), i / 60 % 91, i % 60);
            assert_eq!(*value, whole[(c * 181 + y + 90) * 121 + x + 17]);
        }
    }

    #[test]
    fn planes_follow_the_colour_order_and_the_scale() {
        let photo = RgbImage::from_pixel(1, 1, image::Rgb([10, 20, 30]));
        let bgr = Normalisation { order: ColourOrder::Bgr, mean: [1.0, 2.0, 3.0], std: [1.0, 2.0, 7.0] };
        let mut out = [0.0; 3];
        picture(&photo, &bgr, &mut out);
        assert_eq!(out, [29.0, 9.0, 1.0]);
    }
}
