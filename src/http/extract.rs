//! What handlers take from a request, with our own problems where it cannot be read.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

use super::observe;
use super::problem::Problem;
use super::service::Service;
use crate::app::audit::By;
use crate::app::error::Code;
use crate::domain::access::{Actor, Caller, Reach};

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Service> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        match axum::Json::<Object<T>>::from_request(request, service).await {
            Ok(axum::Json(Object(value))) => Ok(Self(value)),
            Err(rejection) => Err(unreadable_body(&rejection)),
        }
    }
}

/// What is written as a JSON object. Left to themselves structures are also read from arrays, by the order of their fields.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

fn unreadable_body(rejection: &JsonRejection) -> Problem {
    let code =
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { Code::RequestTooLarge } else { Code::InvalidRequest };
    Problem::with_status(rejection.status(), code, format!("the body cannot be used: {}", rejection.body_text()))
}

/// The query part of the address.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Service> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, service).await;
        read.map(|query| Self(query.0)).map_err(|e| Problem::new(Code::InvalidRequest, e.body_text()))
    }
}

/// How long a client waits at most.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Whether a client waits for work to be finished.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Answer when the work is finished, or after so many seconds.
    #[param(minimum = 0, maximum = 300)]
    wait: Option<u16>,
}

impl WaitQuery {
    pub(crate) fn patience(self) -> Duration {
        Duration::from_secs(self.wait.unwrap_or(0).into()).min(LONGEST_WAIT)
    }
}

/// The room that a request takes up. The gate has taken it, and gives it back at the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room(Arc<Mutex<Vec<OwnedSemaphorePermit>>>);

/// Somebody who only waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) patience: Duration,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(crate) fn of(permits: Vec<OwnedSemaphorePermit>) -> Self {
        Self(Arc::new(Mutex::new(permits)))
    }

    /// Gives the room back to those who have work and takes a place among those who wait. Without one nobody waits.
    pub(crate) fn wait(self, service: &Service, wait: WaitQuery) -> Waiting {
        let permit = Some(wait.patience()).filter(|patience| !patience.is_zero());
        let permit = permit.and_then(|_| service.room_for_stream().ok());
        let patience = if permit.is_some() { wait.patience() } else { Duration::ZERO };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Waiting { patience, _permit: permit }
    }
}

impl FromRequestParts<Service> for Room {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Parts of the address.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Service> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, service).await;
        read.map(|path| Self(path.0)).map_err(|e| Problem::new(Code::InvalidRequest, e.body_text()))
    }
}

/// Who asks. The gate has put it there.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) caller: Caller,
}

impl Who {
    pub(crate) const fn actor(&self) -> &Actor {
        &self.caller.actor
    }

    /// Refuses a class that is not one of the caller's.
    pub(crate) fn require(&self, class: crate::domain::ids::ClassId) -> Result<(), Problem> {
        if self.caller.reach.includes(class) {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden, format!("{class} is not one of your classes")))
    }

    /// The classes to list where one may be named: that one, otherwise the caller's.
    ///
    /// # Errors
    /// `FORBIDDEN` when it is named and not one of the caller's.
    pub(crate) fn among(&self, class: Option<i64>) -> Result<Option<Vec<crate::domain::ids::ClassId>>, Problem> {
        let Some(class) = class.map(crate::domain::ids::ClassId) else { return Ok(self.classes()) };
        self.require(class).map(|()| Some(vec![class]))
    }

    /// The classes to list: `None` for all.
    pub(crate) fn classes(&self) -> Option<Vec<crate::domain::ids::ClassId>> {
        match &self.caller.reach {
            Reach::All => None,
            Reach::Only(classes) => Some(classes.clone()),
        }
    }
}

impl FromRequestParts<Service> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, Problem> {
        let who = parts.extensions.get::<Self>().cloned();
        who.ok_or_else(|| Problem::new(Code::Unauthenticated, "sign in first"))
    }
}

/// Where a request comes from, known or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// Who does something, as the audit log writes it.
#[derive(Debug, Clone)]
pub(crate) struct AuditBy(pub(crate) By);

impl FromRequestParts<Service> for AuditBy {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, Problem> {
        let actor = parts.extensions.get::<Who>().map_or_else(Actor::nobody, |who| who.caller.actor.clone());
        let address = parts.extensions.get::<ClientAddress>().map(|address| address.0.to_string());
        Ok(Self(By { actor, request_id: Some(observe::request_id()), address }))
    }
}

/// The version that a change is made to: what `If-Match` says. Asked for wherever two people could overwrite each other.
#[derive(Debug)]
pub(crate) struct IfMatch(pub(crate) Option<String>);

impl FromRequestParts<Service> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        // A proxy that compresses answers makes their tags weak; what they say is the same.
        let text = text.strip_prefix("W/").unwrap_or(text);
        let version = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let bad = || Problem::new(Code::InvalidRequest, "If-Match must be one entity tag, as ETag gave it");
        version.map(|version| Self(Some(version.to_owned()))).ok_or_else(bad)
    }
}

/// The text of a header, if it is there and text.
pub(crate) fn header_text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Change {
        pilot: Option<bool>,
    }

    fn read(body: &str) -> Result<Option<bool>, String> {
        serde_json::from_str::<Object<Change>>(body).map(|change| change.0.pilot).map_err(|e| e.to_string())
    }

    #[test]
    fn a_body_is_an_object_and_nothing_else() {
        assert_eq!((read("{}"), read(r#"{"pilot": true}"#)), (Ok(None), Ok(Some(true))));
        for other in ["[null]", "[true]", "[]", "null", "true", "\"pilot\"", "7"] {
            assert!(read(other).unwrap_err().contains("expected a JSON object"), "{other}");
        }
        assert!(read(r#"{"flight": true}"#).unwrap_err().contains("unknown field"));
    }
}
