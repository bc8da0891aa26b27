//! Small sheets for the tests of this layer and of `export`.

use chrono::{DateTime, Days, NaiveDate};

use crate::domain::ids::{MemberId, SessionId};
use crate::domain::sheet::{
    RegisterCell, RegisterColumn, RegisterMember, RegisterRecord, RegisterSheet, SessionRow, SessionSheet,
    SheetHeading, SheetRules,
};
use crate::domain::status::{AttendanceStatus, RecordSource, SessionState};

/// A sheet whose members have `statuses`, R1, R2, ... in that order.
pub(crate) fn session(statuses: &[AttendanceStatus]) -> SessionSheet {
    let row = |(index, status): (usize, &AttendanceStatus)| SessionRow {
        member: MemberId(index as i64 + 1),
        roll_no: format!("R{}", index + 1),
        prn: format!("PRN{:04}", index + 1),
        name: format!("Student {}", index + 1),
        status: *status,
        confidence: (*status == AttendanceStatus::Present).then_some(0.97),
        source: RecordSource::Auto,
        note: None,
        version: format!("v{}", index + 1),
    };
    SessionSheet {
        id: SessionId(1),
        heading: SheetHeading {
            school: "Springfield College".into(),
            class: "CSE".into(),
            section: "A".into(),
            term: "2025-26".into(),
            subject: Some("Machine Learning".into()),
            time_zone: chrono_tz::Asia::Kolkata,
            generated_at: DateTime::from_timestamp(1_741_000_000, 0).unwrap(),
        },
        rules: SheetRules::default(),
        name: Some("Lecture 12".into()),
        starts_at: NaiveDate::from_ymd_opt(2025, 3, 3).unwrap().and_hms_opt(9, 30, 0).unwrap(),
        state: SessionState::Review,
        pilot: false,
        taken: None,
        remark: None,
        photos: 3,
        strangers: 2,
        flags: vec!["photo 2 is blurred".into()],
        provenance: "starter 1.0.0 on cpu".into(),
        rows: statuses.iter().enumerate().map(row).collect(),
    }
}

pub(crate) const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2025, 3, 3).expect("a day that exists");

pub(crate) fn member(number: i64) -> RegisterMember {
    RegisterMember {
        id: MemberId(number),
        roll_no: format!("CSE-A-{number}"),
        prn: format!("PRN{number:04}"),
        name: format!("Student {number}"),
        from: None,
        to: None,
    }
}

/// A session a day at 09:30, counted from 0.
pub(crate) fn column(day: u32) -> RegisterColumn {
    let date = FIRST_DAY + Days::new(u64::from(day));
    RegisterColumn {
        id: SessionId(i64::from(day)),
        at: date.and_hms_opt(4, 0, 0).unwrap(),
        starts_at: date.and_hms_opt(9, 30, 0).unwrap(),
        name: Some(format!("Lecture {}", day + 1)),
        subject: None,
        was_held: true,
        taken: None,
    }
}

pub(crate) fn empty_register() -> RegisterSheet {
    let heading = session(&[]).heading;
    RegisterSheet::new(heading, SheetRules::default(), FIRST_DAY, FIRST_DAY + Days::new(30))
}

/// The register in which member `m` has `statuses[m][d]` on day `d`; a missing status is a missing record.
pub(crate) fn register(statuses: &[Vec<RegisterCell>]) -> RegisterSheet {
    let days = statuses.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |(m, row): (usize, &Vec<RegisterCell>)| -> Vec<RegisterRecord> {
        let record = |(day, status): (usize, &RegisterCell)| {
            status.map(|status| RegisterRecord {
                session: SessionId(day as i64),
                member: MemberId(m as i64 + 1),
                status,
            })
        };
        row.iter().enumerate().filter_map(record).collect()
    };
    let records: Vec<RegisterRecord> = statuses.iter().enumerate().flat_map(cell).collect();
    let members = (0..statuses.len()).map(|m| member(m as i64 + 1)).collect();
    empty_register().filled(members, (0..days as u32).map(column).collect(), &records)
}
