//! `rollcall evaluate class-photos`: faces found and people named in labelled photos.

use std::path::PathBuf;

use clap::Args;

use super::measured;
use crate::app::error::Error;
use crate::app::evaluate::class_photos::{self, ClassPhotoReport, Labelled};
use crate::cli::Outcome;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::domain::evaluation::FaceTally;

#[derive(Debug, Args)]
pub(super) struct ClassPhotosArgs {
    /// Labelled faces, CSV: photo,x,y,w,h and, if known, person, class, note; a note takes a face out of the count
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// Folder of the photos
    #[arg(long, value_name = "DIR")]
    photos: PathBuf,
    /// Portraits, CSV: image,person and, if known, class, rank; without it only detection is counted
    #[arg(long, value_name = "FILE")]
    enrolment: Option<PathBuf>,
    /// Folder of the portraits [default: the folder of the enrolment file]
    #[arg(long, value_name = "DIR")]
    portraits: Option<PathBuf>,
    /// Portraits used for each person
    #[arg(long, default_value_t = 100)]
    samples: usize,
    /// Least overlap of a found face with a labelled one
    #[arg(long, default_value_t = 0.4, value_name = "IOU")]
    min_iou: f32,
}

pub(super) async fn run(args: &ClassPhotosArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let beside = args.enrolment.as_ref().and_then(|file| file.parent()).map(PathBuf::from).unwrap_or_default();
    let labelled = Labelled {
        truth: args.truth.clone(),
        photos: args.photos.clone(),
        enrolment: args.enrolment.clone(),
        portraits: args.portraits.clone().unwrap_or(beside),
        samples: args.samples,
        min_iou: args.min_iou,
    };
    let report =
        measured(config, output, |recogniser, progress| class_photos::class_photos(recogniser, &labelled, progress))
            .await?;
    output.result(&report, describe(&report));
    Ok(Outcome::Done)
}

fn describe(report: &ClassPhotoReport) -> String {
    let header = [
        "photo",
        "faces",
        "found",
        "false",
        "enrolled",
        "right",
        "wrong",
        "doubt",
        "missed",
        "unseen",
        "strangers",
        "named",
        "s",
    ];
    let row = |name: &str, t: &FaceTally, seconds: f64| {
        let mut cells = vec![name.to_owned()];
        cells.extend(
            [
                t.faces,
                t.found,
                t.false_faces,
                t.enrolled,
                t.named_right,
                t.named_wrong,
                t.doubt_right + t.doubt_wrong,
                t.missed,
                t.undetected,
                t.strangers,
                t.strangers_named + t.false_named,
            ]
            .map(|n| n.to_string()),
        );
        cells.push(format!("{seconds:.2}"));
        cells
    };
    let rows = report.photos.iter().map(|p| row(&p.photo, &p.tally, p.seconds));
    let total = row("all", &report.total, report.seconds_per_photo);
    let right: Vec<usize> = (1..header.len()).collect();
    let mut text = format!(
        "{} on {}; {} of {} people enrolled, {} portraits not usable\n\n{}",
        report.pack,
        report.provider,
        report.people_enrolled,
        report.people_listed,
        report.refused.len(),
        table(&header, &right, rows.chain([total])),
    );
    text.push_str(
        "\n\nright, wrong, doubt, missed (found but under the lines) and unseen (not found) are of the enrolled;",
    );
    text.push_str("\nnamed: strangers and false faces that were given a name");
    text
}
