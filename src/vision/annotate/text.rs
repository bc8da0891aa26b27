//! Lettering in DejaVu Sans Bold, which the program carries.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use image::{Rgb, RgbImage};

use super::paint::blend;

pub(super) struct Lettering {
    font: FontRef<'static>,
}

impl Lettering {
    pub(super) fn new() -> Self {
        let font = FontRef::try_from_slice(dejavu::sans::bold()).expect("the font inside the program is whole");
        Self { font }
    }

    /// Width in pixels of one line whose letters span `text_px` from the highest to the lowest.
    pub(super) fn width(&self, text: &str, text_px: f32) -> f32 {
        self.glyphs(text, text_px).1
    }

    /// Draws one line from `x` on, its capitals centred on `middle_y`. What leaves the picture is cut.
    pub(super) fn draw(
        &self,
        picture: &mut RgbImage,
        text: &str,
        text_px: f32,
        (x, middle_y): (f32, f32),
        colour: Rgb<u8>,
    ) {
        let baseline = (middle_y + self.capital_height(text_px) / 2.0).round();
        for mut glyph in self.glyphs(text, text_px).0 {
            glyph.position = point(x.round() + glyph.position.x, baseline);
            let Some(outline) = self.font.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            outline.draw(|dx, dy, coverage| {
                let (px, py) = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
                let inside = px >= 0.0 && py >= 0.0 && px < picture.width() as f32 && py < picture.height() as f32;
                if inside {
                    blend(picture, (px as u32, py as u32), colour, coverage.min(1.0));
                }
            });
        }
    }

    /// The text, or as much of it as fits into `room_px` with an ellipsis.
    pub(super) fn shortened(&self, text: &str, text_px: f32, room_px: f32) -> String {
        if self.width(text, text_px) <= room_px {
            return text.to_owned();
        }
        let mut kept: String = text.to_owned();
        while kept.pop().is_some() {
            let candidate = format!("{}\u{2026}", kept.trim_end());
            if self.width(&candidate, text_px) <= room_px {
                return candidate;
            }
        }
        String::new()
    }

    /// Glyphs on a baseline at (0, 0), and the width of the line.
    fn glyphs(&self, text: &str, text_px: f32) -> (Vec<Glyph>, f32) {
        let font = self.font.as_scaled(PxScale::from(text_px));
        let mut glyphs: Vec<Glyph> = Vec::new();
        let mut x = 0.0;
        for character in text.chars().filter(|c| !c.is_control()) {
            let id = font.glyph_id(character);
            x += glyphs.last().map_or(0.0, |previous| font.kern(previous.id, id));
            glyphs.push(id.with_scale_and_position(text_px, point(x, 0.0)));
            x += font.h_advance(id);
        }
        (glyphs, x)
    }

    /// DejaVu Sans: capitals are 0.729 em high, ascent and descent together 1.164 em.
    fn capital_height(&self, text_px: f32) -> f32 {
        text_px * 0.729 / 1.164
    }
}
