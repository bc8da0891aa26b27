//! Columns that lists of labelled faces share.

use std::path::Path;

use crate::app::error::{Code, Error};
use crate::domain::csv_table::{Column, CsvRow};
use crate::domain::geometry::BoundingBox;

pub(super) const PHOTO: Column = Column::filled("photo", &["image"]);
/// Left, top, width and height, pixels of the upright photo.
pub(super) const BOX: [Column; 4] =
    [Column::filled("x", &[]), Column::filled("y", &[]), Column::filled("w", &[]), Column::filled("h", &[])];

/// The box of a row of the list at `path`.
///
/// # Errors
/// `INVALID_TABLE` naming the line and the column.
pub(super) fn bounds(row: &CsvRow, path: &Path) -> Result<BoundingBox, Error> {
    let number = |column: &Column| {
        row.get(column).parse::<f32>().map_err(|_| {
            let what = format!("line {}: {} is not a number", row.line, column.name);
            Error::new(Code::InvalidTable, what).of(path.display())
        })
    };
    let [x, y, w, h] = [number(&BOX[0])?, number(&BOX[1])?, number(&BOX[2])?, number(&BOX[3])?];
    Ok(BoundingBox::from_xywh(x, y, w, h))
}
