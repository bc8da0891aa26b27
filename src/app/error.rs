//! One error type for every use case, each with a stable code: the one place where a failure becomes words for people,
//! an exit code and (over REST) a status.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::db::DbError;
use crate::domain::csv_table::CsvProblems;
use crate::domain::days::DaysError;
use crate::domain::folder_name::FolderNameError;
use crate::domain::photo_name::NameError;
use crate::domain::sheet::WrongSheet;
use crate::domain::term::TermError;
use crate::engine::EngineError;
use crate::export::{ExportError, ReturnedError};
use crate::pack::PackError;
use crate::pack::fetch::FetchError;
use crate::storage::{StorageError, StorageErrorKind};
use crate::vision::annotate::EncodeError;
use crate::vision::decode::DecodeError;

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident,)+) => {
        /// Stable names of everything that can go wrong; part of the contract with other programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum Code {
            $($(#[$doc])* $code,)+
        }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$code,)+];
        }
    };
}

codes! {
    /// The bytes are not a whole picture.
    InvalidImage,
    /// A file type that is not read.
    UnsupportedFormat,
    /// More bytes or pixels than the limits allow.
    ImageTooLarge,
    /// An enrolment photo without a face.
    NoFaceDetected,
    /// An enrolment photo with more than one face.
    MultipleFacesDetected,
    /// An enrolment photo whose face has too few pixels.
    FaceTooSmall,
    /// An enrolment photo that is blurred, dark, flat or a profile.
    LowQuality,
    /// The embedder gave numbers that are no face.
    InvalidEmbedding,
    /// ONNX Runtime or the pack is missing or broken.
    ModelNotLoaded,
    /// A pack's licence must be accepted by a person before its files are brought here.
    LicenceNotAccepted,
    /// Files of a pack could not be brought here, or are not what the manifest wants.
    FetchFailed,
    /// The provider that was asked for does not work here.
    ProviderUnavailable,
    ClassNotFound,
    StudentNotFound,
    SessionNotFound,
    SubjectNotFound,
    LeaveNotFound,
    HolidayNotFound,
    JobNotFound,
    /// The class has nobody who can be found by face.
    NoEnrolledStudents,
    /// A name fits several classes or students.
    AmbiguousName,
    /// A name fits no pattern, or its parts contradict each other.
    InvalidName,
    /// Neither the name, a manifest nor EXIF tells when a photo was taken.
    NoTimestamp,
    /// A student without recorded consent cannot be enrolled.
    ConsentRequired,
    /// Two enrolment photos of one student show different people.
    SamplesDisagree,
    /// A setting, flag or variable that cannot be used.
    InvalidSettings,
    /// A CSV file or workbook that cannot be used, or has rows that cannot.
    InvalidTable,
    /// Days or a roll number that do not fit with those of the roster.
    RosterConflict,
    /// Something in a request that cannot be used.
    InvalidRequest,
    /// A request with the same key asks for something else, or is still at work.
    IdempotencyConflict,
    /// Nobody has shown who they are, or what was shown does not hold (any more).
    Unauthenticated,
    /// Somebody known, who may not do this.
    Forbidden,
    /// Name and password do not belong together.
    InvalidCredentials,
    /// Wrong passwords too often; the answer says when to come again.
    TooManyAttempts,
    /// A password that is too short, too long or too common.
    WeakPassword,
    UserNotFound,
    TokenNotFound,
    /// Another user has this name.
    NameTaken,
    /// Somebody must be left who can give others their rights.
    LastAdmin,
    /// A file cannot be read or written.
    FileError,
    DatabaseMissing,
    DatabaseError,
    StorageError,
    /// A worker died at a job's last attempt.
    WorkerLost,
    /// Somebody has cancelled the work.
    Cancelled,
    /// More bytes than a request may have.
    RequestTooLarge,
    /// There is no such address.
    RouteNotFound,
    /// The address does not know this method.
    MethodNotAllowed,
    /// Too many requests in a short time.
    TooManyRequests,
    /// The server has too much to do.
    Busy,
    /// Given up because it took too long.
    Timeout,
    SampleNotFound,
    PackNotFound,
    /// There is no such export, or it is over: ask for it again.
    ExportNotFound,
    /// It is still being made, or could not be made.
    ExportNotReady,
    /// It is of a pilot, and what was asked for is of sessions that count.
    PilotSession,
    /// Somebody else has changed it since.
    VersionConflict,
    /// It was confirmed; reopen it first.
    SessionConfirmed,
    /// Photos or records of it still wait.
    SessionNotReady,
    /// Who was seen, who is marked and how many were counted do not go together; a reason is needed.
    HeadCountMismatch,
    /// The sheet is not one of this session.
    WrongSheet,
    FaceNotFound,
    /// Nobody has decided about this face.
    DecisionNotFound,
    PhotoNotFound,
    MemberNotFound,
    /// There is one like it.
    AlreadyExists,
    /// It cannot go while something refers to it, or what it refers to is not there.
    InUse,
    /// Too little was confirmed by people to say anything of it.
    InsufficientEvidence,
    /// Anything else that stopped the work on one item.
    ProcessingError,
}

impl Code {
    /// The wire form, for example `INVALID_IMAGE`.
    pub fn as_str(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => format!("{self:?}"),
        }
    }
}

/// A failure with its code and a sentence that says what failed on which thing and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub code: Code,
    pub message: String,
    /// Not before so long the same may go better.
    pub retry_after: Option<Duration>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Whether work that failed may go better another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlook {
    Final,
    /// Once somebody has mended something, perhaps.
    Lasting,
    /// By itself.
    Passing,
    /// The program is busy or stops.
    NotItsFault,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None, source: None }
    }

    fn wrapping(code: Code, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { code, message: error.to_string(), retry_after: None, source: Some(Box::new(error)) }
    }

    pub(crate) fn outlook(&self) -> Outlook {
        let Some(source) = &self.source else { return Outlook::Final };
        if let Some(error) = source.downcast_ref::<DbError>() {
            return match error {
                DbError::Stopped => Outlook::NotItsFault,
                error if error.is_transient() => Outlook::Passing,
                _ => Outlook::Final,
            };
        }
        match (source.downcast_ref::<EngineError>(), source.downcast_ref::<StorageError>()) {
            (Some(EngineError::Busy { .. } | EngineError::Stopped { .. }), _) => Outlook::NotItsFault,
            (Some(_), _) => Outlook::Lasting,
            (_, Some(error)) if error.is_transient() => Outlook::Passing,
            (_, Some(error)) if matches!(error.kind, StorageErrorKind::Denied | StorageErrorKind::Full) => {
                Outlook::Lasting
            }
            (None, _) => Outlook::Final,
        }
    }

    /// The same failure, which may go better after a while.
    #[must_use]
    pub fn again_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// A file of the user's that cannot be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(Code::FileError, format!("{}: {error}", path.display()))
    }

    /// The same failure, said of a thing.
    #[must_use]
    pub fn of(mut self, thing: impl std::fmt::Display) -> Self {
        self.message = format!("{thing}: {}", self.message);
        self
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        let code = match &error {
            DecodeError::TooLarge(_) => Code::ImageTooLarge,
            DecodeError::Unsupported { .. } => Code::UnsupportedFormat,
            DecodeError::Invalid { .. } => Code::InvalidImage,
        };
        Self::wrapping(code, error)
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        let code = match &error {
            EngineError::RuntimeMissing { .. } | EngineError::ModelNotLoaded { .. } => Code::ModelNotLoaded,
            EngineError::ProviderUnavailable { .. } | EngineError::ProviderDiffers { .. } => Code::ProviderUnavailable,
            _ => Code::ProcessingError,
        };
        Self::wrapping(code, error)
    }
}

impl From<PackError> for Error {
    fn from(error: PackError) -> Self {
        Self::wrapping(Code::ModelNotLoaded, error)
    }
}

impl From<FetchError> for Error {
    fn from(error: FetchError) -> Self {
        let code = match &error {
            FetchError::Pack(_) => Code::ModelNotLoaded,
            FetchError::Io { .. } => Code::FileError,
            _ => Code::FetchFailed,
        };
        Self::wrapping(code, error)
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        let code = match &error {
            DbError::Missing { .. } => Code::DatabaseMissing,
            DbError::NotFound { what } => not_found(what),
            DbError::Duplicate { .. } => Code::AlreadyExists,
            DbError::Reference => Code::InUse,
            DbError::Rule(_) => Code::InvalidRequest,
            _ => Code::DatabaseError,
        };
        Self::wrapping(code, error)
    }
}

/// The code of a thing that is not there, by the words that `db` has for it.
fn not_found(what: &str) -> Code {
    match what {
        "the class" => Code::ClassNotFound,
        "the student" => Code::StudentNotFound,
        "the member" => Code::MemberNotFound,
        "the subject" => Code::SubjectNotFound,
        "the session" => Code::SessionNotFound,
        "the leave" => Code::LeaveNotFound,
        "the holiday" => Code::HolidayNotFound,
        "the photo" => Code::PhotoNotFound,
        "the face" => Code::FaceNotFound,
        "the sample" => Code::SampleNotFound,
        "the job" => Code::JobNotFound,
        "the user" => Code::UserNotFound,
        "the token" => Code::TokenNotFound,
        _ => Code::DatabaseError,
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        Self::wrapping(Code::StorageError, error)
    }
}

impl From<CsvProblems> for Error {
    fn from(problems: CsvProblems) -> Self {
        Self::wrapping(Code::InvalidTable, problems)
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        let code = match &error {
            // The contract: whatever does not name exactly one existing class is ambiguous.
            NameError::Ambiguous { .. } | NameError::UnknownClass { .. } => Code::AmbiguousName,
            NameError::BadTimestamp { .. } => Code::InvalidName,
        };
        Self::wrapping(code, error)
    }
}

impl From<FolderNameError> for Error {
    fn from(error: FolderNameError) -> Self {
        let code = match &error {
            FolderNameError::Unknown { .. } => Code::StudentNotFound,
            FolderNameError::Ambiguous { .. } => Code::AmbiguousName,
            FolderNameError::NameMismatch { .. } => Code::InvalidName,
        };
        Self::wrapping(code, error)
    }
}

impl From<TermError> for Error {
    fn from(error: TermError) -> Self {
        let code = match &error {
            TermError::NotInTerm { .. } => Code::ClassNotFound,
            TermError::NoneHolds { .. } | TermError::Several { .. } => Code::AmbiguousName,
        };
        Self::wrapping(code, error)
    }
}

impl From<DaysError> for Error {
    fn from(error: DaysError) -> Self {
        Self::wrapping(Code::InvalidRequest, error)
    }
}

impl From<ExportError> for Error {
    fn from(error: ExportError) -> Self {
        Self::wrapping(Code::ProcessingError, error)
    }
}

impl From<ReturnedError> for Error {
    fn from(error: ReturnedError) -> Self {
        let code = match &error {
            ReturnedError::TooLarge { .. } | ReturnedError::TooManyPages { .. } => Code::RequestTooLarge,
            ReturnedError::Workbook { .. } | ReturnedError::NoSheet { .. } => Code::InvalidTable,
            ReturnedError::Table(problems) => return problems.clone().into(),
        };
        Self::wrapping(code, error)
    }
}

impl From<WrongSheet> for Error {
    fn from(error: WrongSheet) -> Self {
        Self::wrapping(Code::WrongSheet, error)
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Self::wrapping(Code::ProcessingError, error)
    }
}
