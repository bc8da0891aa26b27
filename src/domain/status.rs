//! The states of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    Unknown,
    Given,
    Withdrawn,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Match,
    Doubt,
    Stranger,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttendanceStatus {
    Unmarked,
    Present,
    Absent,
    Late,
    Excused,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordSource {
    Auto,
    Manual,
    Import,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotoState {
    Queued,
    Processing,
    Done,
    Failed,
}
