//! How the school writes, counts and colours the five statuses. What an administrator has set wins over the settings, which say
//! it until then. Asked by everything that makes a sheet or a percentage.

use super::School;
use super::error::{Code, Error};
use crate::config::Config;
use crate::db::AnyConnection;
use crate::db::status_styles::{self, StatusStyleRow};
use crate::domain::sheet::{Points, StatusLabels, StatusStyle, StatusStyles, StyleError};
use crate::domain::status::AttendanceStatus;

/// The styles that are in force.
///
/// # Errors
/// `INVALID_SETTINGS` when the settings' labels are in force and cannot stand on a sheet.
pub(crate) fn read(conn: &mut AnyConnection, config: &Config) -> Result<StatusStyles, Error> {
    let rows = status_styles::list(conn)?;
    if rows.is_empty() {
        return of_settings(config);
    }
    let styles = rows.into_iter().map(style).collect::<Result<Vec<_>, _>>().and_then(StatusStyles::new);
    styles.map_err(|e| Error::new(Code::ProcessingError, format!("the stored styles of the statuses are damaged: {e}")))
}

/// The same for whoever has no connection.
///
/// # Errors
/// Database failures; `PROCESSING_ERROR` when what is stored is damaged.
pub async fn current(school: &School) -> Result<StatusStyles, Error> {
    let config = school.config.clone();
    school.read(move |conn| read(conn, &config)).await
}

/// Sets the styles of all five.
///
/// # Errors
/// Database failures.
pub async fn set(school: &School, styles: StatusStyles) -> Result<StatusStyles, Error> {
    let rows: Vec<StatusStyleRow> = styles.all().iter().map(row).collect();
    school.change(move |conn| Ok(status_styles::replace(conn, &rows)?)).await?;
    Ok(styles)
}

/// Forgets what was set: the settings say it again. Returns what is in force from now on.
///
/// # Errors
/// `INVALID_SETTINGS` when the settings' labels cannot stand on a sheet: what was set stays.
pub async fn reset(school: &School) -> Result<StatusStyles, Error> {
    let config = school.config.clone();
    school
        .change(move |conn| {
            status_styles::replace(conn, &[])?;
            read(conn, &config)
        })
        .await
}

fn of_settings(config: &Config) -> Result<StatusStyles, Error> {
    let labels = &config.report.labels;
    let label = |status: AttendanceStatus| match status {
        AttendanceStatus::Present => labels.present.clone(),
        AttendanceStatus::Absent => labels.absent.clone(),
        AttendanceStatus::Late => labels.late.clone(),
        AttendanceStatus::Excused => labels.excused.clone(),
        AttendanceStatus::Unmarked => labels.unmarked.clone(),
    };
    let marks = StatusLabels::new(label)
        .map_err(|e| Error::new(Code::InvalidSettings, format!("settings: report.labels: {e}")))?;
    let excused = config.report.excused_counts_as_absent.then_some(Points::NONE);
    Ok(StatusStyles::with_marks(marks).with_excused(excused))
}

fn style(row: StatusStyleRow) -> Result<StatusStyle, StyleError> {
    let StatusStyleRow { status, label, short, points_hundredths, colour } = row;
    let points = points_hundredths.map(Points::from_hundredths).transpose()?;
    Ok(StatusStyle { status, label, short, points, colour: colour.parse()? })
}

fn row(style: &StatusStyle) -> StatusStyleRow {
    StatusStyleRow {
        status: style.status,
        label: style.label.clone(),
        short: style.short.clone(),
        points_hundredths: style.points.map(|points| points.hundredths().into()),
        colour: style.colour.to_string(),
    }
}

impl From<StyleError> for Error {
    fn from(error: StyleError) -> Self {
        Self::new(Code::InvalidRequest, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::{run, school};
    use crate::db::testing::on_each_database;
    use AttendanceStatus::{Excused, Late};

    on_each_database! {
        fn what_was_set_wins_over_the_settings(db) {
            run(async {
                let mut school = school(db);
                let mut config = Config::default();
                config.report.labels.late = "T".into();
                config.report.excused_counts_as_absent = true;
                school.config = std::sync::Arc::new(config);
                let usual = current(&school).await.unwrap();
                assert_eq!((usual.of(Late).short.as_str(), usual.of(Excused).points), ("T", Some(Points::NONE)));
                let mut wanted = StatusStyles::default().all().to_vec();
                wanted[2].points = Some(Points::from_fraction(0.5).unwrap());
                let wanted = StatusStyles::new(wanted).unwrap();
                set(&school, wanted.clone()).await.unwrap();
                assert_eq!(current(&school).await.unwrap(), wanted);
                set(&school, StatusStyles::default()).await.unwrap();
                assert_eq!(current(&school).await.unwrap(), StatusStyles::default());
                assert_eq!(reset(&school).await.unwrap(), usual);
                assert_eq!(current(&school).await.unwrap(), usual);
                set(&school, usual.clone()).await.unwrap();
                let mut config = Config::default();
                config.report.labels.late = "late".into();
                school.config = std::sync::Arc::new(config);
                assert_eq!(reset(&school).await.unwrap_err().code, Code::InvalidSettings);
                assert_eq!(current(&school).await.unwrap(), usual, "what was set stays");
            });
        }
    }
}
