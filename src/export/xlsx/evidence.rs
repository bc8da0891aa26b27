//! The page "Evidence" of a session's workbook: each member's face as it was found, with its numbers; below, on request, the
//! people nobody knows.
//!
//! A picture lies within its cell and moves with it, so that sorting and filtering keep face and name together.

use rust_xlsxwriter::{Format, FormatAlign, IgnoreError, Image, ObjectMovement, Worksheet, XlsxError};

use crate::domain::sheet::{Evidence, EvidenceRow, FacePicture, FaceShown, SessionSheet, Shown, StrangerFace};
use crate::domain::status::Verdict;
use crate::export::xlsx::style::{self, Area, put, put_across};
use crate::export::xlsx::text;

/// What the page is called.
pub(super) const PAGE_NAME: &str = "Evidence";

const ROLL: u16 = 0;
const NAME: u16 = 1;
const STATUS: u16 = 2;
const FACE: u16 = 3;
const FOUND: u16 = 4;
const SCORE: u16 = 5;
const COSINE: u16 = 6;
const CONFIDENCE: u16 = 7;
const RUNNER_UP: u16 = 8;
const RUNNER_UP_SCORE: u16 = 9;
const PHOTO: u16 = 10;
const REASON: u16 = 11;

const TITLES: [&str; 12] = [
    "Roll no",
    "Name",
    "Status",
    "Face",
    "Found",
    "Score",
    "Cosine",
    "Confidence",
    "Next nearest",
    "Its score",
    "Photo",
    "Why",
];
const HEADER: u32 = 4;
/// Height of a row with a face, points and pixels.
const FACE_ROW: (f64, u32) = (60.0, 80);
/// Width of the column of faces, pixels.
const FACE_COLUMN: u32 = 82;
/// Left free on each side of a face, pixels.
const AIR: u32 = 3;

const MEANINGS: &str = "Score: how far the face is from the student, lower is nearer. Cosine: how alike, 1 is the same. Confidence: how \
    likely it is this student. Next nearest: whom else of the class the face is like. As it was when the sheet was made.";

/// The page: what it shows and where.
#[derive(Debug)]
pub(super) struct EvidencePage<'a> {
    sheet: &'a SessionSheet,
    evidence: &'a Evidence,
    /// Digits; in the order of [`TITLES`].
    widths: [f64; 12],
}

impl<'a> EvidencePage<'a> {
    pub(super) fn new(sheet: &'a SessionSheet, evidence: &'a Evidence) -> Self {
        Self { sheet, evidence, widths: widths(sheet, evidence) }
    }

    pub(super) fn write(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        page.set_name(PAGE_NAME)?;
        for (col, width) in (ROLL..).zip(self.widths) {
            page.set_column_width(col, width)?;
        }
        page.set_column_width_pixels(FACE, FACE_COLUMN)?;
        self.write_heading(page)?;
        for (col, title) in (ROLL..).zip(TITLES) {
            put(page, HEADER, col, title, &style::header().set_align(FormatAlign::Center))?;
        }
        page.set_row_height(HEADER, 32)?;
        for (row, member) in (HEADER + 1..).zip(&self.evidence.rows) {
            self.write_member(page, row, member)?;
        }
        let last = self.last_member();
        page.autofilter(HEADER, ROLL, last, REASON)?;
        page.ignore_error_range(HEADER + 1, ROLL, last, ROLL, IgnoreError::NumberStoredAsText)?;
        style::colour_statuses(page, Area(HEADER + 1, STATUS, last, STATUS), &self.sheet.rules.styles)?;
        let end = match &self.evidence.strangers {
            Some(strangers) => write_strangers(page, last + 2, strangers)?,
            None => last,
        };
        self.set_up(page, end)
    }

    fn last_member(&self) -> u32 {
        HEADER + (self.evidence.rows.len() as u32).max(1)
    }

    fn write_heading(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let (sheet, heading) = (self.sheet, &self.sheet.heading);
        put(page, 0, ROLL, &heading.school, &style::title())?;
        let session = [Some("Evidence"), heading.subject.as_deref(), sheet.name.as_deref()];
        let session = session.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        put_across(page, Area(1, ROLL, 1, REASON), &heading.line(Some(&session)), &style::subtitle())?;
        let zoned = format!("{} ({})", sheet.starts_at.format("%a %-d %b %Y, %H:%M"), heading.time_zone.name());
        put_across(page, Area(2, ROLL, 2, REASON), &zoned, &style::plain())?;
        put_across(page, Area(3, ROLL, 3, REASON), MEANINGS, &style::quiet())?;
        page.set_row_height(3, 15 * text::lines_needed(MEANINGS, self.widths.iter().sum::<f64>() * 1.1))?;
        Ok(())
    }

    fn write_member(&self, page: &mut Worksheet, row: u32, member: &EvidenceRow) -> Result<(), XlsxError> {
        page.set_row_height(row, FACE_ROW.0)?;
        let (text, centred) = (style::cell(), style::centred());
        put(page, row, ROLL, &member.roll_no, &text)?;
        put(page, row, NAME, &member.name, &text)?;
        put(page, row, STATUS, self.sheet.rules.marks().label(member.status), &centred)?;
        put(page, row, FOUND, member.shown.word(), &found_format(&member.shown))?;
        put(page, row, REASON, &member.reason, &text)?;
        match &member.shown {
            Shown::Face(face) => write_face(page, row, face, &member.roll_no),
            Shown::NotFound | Shown::NoConsent => {
                let why = if member.shown == Shown::NoConsent { "not shown:\nno consent" } else { "" };
                put(page, row, FACE, why, &aside())?;
                (SCORE..=PHOTO).try_for_each(|col| page.write_blank(row, col, &centred).map(drop))
            }
        }
    }

    fn set_up(&self, page: &mut Worksheet, last: u32) -> Result<(), XlsxError> {
        page.set_freeze_panes(HEADER + 1, NAME + 1)?.set_portrait().set_print_fit_to_pages(1, 0);
        page.set_repeat_rows(HEADER, HEADER)?.set_print_area(0, ROLL, last, REASON)?;
        style::set_up_print(
            page,
            &self.sheet.heading,
            &self.sheet.starts_at.format("%Y-%m-%d %H:%M evidence").to_string(),
        );
        Ok(())
    }
}

fn write_face(page: &mut Worksheet, row: u32, face: &FaceShown, roll_no: &str) -> Result<(), XlsxError> {
    let perhaps = if face.verdict == Verdict::Match { "" } else { "perhaps " };
    write_picture(page, row, &face.picture, &format!("Face that is {perhaps}roll number {roll_no}"))?;
    let numbers = [
        (SCORE, face.combined, "0.00"),
        (COSINE, face.cosine, "0.000"),
        (CONFIDENCE, face.confidence, "0.0%"),
        (RUNNER_UP_SCORE, face.runner_up.as_ref().map(|next| next.combined), "0.00"),
    ];
    for (col, number, format) in numbers {
        let format = style::centred().set_num_format(format);
        match number.filter(|number| number.is_finite()) {
            Some(number) => page.write_number_with_format(row, col, (number * 1e4).round() / 1e4, &format)?,
            None => page.write_blank(row, col, &format)?,
        };
    }
    let runner_up = face.runner_up.as_ref().map_or("", |next| next.roll_no.as_str());
    put(page, row, RUNNER_UP, runner_up, &style::centred())?;
    page.ignore_error_range(row, RUNNER_UP, row, RUNNER_UP, IgnoreError::NumberStoredAsText)?;
    put(page, row, PHOTO, &face.photo, &style::cell().set_font_size(9))
}

/// The people that are nobody of the class, from `first` on; returns the last row.
fn write_strangers(page: &mut Worksheet, first: u32, strangers: &[StrangerFace]) -> Result<u32, XlsxError> {
    let title = match strangers.len() {
        0 => "Nobody in the photos is a stranger.".to_owned(),
        1 => "1 person in the photos is nobody of the class".to_owned(),
        n => format!("{n} people in the photos are nobody of the class"),
    };
    put_across(page, Area(first, ROLL, first, REASON), &title, &style::subtitle())?;
    if strangers.is_empty() {
        return Ok(first);
    }
    let header = style::header().set_align(FormatAlign::Center);
    put(page, first + 1, ROLL, "Person", &header)?;
    put_across(page, Area(first + 1, NAME, first + 1, STATUS), "In photos", &header)?;
    put(page, first + 1, FACE, "Face", &header)?;
    put_across(page, Area(first + 1, FOUND, first + 1, CONFIDENCE), "Photo", &header)?;
    for (row, person) in (first + 2..).zip(strangers) {
        page.set_row_height(row, FACE_ROW.0)?;
        page.write_number_with_format(row, ROLL, f64::from(person.number), &style::centred())?;
        page.merge_range(row, NAME, row, STATUS, "", &style::centred())?;
        page.write_number_with_format(row, NAME, f64::from(person.photos), &style::centred())?;
        write_picture(page, row, &person.picture, &format!("Face of person {}, nobody of the class", person.number))?;
        put_across(page, Area(row, FOUND, row, CONFIDENCE), &person.photo, &style::cell().set_font_size(9))?;
    }
    Ok(first + 1 + strangers.len() as u32)
}

/// The face in the middle of its cell, or why there is none.
fn write_picture(page: &mut Worksheet, row: u32, picture: &FacePicture, meaning: &str) -> Result<(), XlsxError> {
    let missing = match picture {
        FacePicture::Jpeg(_) => "",
        FacePicture::Gone => "the photo is\nno longer kept",
        FacePicture::Unreadable => "the photo could\nnot be read",
    };
    put(page, row, FACE, missing, &aside())?;
    let FacePicture::Jpeg(jpeg) = picture else { return Ok(()) };
    let (wide, tall) = (FACE_COLUMN - 2 * AIR, FACE_ROW.1 - 2 * AIR);
    let image = Image::new_from_buffer(jpeg)?.set_scale_to_size(wide, tall, true);
    let free = |cell: u32, side: f64, scale: f64| (f64::from(cell) - side * scale).max(0.0) as u32 / 2;
    let scale = (f64::from(wide) / image.width()).min(f64::from(tall) / image.height());
    let (x, y) = (free(FACE_COLUMN, image.width(), scale), free(FACE_ROW.1, image.height(), scale));
    let image = image.set_alt_text(text::cleaned(meaning)).set_object_movement(ObjectMovement::MoveAndSizeWithCells);
    page.insert_image_with_offset(row, FACE, &image, x, y)?;
    Ok(())
}

/// Small print in place of a face.
fn aside() -> Format {
    style::centred().set_font_size(8).set_text_wrap()
}

fn found_format(shown: &Shown) -> Format {
    let is_doubt = matches!(shown, Shown::Face(face) if face.verdict != Verdict::Match);
    if is_doubt { style::notice(style::centred()) } else { style::centred().set_text_wrap() }
}

fn widths(sheet: &SessionSheet, evidence: &Evidence) -> [f64; 12] {
    let rows = &evidence.rows;
    let photos = rows.iter().filter_map(|row| match &row.shown {
        Shown::Face(face) => Some(face.photo.as_str()),
        Shown::NotFound | Shown::NoConsent => None,
    });
    [
        text::fitted(rows.iter().map(|row| row.roll_no.as_str()), 10.0, 16.0),
        text::fitted(rows.iter().map(|row| row.name.as_str()), 16.0, 28.0),
        text::fitted(sheet.rules.marks().all().into_iter(), 9.0, 20.0),
        10.9,
        12.0,
        8.5,
        8.5,
        12.0,
        10.0,
        8.5,
        text::fitted(photos, 12.0, 22.0),
        30.0,
    ]
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::domain::sheet::{RunnerUp, fixtures};
    use crate::domain::status::AttendanceStatus::{self, Absent, Present, Unmarked};
    use crate::export::session_workbook;
    use crate::export::xlsx::tests::{cells, number, part, text as text_at};

    /// As much detail as a face can have at all: noise, which JPEG packs worst.
    fn noise(seed: u32) -> FacePicture {
        let pixel = |x: u32, y: u32| {
            let mixed = (x * 7919 + y * 104_729 + seed * 1_299_709).wrapping_mul(2_654_435_761);
            Rgb([(mixed >> 8) as u8, (mixed >> 16) as u8, (mixed >> 24) as u8])
        };
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 75).encode_image(&RgbImage::from_fn(96, 80, pixel)).unwrap();
        FacePicture::Jpeg(jpeg)
    }

    fn face(verdict: Verdict, picture: FacePicture) -> Shown {
        let runner_up = Some(RunnerUp { roll_no: "R9".into(), combined: 21.5 });
        let (combined, cosine, confidence) = (Some(14.256_789), Some(0.7251), Some(0.999));
        Shown::Face(Box::new(FaceShown {
            verdict,
            picture,
            combined,
            cosine,
            confidence,
            runner_up,
            photo: "left.jpg".into(),
        }))
    }

    fn row(number: usize, status: AttendanceStatus, shown: Shown) -> EvidenceRow {
        let reason = "clearly this student".to_owned();
        EvidenceRow { roll_no: format!("R{number}"), name: format!("Student {number}"), status, shown, reason }
    }

    fn workbook(rows: Vec<EvidenceRow>, strangers: Option<Vec<StrangerFace>>) -> Vec<u8> {
        let statuses: Vec<AttendanceStatus> = rows.iter().map(|row| row.status).collect();
        session_workbook(&fixtures::session(&statuses), Some(&Evidence { rows, strangers })).unwrap()
    }

    #[test]
    fn each_member_has_a_row_with_what_was_found() {
        let rows = vec![
            row(1, Present, face(Verdict::Match, noise(1))),
            row(2, Unmarked, face(Verdict::Doubt, FacePicture::Gone)),
            row(3, Absent, Shown::NotFound),
            row(4, Unmarked, Shown::NoConsent),
        ];
        let bytes = workbook(rows, None);
        let range = cells(&bytes, PAGE_NAME);
        let line =
            |row: u32| ["A", "B", "C", "D", "E", "I", "K", "L"].map(|col| text_at(&range, &format!("{col}{row}")));
        assert_eq!(line(6), ["R1", "Student 1", "P", "", "found", "R9", "left.jpg", "clearly this student"]);
        assert_eq!(["F6", "G6", "H6", "J6"].map(|cell| number(&range, cell)), [14.2568, 0.7251, 0.999, 21.5]);
        assert_eq!(line(7)[3..5], ["the photo is\nno longer kept", "DOUBT"]);
        assert_eq!(line(8)[3..7], ["", "not found", "", ""]);
        assert_eq!(line(9)[3..7], ["not shown:\nno consent", "no consent", "", ""]);
        assert_eq!(range.end().map(|(row, _)| row), Some(8), "nothing stands below");
        let drawing = part(&bytes, "xl/drawings/drawing1.xml");
        assert_eq!(drawing.matches("<xdr:pic>").count(), 1);
        assert!(drawing.contains("descr=\"Face that is roll number R1\""), "{drawing}");
        let xml = part(&bytes, "xl/worksheets/sheet2.xml");
        assert!(xml.contains("state=\"frozen\"") && xml.contains("fitToHeight=\"0\""), "{xml}");
    }

    #[test]
    fn strangers_stand_below_without_a_word_of_who_they_may_be() {
        let stranger = |number| StrangerFace { number, picture: noise(number), photo: "left.jpg".into(), photos: 2 };
        let bytes = workbook(vec![row(1, Absent, Shown::NotFound)], Some(vec![stranger(1), stranger(2)]));
        let range = cells(&bytes, PAGE_NAME);
        assert_eq!(text_at(&range, "A8"), "2 people in the photos are nobody of the class");
        assert_eq!(
            (number(&range, "A11"), number(&range, "B11"), text_at(&range, "E11")),
            (2.0, 2.0, "left.jpg".into())
        );
        assert_eq!(part(&bytes, "xl/drawings/drawing1.xml").matches("<xdr:pic>").count(), 2);
        let nobody = cells(&workbook(vec![row(1, Absent, Shown::NotFound)], Some(Vec::new())), PAGE_NAME);
        assert_eq!(text_at(&nobody, "A8"), "Nobody in the photos is a stranger.");
    }

    #[test]
    fn sixty_faces_stay_below_three_megabytes() {
        let bytes = workbook((1..=60).map(|n| row(n, Present, face(Verdict::Match, noise(n as u32)))).collect(), None);
        assert_eq!(part(&bytes, "xl/drawings/drawing1.xml").matches("<xdr:pic>").count(), 60);
        println!("a workbook with sixty faces has {} bytes", bytes.len());
        assert!(bytes.len() < 3_000_000, "{} bytes", bytes.len());
    }

    #[test]
    fn without_evidence_there_is_no_such_page() {
        let bytes = session_workbook(&fixtures::session(&[Present]), None).unwrap();
        assert!(!part(&bytes, "xl/workbook.xml").contains(PAGE_NAME));
    }
}
