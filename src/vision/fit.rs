//! Smaller copies of photos, for screens. Nets never look at these. Called by `app`.

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

/// A copy whose longer side is `longest_px` (>= 1) pixels; the picture itself where it is no larger. Lanczos over three lobes,
/// as wide as the shrinking asks, so that faces stay sharp and nothing shimmers.
pub fn fitted(picture: RgbImage, longest_px: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= longest_px {
        return picture;
    }
    let side = |px: u32| (px as f64 * f64::from(longest_px) / f64::from(longest)).round().max(1.0) as u32;
    let mut small = RgbImage::new(side(width), side(height));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize(&picture, &mut small, &options).expect("both are pictures of RGB bytes that are not empty");
    small
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn the_longer_side_is_as_asked_and_the_shape_stays() {
        let sizes =
            [((3000, 2000), (1500, 1000)), ((2000, 3000), (1000, 1500)), ((40, 30), (40, 30)), ((9000, 1), (1500, 1))];
        for ((width, height), expected) in sizes {
            assert_eq!(fitted(RgbImage::new(width, height), 1500).dimensions(), expected);
        }
    }

    #[test]
    fn what_is_left_stays_left() {
        let halves = RgbImage::from_fn(800, 400, |x, _| if x < 400 { Rgb([250, 10, 10]) } else { Rgb([10, 10, 250]) });
        let small = fitted(halves, 100);
        assert_eq!((small.get_pixel(10, 25), small.get_pixel(90, 25)), (&Rgb([250, 10, 10]), &Rgb([10, 10, 250])));
    }
}
