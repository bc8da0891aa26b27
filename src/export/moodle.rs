//! A session's marks as Moodle takes them: CSV for the attendance plugin, "Import session attendance marks".
//!
//! The form is that of `mod_attendance`, `classes/import/marksessions.php` (<https://github.com/danmarsden/moodle-mod_attendance>):
//! a header row, then a row for each student. Moodle asks on upload which column is what, and by default takes the first for the
//! user, the second for the time of a scan, the third for the status; they stand in that order here. The user is found by the
//! profile's *ID number* or email address, the status by the acronym of the course's status set, to the letter; a scan time would
//! win over the status, so it is empty. Moodle names the rows whose user or status it does not know and goes on. Remarks are not
//! imported by it; they are for whoever reads the file.

use std::collections::HashMap;

use super::ExportError;
use super::csv::{Bom, Table};
use crate::domain::ids::MemberId;
use crate::domain::sheet::SessionSheet;
use crate::domain::status::AttendanceStatus;

/// By what Moodle is to know the students.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoodleUsers {
    /// The profile's ID number is the PRN.
    IdNumbers,
    /// Email addresses of those who have one.
    Emails(HashMap<MemberId, String>),
}

/// A row for each member about whom something is decided, in the sheet's order: Moodle has no status for the others. A member
/// without email address stands there with an empty one, so that Moodle points at the row. UTF-8 without byte order mark; safe in
/// spreadsheets as [`super::session_csv`] is.
///
/// # Errors
/// [`ExportError::Csv`]; writing to memory gives no cause for it.
pub fn moodle_csv(sheet: &SessionSheet, users: &MoodleUsers) -> Result<Vec<u8>, ExportError> {
    let mut table = Table::new(Bom::Without);
    let user = match users {
        MoodleUsers::IdNumbers => "idnumber",
        MoodleUsers::Emails(_) => "email",
    };
    table.row([user, "scantime", "status", "remarks"]);
    for row in sheet.rows.iter().filter(|row| row.status != AttendanceStatus::Unmarked) {
        let user = match users {
            MoodleUsers::IdNumbers => row.prn.as_str(),
            MoodleUsers::Emails(known) => known.get(&row.member).map_or("", String::as_str),
        };
        let acronym = sheet.rules.marks().label(row.status);
        table.row([user, "", acronym, row.note.as_deref().unwrap_or_default()]);
    }
    table.finish(&sheet.heading)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sheet::fixtures;
    use AttendanceStatus::{Late, Present, Unmarked};

    fn text(users: &MoodleUsers) -> String {
        let mut sheet = fixtures::session(&[Present, Unmarked, Late]);
        sheet.rows[2].note = Some("=bus".into());
        String::from_utf8(moodle_csv(&sheet, users).unwrap()).unwrap()
    }

    #[test]
    fn columns_stand_as_moodle_expects_them_and_the_undecided_are_left_out() {
        let expected = "idnumber,scantime,status,remarks\r\nPRN0001,,P,\r\nPRN0003,,L,'=bus\r\n";
        assert_eq!(text(&MoodleUsers::IdNumbers), expected);
    }

    #[test]
    fn who_has_no_email_address_is_still_a_row() {
        let known = MoodleUsers::Emails(HashMap::from([(MemberId(3), "r3@school.example".into())]));
        assert_eq!(text(&known), "email,scantime,status,remarks\r\n,,P,\r\nr3@school.example,,L,'=bus\r\n");
    }
}
