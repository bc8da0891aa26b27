//! How domain values stand in columns: ids as `BigInt`, words as `Text`, structures as JSON in `Text`, embeddings as
//! `Binary`.
//!
//! The domain knows nothing of diesel, so its traits are implemented here, by delegating to `i64`, `str`, `String` and
//! `Vec<u8>`; that makes each of them valid for every database at once. Nobody outside `db` needs more than [`Json`].

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, Queryable};
use diesel::dsl::AsExprOf;
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::access::{ActorKind, Role, Scope};
use crate::domain::embedding::Embedding;
use crate::domain::ids::{
    ClassId, FaceId, HolidayId, LeaveId, MemberId, PhotoId, SampleId, SessionId, SlotId, StudentId, SubjectId, TokenId,
    UserId,
};
use crate::domain::leave::LeaveKind;
use crate::domain::pilot::Opinion;
use crate::domain::status::{AttendanceStatus, Consent, Origin, PhotoState, RecordSource, SessionState, Verdict};

/// A structure kept as JSON text. Never null in a column: "nothing" is written as `[]`, `{}` or `null`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

/// `$type`, by value or by reference, is bound as the `$bound` that `$get` makes of it; nothing is borrowed.
macro_rules! bound {
    ($(where [$($generics:tt)*])? $type:ty, $sql:ty, $bound:ty, |$value:ident| $get:expr) => {
        impl$(<$($generics)*>)? AsExpression<$sql> for $type {
            type Expression = AsExprOf<$bound, $sql>;
            fn as_expression(self) -> Self::Expression {
                let $value = self;
                <$bound as AsExpression<$sql>>::as_expression($get)
            }
        }

        impl$(<$($generics)*>)? AsExpression<$sql> for &$type {
            type Expression = AsExprOf<$bound, $sql>;
            fn as_expression(self) -> Self::Expression {
                let $value = self;
                <$bound as AsExpression<$sql>>::as_expression($get)
            }
        }
    };
}

/// `$type` is read from the `$stored` that `$make` turns into it.
macro_rules! read {
    ($(where [$($generics:tt)*])? $type:ty, $sql:ty, |$stored:ident: $from:ty| $make:expr) => {
        impl<DB: Backend, $($($generics)*)?> FromSql<$sql, DB> for $type
        where
            $from: FromSql<$sql, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                let $stored = <$from as FromSql<$sql, DB>>::from_sql(bytes)?;
                Ok($make)
            }
        }

        impl<DB: Backend, $($($generics)*)?> Queryable<$sql, DB> for $type
        where
            $from: FromSql<$sql, DB>,
        {
            type Row = Self;
            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }
    };
}

/// `Option<$type>` is written through diesel's own `Option`, which asks for the value as `$inner`.
macro_rules! written {
    ($type:ty, $sql:ty, |$value:ident| $get:expr, $inner:ty) => {
        impl<DB: Backend> ToSql<$sql, DB> for $type
        where
            $inner: ToSql<$sql, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                let $value = self;
                <$inner as ToSql<$sql, DB>>::to_sql($get, out)
            }
        }
    };
}

macro_rules! ids {
    ($($id:ident)*) => {$(
        bound!($id, BigInt, i64, |id| id.0);
        bound!($id, Nullable<BigInt>, i64, |id| id.0);
        read!($id, BigInt, |id: i64| $id(id));
        written!($id, BigInt, |id| &id.0, i64);
    )*};
}

macro_rules! words {
    ($($word:ident)*) => {$(
        bound!($word, Text, &'static str, |word| word.as_str());
        bound!($word, Nullable<Text>, &'static str, |word| word.as_str());
        read!($word, Text, |word: String| word.parse()?);
        written!($word, Text, |word| word.as_str(), str);
    )*};
}

ids!(ClassId StudentId MemberId SubjectId SampleId SessionId PhotoId FaceId UserId TokenId SlotId HolidayId LeaveId);
words!(AttendanceStatus Consent Origin PhotoState RecordSource SessionState Verdict ActorKind Role Scope Opinion
    LeaveKind);

bound!(where [T: Serialize] Json<T>, Text, String, |json| {
    serde_json::to_string(&json.0).expect("structures kept in columns have text keys, so they are JSON")
});
read!(where [T: DeserializeOwned] Json<T>, Text, |text: String| Json(serde_json::from_str(&text)?));

bound!(Embedding, Binary, Vec<u8>, |embedding| embedding.to_le_bytes());
read!(Embedding, Binary, |bytes: Vec<u8>| Embedding::from_le_bytes(&bytes, bytes.len() / 4)?);

/// What a name is compared by: `10th` and ` 10TH ` are one class.
pub(super) fn key(name: &str) -> String {
    name.trim().to_lowercase()
}
