use super::*;

const GREY: Rgb<u8> = Rgb([120; 3]);

/// Large enough to be drawn at its own size.
fn photo() -> RgbImage {
    RgbImage::from_pixel(1600, 1200, GREY)
}

fn mark(x: f32, y: f32, label: &str, tone: Tone) -> Mark {
    Mark { bbox: BoundingBox::from_xywh(x, y, 100.0, 120.0), label: label.to_owned(), tone }
}

/// The smallest box around all pixels that are not the photo's grey.
fn touched(drawing: &RgbImage) -> Option<(u32, u32, u32, u32)> {
    drawing.enumerate_pixels().filter(|(_, _, pixel)| **pixel != GREY).fold(None, |found, (x, y, _)| {
        let (x1, y1, x2, y2) = found.unwrap_or((x, y, x, y));
        Some((x1.min(x), y1.min(y), x2.max(x), y2.max(y)))
    })
}

fn count_of(drawing: &RgbImage, colour: Rgb<u8>) -> usize {
    drawing.pixels().filter(|pixel| **pixel == colour).count()
}

#[test]
fn no_marks_and_no_legend_leave_the_photo_as_it_is() {
    assert!(annotate(&photo(), &[], None) == photo());
}

#[test]
fn the_face_itself_stays_free() {
    for tone in Tone::ALL {
        let drawing = annotate(&photo(), &[mark(300.0, 300.0, "CSE-A-11", tone)], None);
        for (x, y) in [(304, 304), (350, 360), (394, 414), (305, 414)] {
            assert_eq!(*drawing.get_pixel(x, y), GREY, "{tone:?} at {x}, {y}");
        }
        let (x1, y1, x2, y2) = touched(&drawing).unwrap();
        assert!((270..300).contains(&x1) && (290..300).contains(&y1), "{tone:?}: {x1}, {y1}");
        assert!((400..430).contains(&x2) && (430..470).contains(&y2), "{tone:?}: {x2}, {y2}");
    }
}

#[test]
fn tones_differ_in_line_and_not_only_in_colour() {
    let inked = [Tone::Match, Tone::Doubt, Tone::Stranger].map(|tone| {
        let drawing = annotate(&photo(), &[Mark { label: "-".to_owned(), ..mark(300.0, 300.0, "", tone) }], None);
        // The upper edge of the frame, away from the tag: which share of it is line?
        let edge = (300..400).filter(|&x| (294..300).any(|y| *drawing.get_pixel(x, y) == tone.colour()));
        edge.count()
    });
    let [solid, dashed, corners] = inked;
    assert!(solid > 85 && (45..75).contains(&dashed) && (25..60).contains(&corners), "{inked:?}");
    assert!(corners < dashed);
}

#[test]
fn a_doubt_carries_one_question_mark() {
    let drawn = |label, tone| annotate(&photo(), &[mark(300.0, 300.0, label, tone)], None);
    assert!(drawn("CSE-A-11", Tone::Doubt) == drawn("CSE-A-11?", Tone::Doubt));
    assert!(drawn("CSE-A-11", Tone::Match) != drawn("CSE-A-11?", Tone::Match));
}

#[test]
fn a_mark_without_label_has_no_tag() {
    let with = annotate(&photo(), &[mark(300.0, 300.0, "1", Tone::Stranger)], None);
    let without = annotate(&photo(), &[mark(300.0, 300.0, " ", Tone::Stranger)], None);
    assert!(touched(&without).unwrap().3 < 430);
    assert!(touched(&with).unwrap().3 > 430);
}

#[test]
fn boxes_off_the_photo_or_not_finite_are_left_out() {
    let marks = [
        mark(5000.0, 0.0, "A", Tone::Match),
        mark(-300.0, 0.0, "A", Tone::Match),
        mark(f32::NAN, 0.0, "A", Tone::Match),
        mark(f32::INFINITY, 0.0, "A", Tone::Match),
    ];
    assert!(annotate(&photo(), &marks, None) == photo());
}

#[test]
fn a_face_at_the_edge_is_drawn_as_far_as_it_is_seen() {
    let drawing = annotate(&photo(), &[mark(-50.0, 1150.0, "CSE-A-11", Tone::Match)], None);
    assert_eq!(drawing.dimensions(), (1600, 1200));
    assert!(count_of(&drawing, Tone::Match.colour()) > 500);
}

#[test]
fn the_legend_stands_below_and_leaves_the_photo_alone() {
    let marks = [mark(300.0, 300.0, "CSE-A-11", Tone::Match)];
    let (plain, with_legend) = (annotate(&photo(), &marks, None), annotate(&photo(), &marks, Some("1 present")));
    assert_eq!(with_legend.width(), 1600);
    assert!((1220..1260).contains(&with_legend.height()));
    let upper = image::imageops::crop_imm(&with_legend, 0, 0, 1600, 1200).to_image();
    assert!(upper == plain);
    let strip = image::imageops::crop_imm(&with_legend, 0, 1200, 1600, with_legend.height() - 1200).to_image();
    assert!(count_of(&strip, WHITE) > 50, "lettering");
    assert!(count_of(&strip, Tone::Match.colour()) > 20, "key");
    assert_eq!(count_of(&strip, Tone::Stranger.colour()), 0, "only tones in use");
}

#[test]
fn a_legend_too_long_for_the_photo_ends_with_an_ellipsis() {
    let lettering = Lettering::new();
    let shortened = lettering.shortened("23 present, 2 doubts, 1 stranger", 20.0, 150.0);
    assert!(shortened.ends_with('\u{2026}') && shortened.starts_with("23 p"), "{shortened}");
    assert!(lettering.width(&shortened, 20.0) <= 150.0);
    assert_eq!(lettering.shortened("23", 20.0, 150.0), "23");
    assert_eq!(lettering.shortened("23", 20.0, 5.0), "");
}

#[test]
fn small_photos_are_enlarged_and_their_boxes_with_them() {
    let small = RgbImage::from_pixel(700, 500, GREY);
    let bbox = BoundingBox::from_xywh(200.0, 200.0, 30.0, 40.0);
    let drawing = annotate(&small, &[Mark { bbox, label: String::new(), tone: Tone::Match }], None);
    assert_eq!(drawing.dimensions(), (1400, 1000));
    let (x1, y1, x2, y2) = touched(&drawing).unwrap();
    assert!((390..400).contains(&x1) && (390..400).contains(&y1), "{x1}, {y1}");
    assert!((460..470).contains(&x2) && (480..490).contains(&y2), "{x2}, {y2}");
}

#[test]
fn degenerate_photos_do_not_panic() {
    let marks = [Mark { bbox: BoundingBox::from_xywh(0.0, 0.0, 1.0, 1.0), label: "x".repeat(300), tone: Tone::Doubt }];
    for (width, height) in [(0, 0), (1, 1), (5000, 1), (1, 5000)] {
        let drawing = annotate(&RgbImage::new(width, height), &marks, Some("legend"));
        assert!(drawing.width() >= width && drawing.height() >= height);
    }
}

#[test]
fn lettering_has_a_contrast_of_at_least_four_and_a_half() {
    // WCAG 2.2, relative luminance and contrast ratio.
    let luminance = |colour: Rgb<u8>| {
        let [r, g, b] = colour.0.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let contrast = |a: Rgb<u8>, b: Rgb<u8>| {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    };
    for tone in Tone::ALL {
        let ratio = contrast(tone.colour(), tone.lettering());
        assert!(ratio >= 4.5, "{tone:?}: {ratio}");
    }
}

#[test]
fn encoded_drawings_decode_to_the_same_size_and_empty_ones_are_refused() {
    let bytes = encode_jpeg(&annotate(&photo(), &[], Some("nobody")), 85).unwrap();
    let photo = crate::vision::decode::decode(&bytes, &crate::vision::decode::DecodeLimits::default()).unwrap();
    assert_eq!(photo.pixels.width(), 1600);
    assert!(encode_jpeg(&RgbImage::new(0, 0), 85).is_err());
}
