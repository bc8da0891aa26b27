//! Printing: results to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use comfy_table::{Cell, CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use crate::app::error::Error;
use crate::telemetry;

/// What standard output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
}

/// Where a command prints.
#[derive(Debug)]
pub(super) struct Output {
    format: Format,
}

impl Output {
    pub(super) const fn new(format: Format) -> Self {
        Self { format }
    }

    /// The result: `value` for machines, `text` for people.
    pub(super) fn result(&self, value: &impl Serialize, text: impl Display) {
        match self.format {
            Format::Json => {
                let json = serde_json::to_string_pretty(value).expect("results are plain structures with text keys");
                print_line(&json);
            }
            Format::Text => print_line(&text.to_string()),
        }
    }

    /// One line of progress or advice for people; machines are not disturbed.
    pub(super) fn note(&self, line: impl Display) {
        if self.format == Format::Text {
            telemetry::bars().suspend(|| eprintln!("{line}"));
        }
    }

    pub(super) fn error(&self, error: &Error) {
        telemetry::bars().suspend(|| eprintln!("error: {error} [{}]", error.code.as_str()));
        if self.format == Format::Json {
            print_line(&json!({ "error": { "code": error.code, "message": error.message } }).to_string());
        }
    }

    /// A bar with rate and time left on a terminal; hidden elsewhere and for machines.
    pub(super) fn bar(&self, length: usize, unit: &str) -> ProgressBar {
        self.drawn(ProgressBar::new(length as u64).with_style(bar_style(unit)))
    }

    /// The same for bytes that travel.
    pub(super) fn byte_bar(&self) -> ProgressBar {
        let template =
            "{bar:32} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left  {wide_msg:.dim}";
        let style = ProgressStyle::with_template(template).expect("the template is well formed").progress_chars("━╸─");
        self.drawn(ProgressBar::new(0).with_style(style))
    }

    fn drawn(&self, bar: ProgressBar) -> ProgressBar {
        if self.format == Format::Json || !io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
            return bar;
        }
        telemetry::bars().add(bar)
    }
}

fn bar_style(unit: &str) -> ProgressStyle {
    let template = format!("{{bar:32}} {{pos}}/{{len}} {unit}  {{per_sec:>7.2}}  {{eta}} left  {{wide_msg:.dim}}");
    ProgressStyle::with_template(&template)
        .expect("the template is well formed")
        .with_key("per_sec", |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
            let _ = write!(w, "{:.1}/s", state.per_sec());
        })
        .progress_chars("━╸─")
}

/// A reader that went away (`| head`) ends the printing, not the program.
fn print_line(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// A table without borders; columns named in `right` are aligned to the right.
pub(super) fn table(header: &[&str], right: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> TextTable {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    for row in rows {
        table.add_row(row.into_iter().map(Cell::new).collect::<Vec<_>>());
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    TextTable(table)
}

/// A table as text, without blanks at the ends of lines.
#[derive(Debug)]
pub(super) struct TextTable(Table);

impl TextTable {
    pub(super) fn is_empty(&self) -> bool {
        self.0.row_count() == 0
    }
}

impl Display for TextTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.trim_fmt())
    }
}

/// `1 photo`, `2 photos`.
pub(super) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
