//! What the sheet of one session is written as.

use serde::{Deserialize, Serialize};

use super::{EvidenceWish, SheetFormat};
use crate::app::error::{Code, Error};

/// What the sheet of one session is written as, with all that can be said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionFile {
    Workbook(EvidenceWish),
    Csv,
    /// CSV for Moodle's attendance plugin.
    Moodle(MoodleIdentifier),
}

/// By what Moodle is to know the students.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MoodleIdentifier {
    /// The ID number of their profile there.
    #[default]
    Prn,
    Email,
}

/// The kinds of files that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionFormat {
    #[default]
    Xlsx,
    Csv,
    Moodle,
}

impl SessionFormat {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Csv => "csv",
            Self::Moodle => "moodle",
        }
    }
}

/// What somebody has said about the file besides its kind; none is as usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionOptions {
    /// Of Moodle's form.
    pub identifier: Option<MoodleIdentifier>,
    /// Of a workbook: whether a page shows the faces of members; otherwise it does.
    pub evidence: Option<bool>,
    /// Of that page: whether it also shows strangers; otherwise it does not.
    pub strangers: Option<bool>,
}

impl SessionFile {
    /// # Errors
    /// `INVALID_REQUEST` for an option that files of this kind have not, and for strangers without the page that shows them.
    pub fn of(format: SessionFormat, options: SessionOptions) -> Result<Self, Error> {
        let SessionOptions { identifier, evidence, strangers } = options;
        let of_moodle = [("identifier", identifier.is_some())];
        let of_workbook = [("evidence", evidence.is_some()), ("strangers", strangers.is_some())];
        match format {
            SessionFormat::Xlsx => refuse(&of_moodle, format, SessionFormat::Moodle)?,
            SessionFormat::Moodle => refuse(&of_workbook, format, SessionFormat::Xlsx)?,
            SessionFormat::Csv => {
                refuse(&of_moodle, format, SessionFormat::Moodle)?;
                refuse(&of_workbook, format, SessionFormat::Xlsx)?;
            }
        }
        Ok(match format {
            SessionFormat::Csv => Self::Csv,
            SessionFormat::Moodle => Self::Moodle(identifier.unwrap_or_default()),
            SessionFormat::Xlsx => Self::Workbook(match (evidence.unwrap_or(true), strangers.unwrap_or(false)) {
                (true, false) => EvidenceWish::Members,
                (true, true) => EvidenceWish::MembersAndStrangers,
                (false, false) => EvidenceWish::LeftOut,
                (false, true) => {
                    let text =
                        "strangers are shown on the page of evidence, which is to be left out: choose one of both";
                    return Err(Error::new(Code::InvalidRequest, text));
                }
            }),
        })
    }

    pub const fn format(self) -> SheetFormat {
        match self {
            Self::Workbook(_) => SheetFormat::Xlsx,
            Self::Csv | Self::Moodle(_) => SheetFormat::Csv,
        }
    }

    /// What the file is called, before the number of its session.
    pub const fn stem(self) -> &'static str {
        match self {
            Self::Workbook(_) | Self::Csv => "session",
            Self::Moodle(_) => "moodle-session",
        }
    }
}

/// Refuses what is said of these options, each with whether it was given.
fn refuse(options: &[(&str, bool)], format: SessionFormat, of: SessionFormat) -> Result<(), Error> {
    match options.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((option, _)) => {
            let text = format!("{option} is of the format {} only, not of {}", of.as_str(), format.as_str());
            Err(Error::new(Code::InvalidRequest, text))
        }
    }
}

impl From<SheetFormat> for SessionFile {
    /// Workbooks show the evidence of members, not that of strangers.
    fn from(format: SheetFormat) -> Self {
        match format {
            SheetFormat::Xlsx => Self::Workbook(EvidenceWish::Members),
            SheetFormat::Csv => Self::Csv,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(format: SessionFormat, options: SessionOptions) -> Result<SessionFile, String> {
        SessionFile::of(format, options).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_as_usual() {
        let none = SessionOptions::default();
        assert_eq!(said(SessionFormat::Xlsx, none), Ok(SessionFile::Workbook(EvidenceWish::Members)));
        assert_eq!(said(SessionFormat::Csv, none), Ok(SessionFile::Csv));
        assert_eq!(said(SessionFormat::Moodle, none), Ok(SessionFile::Moodle(MoodleIdentifier::Prn)));
        let without = SessionOptions { evidence: Some(false), strangers: Some(false), ..none };
        assert_eq!(said(SessionFormat::Xlsx, without), Ok(SessionFile::Workbook(EvidenceWish::LeftOut)));
        let by_email = SessionOptions { identifier: Some(MoodleIdentifier::Email), ..none };
        assert_eq!(said(SessionFormat::Moodle, by_email), Ok(SessionFile::Moodle(MoodleIdentifier::Email)));
    }

    #[test]
    fn options_that_would_be_ignored_are_refused() {
        use SessionFormat::{Csv, Moodle, Xlsx};
        let none = SessionOptions::default();
        let identifier = SessionOptions { identifier: Some(MoodleIdentifier::Prn), ..none };
        let evidence = SessionOptions { evidence: Some(false), ..none };
        let strangers = SessionOptions { strangers: Some(true), ..none };
        for (format, options, why) in [
            (Xlsx, identifier, "identifier is of the format moodle only, not of xlsx"),
            (Csv, identifier, "identifier is of the format moodle only, not of csv"),
            (Csv, evidence, "evidence is of the format xlsx only, not of csv"),
            (Moodle, strangers, "strangers is of the format xlsx only, not of moodle"),
        ] {
            assert_eq!(said(format, options), Err(why.to_owned()));
        }
        let neither = SessionOptions { evidence: Some(false), ..strangers };
        assert!(said(Xlsx, neither).unwrap_err().ends_with("choose one of both"));
    }
}
