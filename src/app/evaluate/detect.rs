//! Detection alone, measured against labelled boxes: recall and precision by the size of the face, average precision.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::looker::Looker;
use super::report::Measurement;
use super::truth::{BOX, PHOTO, bounds};
use super::{Steps, read_list};
use crate::app::error::Error;
use crate::domain::csv_table::{Column, CsvRow};
use crate::domain::detection_curve::{
    Counts, DetectionBySize, Hit, LabelledBox, Matched, PrecisionRecall, average_precision, by_size, curve, match_boxes,
};
use crate::domain::geometry::BoundingBox;
use crate::domain::interval::{Share, WILSON};

/// Where the labelled photos are.
#[derive(Debug, Clone)]
pub struct LabelledBoxes {
    /// CSV: `image,x,y,w,h[,easy,medium,hard][,note]`, or `photo` for `image`. The flags are WIDER FACE's own subsets; a face
    /// with none of them, or with a note, counts neither way.
    pub truth: PathBuf,
    /// Folder of the photos.
    pub photos: PathBuf,
    /// Least overlap (intersection over union) of a found with a labelled face, 0..1.
    pub min_iou: f32,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct DetectReport {
    pub min_iou: f32,
    /// All labelled faces, then those of each subset that the truth has.
    pub subsets: Vec<SubsetReport>,
    pub photos: Vec<PhotoDetection>,
    /// Mean time to decode a photo and find its faces, over the photos that were looked at and not remembered.
    pub seconds_per_photo: Option<f64>,
}

/// Figures of some of the labelled faces; the others count neither way.
#[derive(Debug, Serialize)]
pub struct SubsetReport {
    pub subset: &'static str,
    /// At the line of the pack.
    pub recall: Share,
    pub precision: Share,
    /// Area under the curve, as far as the pack's own line lets boxes through.
    pub average_precision: f64,
    pub by_size: Vec<DetectionBySize>,
    pub curve: Vec<PrecisionRecall>,
}

/// One photo, all labelled faces.
#[derive(Debug, Serialize)]
pub struct PhotoDetection {
    pub photo: String,
    pub width: u32,
    pub height: u32,
    pub faces: usize,
    pub found: usize,
    pub false_faces: usize,
}

/// Faces that a figure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subset {
    All,
    Easy,
    Medium,
    Hard,
}

const EASY: Column = Column::optional("easy", &[]);
const MEDIUM: Column = Column::optional("medium", &[]);
const HARD: Column = Column::optional("hard", &[]);
const NOTE: Column = Column::optional("note", &[]);

/// A labelled face and the subsets that it is in.
struct Label {
    bbox: BoundingBox,
    subsets: Vec<Subset>,
}

/// Most points of a curve that a report holds.
const CURVE_POINTS: usize = 200;

/// Looks at every photo and counts; `progress` is told (done, all) photos.
///
/// # Errors
/// `INVALID_TABLE` for a list that cannot be read, `FILE_ERROR`, and what stops a photo: a labelled photo that cannot be
/// processed is an error, never a silent gap in the figures.
pub fn detect(
    looker: &Looker<'_>,
    labelled: &LabelledBoxes,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<DetectReport, Error> {
    let truth = read_truth(&labelled.truth)?;
    let files: Vec<PathBuf> = truth.keys().map(|photo| labelled.photos.join(photo)).collect();
    looker.check(files.iter().map(PathBuf::as_path))?;
    let steps = Steps::new(truth.len(), progress);
    let mut photos = Vec::new();
    let mut matched: Vec<(Subset, Vec<Matched>)> = subsets_of(&truth).into_iter().map(|s| (s, Vec::new())).collect();
    let (before, mut seconds) = (looker.looks().looked_at, 0.0);
    for ((photo, labels), file) in truth.iter().zip(&files) {
        let bytes = std::fs::read(file).map_err(|e| Error::file(file, &e))?;
        let (start, looked_at) = (Instant::now(), looker.looks().looked_at);
        let seen = looker.boxes(&bytes).map_err(|e| e.of(photo))?;
        if looker.looks().looked_at > looked_at {
            seconds += start.elapsed().as_secs_f64();
        }
        for (subset, all) in &mut matched {
            let labels: Vec<LabelledBox> = labels.iter().map(|label| label.seen_by(*subset)).collect();
            all.push(match_boxes(&labels, &seen.boxes, labelled.min_iou));
        }
        let all = &matched[0].1[matched[0].1.len() - 1];
        photos.push(PhotoDetection::of(photo, seen.size, all));
        steps.one_done();
    }
    let looked_at = looker.looks().looked_at - before;
    Ok(DetectReport {
        min_iou: labelled.min_iou,
        subsets: matched.iter().map(|(subset, photos)| SubsetReport::of(*subset, photos)).collect(),
        photos,
        seconds_per_photo: (looked_at > 0).then(|| seconds / looked_at as f64),
    })
}

fn read_truth(path: &Path) -> Result<BTreeMap<String, Vec<Label>>, Error> {
    let mut columns = vec![PHOTO, EASY, MEDIUM, HARD, NOTE];
    columns.extend(BOX);
    let mut photos: BTreeMap<String, Vec<Label>> = BTreeMap::new();
    for row in read_list(path, &columns)? {
        let label = Label { bbox: bounds(&row, path)?, subsets: subsets(&row) };
        photos.entry(row.get(&PHOTO).to_owned()).or_default().push(label);
    }
    Ok(photos)
}

fn subsets(row: &CsvRow) -> Vec<Subset> {
    if row.get_filled(&NOTE).is_some() {
        return Vec::new();
    }
    let flags = [(Subset::Easy, EASY), (Subset::Medium, MEDIUM), (Subset::Hard, HARD)];
    let has_flags = flags.iter().any(|(_, flag)| row.get_filled(flag).is_some());
    let mut subsets: Vec<Subset> =
        flags.iter().filter(|(_, flag)| row.get(flag) == "1").map(|(subset, _)| *subset).collect();
    if !has_flags || !subsets.is_empty() {
        subsets.insert(0, Subset::All);
    }
    subsets
}

/// All faces first, then the subsets that there are.
fn subsets_of(truth: &BTreeMap<String, Vec<Label>>) -> Vec<Subset> {
    let is_there = |subset: &Subset| truth.values().flatten().any(|label| label.subsets.contains(subset));
    let parts = [Subset::Easy, Subset::Medium, Subset::Hard].into_iter().filter(is_there);
    std::iter::once(Subset::All).chain(parts).collect()
}

impl Subset {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }
}

impl Label {
    fn seen_by(&self, subset: Subset) -> LabelledBox {
        let counts = if self.subsets.contains(&subset) { Counts::Yes } else { Counts::NeitherWay };
        LabelledBox { bbox: self.bbox, counts }
    }
}

impl PhotoDetection {
    fn of(photo: &str, (width, height): (u32, u32), matched: &Matched) -> Self {
        Self {
            photo: photo.to_owned(),
            width,
            height,
            faces: matched.labelled.len(),
            found: matched.labelled.iter().filter(|(_, found)| *found).count(),
            false_faces: matched.found.iter().filter(|hit| !hit.right).count(),
        }
    }
}

impl SubsetReport {
    fn of(subset: Subset, photos: &[Matched]) -> Self {
        let hits: Vec<Hit> = photos.iter().flat_map(|p| p.found.iter().copied()).collect();
        let labelled: usize = photos.iter().map(|p| p.labelled.len()).sum();
        let found = photos.iter().flat_map(|p| &p.labelled).filter(|(_, found)| *found).count();
        let right = hits.iter().filter(|hit| hit.right).count();
        let curve = curve(&hits, labelled);
        Self {
            subset: subset.name(),
            recall: Share::of_independent(found, labelled),
            precision: Share::of_independent(right, hits.len()),
            average_precision: average_precision(&curve),
            by_size: by_size(photos),
            curve: thinned(&curve),
        }
    }
}

/// Every n-th point and the last.
fn thinned(curve: &[PrecisionRecall]) -> Vec<PrecisionRecall> {
    let step = curve.len().div_ceil(CURVE_POINTS).max(1);
    let last = curve.len().saturating_sub(1);
    curve.iter().enumerate().filter(|(i, _)| i % step == 0 || *i == last).map(|(_, point)| *point).collect()
}

impl Measurement for DetectReport {
    const NAME: &'static str = "detect";
    const INTERVALS: Option<&'static str> = Some(WILSON);

    fn counts(&self) -> Vec<(&'static str, usize)> {
        let sum = |part: fn(&PhotoDetection) -> usize| self.photos.iter().map(part).sum();
        vec![
            ("photos", self.photos.len()),
            ("faces", sum(|p| p.faces)),
            ("found", sum(|p| p.found)),
            ("false_faces", sum(|p| p.false_faces)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &str) -> BTreeMap<String, Vec<Label>> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("truth.csv");
        std::fs::write(&file, rows).unwrap();
        read_truth(&file).unwrap()
    }

    #[test]
    fn faces_without_a_flag_count_neither_way_where_there_are_flags() {
        let truth = read("image,x,y,w,h,easy,medium,hard\na.jpg,1,2,3,4,0,1,1\na.jpg,5,6,7,8,0,0,0\n");
        assert_eq!(subsets_of(&truth), [Subset::All, Subset::Medium, Subset::Hard]);
        let counts = |subset| truth["a.jpg"].iter().map(|l| l.seen_by(subset).counts).collect::<Vec<_>>();
        assert_eq!(counts(Subset::All), [Counts::Yes, Counts::NeitherWay]);
        assert_eq!(counts(Subset::Easy), [Counts::NeitherWay, Counts::NeitherWay]);
    }

    #[test]
    fn without_flags_every_face_counts_but_those_with_a_note() {
        let truth = read("photo,x,y,w,h,note\na.jpg,1,2,3,4,\na.jpg,5,6,7,8,half a face\n");
        assert_eq!(subsets_of(&truth), [Subset::All]);
        let counts: Vec<Counts> = truth["a.jpg"].iter().map(|l| l.seen_by(Subset::All).counts).collect();
        assert_eq!(counts, [Counts::Yes, Counts::NeitherWay]);
    }

    #[test]
    fn a_thinned_curve_keeps_its_ends() {
        let curve: Vec<PrecisionRecall> = (0..=1000_u16)
            .map(|i| PrecisionRecall { score: f32::from(i), recall: f64::from(i), precision: 1.0 })
            .collect();
        let thin = thinned(&curve);
        assert_eq!((thin[0].score, thin[thin.len() - 1].score), (0.0, 1000.0));
        assert!(thin.len() <= CURVE_POINTS + 1);
        assert!(thinned(&[]).is_empty());
    }
}
