//! What all reports say alike, in words.

use crate::app::evaluate::report::{Measurement, Report};
use crate::domain::histogram::Histogram;
use crate::domain::interval::{Interval, Share};
use crate::export::html::{Axis, Block, Mark, Page, Plot, Point, Section, Series, Table, Unit};

/// `starter@0 on CPU, 1023 pictures (1023 remembered), 12 s`.
pub(super) fn headline<T: Measurement>(report: &Report<T>) -> String {
    let (looked_at, remembered) = (report.counts["pictures_looked_at"], report.counts["pictures_remembered"]);
    let seen = looked_at + remembered;
    let (pack, provider) = (report.pack_id(), &report.provider);
    format!("{pack} on {provider}, {seen} looks at pictures ({remembered} remembered), {:.0} s", report.seconds)
}

/// A page with the facts that every measurement has.
pub(super) fn page<T: Measurement>(report: &Report<T>, title: &str, lead: &str, sections: Vec<Section>) -> Page {
    let policy = &report.policy;
    let mut facts = vec![
        ("pack", format!("{} ({})", report.pack_id(), report.pack.title)),
        ("pack SHA-256", report.pack.sha256.clone()),
        (
            "lines",
            format!(
                "accept {}, doubt {}, margin {}{}",
                policy.accept,
                policy.doubt,
                policy.margin,
                if policy.calibrated { "" } else { "; not calibrated" }
            ),
        ),
        ("detection", format!("faces from {} px on, at most {} a photo", policy.min_face_px, policy.max_faces)),
        (
            "provider",
            [Some(report.provider.clone()), report.runtime.clone()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", ONNX Runtime "),
        ),
        ("program", format!("rollcall {}, commit {}", report.program.version, report.program.commit)),
        ("measured", format!("{}, {:.0} s", report.started_at, report.seconds)),
    ];
    facts.extend(report.seed.map(|seed| ("seed", seed.to_string())));
    facts.extend(report.intervals.map(|intervals| ("intervals", intervals.to_owned())));
    for list in &report.lists {
        facts.push(("list", format!("{} (SHA-256 {})", list.name, &list.sha256[..16])));
    }
    for (name, count) in &report.counts {
        facts.push((name, count.to_string()));
    }
    let facts = facts.into_iter().map(|(name, value)| (name.replace('_', " "), value)).collect();
    Page { title: title.to_owned(), lead: lead.to_owned(), facts, sections }
}

/// `99.50`, in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

/// `98.83-99.79`, in percent; nothing without an interval.
pub(super) fn range(interval: Option<Interval>) -> String {
    interval.map(|i| format!("{}-{}", percent(i.low), percent(i.high))).unwrap_or_default()
}

/// `99.50 (98.83-99.79)`, in percent; a dash when nothing was counted.
pub(super) fn share(share: &Share) -> String {
    match share.share {
        Some(value) => format!("{} ({})", percent(value), range(share.interval)),
        None => "-".to_owned(),
    }
}

/// A point of a plot with its interval; none when nothing was counted.
pub(super) fn point(x: f64, share: &Share) -> Option<Point> {
    let interval = share.interval.map(|i| (i.low, i.high));
    share.share.map(|y| Point { x, y, interval })
}

pub(in crate::cli) fn section(title: &str, blocks: Vec<Block>) -> Section {
    Section { title: title.to_owned(), blocks }
}

pub(in crate::cli) fn text(text: impl Into<String>) -> Block {
    Block::Text(text.into())
}

pub(in crate::cli) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Block {
    let header = header.iter().map(|h| (*h).to_owned()).collect();
    Block::Table(Table { header, rows: rows.into_iter().collect() })
}

/// Two kinds of scores, each as shares of its own, with the lines of the pack.
pub(super) fn histogram<T: Measurement>(report: &Report<T>, scores: &Histogram, names: [&str; 2]) -> Block {
    let (from, width) = (f64::from(scores.from), f64::from(scores.width));
    let shares = |counts: &[usize]| {
        let all = counts.iter().sum::<usize>().max(1) as f64;
        let bar = |(i, count): (usize, &usize)| Point::at(from + i as f64 * width, *count as f64 / all);
        counts.iter().enumerate().map(bar).collect::<Vec<Point>>()
    };
    let series = [(names[0], &scores.same), (names[1], &scores.different)];
    let series: Vec<Series> = series
        .into_iter()
        .map(|(name, counts)| Series { name: name.to_owned(), mark: Mark::Bars, points: shares(counts) })
        .collect();
    let highest = series.iter().flat_map(|s| &s.points).map(|p| p.y).fold(0.0, f64::max);
    Block::Plot(Plot {
        title: "Scores, lower is nearer".to_owned(),
        x: Axis::linear(from, from + width * scores.same.len() as f64).labelled("combined score", Unit::Number),
        y: Axis::linear(0.0, highest.max(f64::MIN_POSITIVE) * 1.05).labelled("share of its kind", Unit::Percent),
        series,
        lines: vec![
            (f64::from(report.policy.accept), "accept".to_owned()),
            (f64::from(report.policy.doubt), "doubt".to_owned()),
        ],
    })
}
