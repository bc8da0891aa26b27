//! What stands before every route of the table: who asks, how often, whether they may, whether it was asked before, and the line
//! in the audit log.
//!
//! The line is written before the handler runs, so that there is no change and no look without one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, RawPathParams, Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::extract::{ClientAddress, LONGEST_WAIT, Room, Who, header_text};
use super::problem::Problem;
use super::service::Service;
use super::table::{Audit, Kind, Replay, Row, Rule};
use super::{client, idempotency, observe, reach};
use crate::app::auth::{self, Credential, LinkQuery};
use crate::app::error::Code;
use crate::app::trail::{self, Asked};
use crate::domain::access::{Access, Actor, Caller, Reach, Role};

/// An upload may last so many times longer than any other request.
const UPLOAD_PATIENCE: u32 = 10;
/// Header that carries an API token for clients that cannot set `Authorization`.
const API_KEY: &str = "x-api-key";

/// The gate of one row.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    service: Service,
    rule: Rule,
    kind: Kind,
    audit: Audit,
    replay: Replay,
    operation: Arc<str>,
}

impl Gate {
    pub(super) fn of(row: &Row, service: Service) -> Self {
        Self {
            service,
            rule: row.rule,
            kind: row.kind,
            audit: row.audit,
            replay: row.replay,
            operation: row.operation.as_str().into(),
        }
    }
}

/// Lets a request through to its handler, or answers with the reason why not.
pub(super) async fn gate(
    State(gate): State<Gate>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let address = client::address(peer, request.headers(), &gate.service.config().server.trusted_proxies);
    match gate.pass(address, &path, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

impl Gate {
    async fn pass(
        &self,
        address: IpAddr,
        path: &RawPathParams,
        mut request: Request,
        next: Next,
    ) -> Result<Response, Problem> {
        let room = Room::of(self.permits()?);
        let caller = self.caller(address, request.uri(), request.headers()).await?;
        self.within_rate(address, caller.as_ref())?;
        if let Some(caller) = &caller {
            self.require_access(caller)?;
            reach::require(&self.service, caller, path).await?;
        }
        let actor = caller.as_ref().map_or_else(Actor::nobody, |caller| caller.actor.clone());
        request.extensions_mut().insert(ClientAddress(address));
        request.extensions_mut().insert(room.clone());
        if let Some(caller) = caller.clone() {
            request.extensions_mut().insert(Who { caller });
        }
        if self.audit == Audit::Nothing {
            return self.answer(caller.as_ref(), request, next).await;
        }
        let asked = self.asked(actor, address, path);
        trail::begin(&self.service.school, &asked).await?;
        let answer = self.answer(caller.as_ref(), request, next).await;
        let status = answer.as_ref().map_or_else(Problem::status, |response| response.status().as_u16());
        if status >= 400
            && let Err(error) = trail::refused(&self.service.school, &asked, status).await
        {
            tracing::warn!(code = error.code.as_str(), "a refusal is not in the audit log: {error}");
        }
        answer
    }

    /// Room for one more request.
    fn permits(&self) -> Result<Vec<OwnedSemaphorePermit>, Problem> {
        let service = &self.service;
        let room: &[&Arc<Semaphore>] = match self.kind {
            Kind::Plain => &[&service.requests],
            Kind::Upload => &[&service.requests, &service.uploads],
            // Whoever only waits does not keep others from being answered.
            Kind::Wait => &[&service.streams],
            // Streams hold their own permit for as long as they last.
            Kind::Stream => &[],
        };
        let busy = |_| Problem::new(Code::Busy, "the server has too much to do at the moment").retry_after(2);
        room.iter().map(|of| Arc::clone(of).try_acquire_owned().map_err(busy)).collect()
    }

    /// Who asks; `None` only where everybody may.
    async fn caller(&self, address: IpAddr, uri: &Uri, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
        if self.rule == Rule::Public {
            return Ok(None);
        }
        if let (Rule::LinkOr(_), Some(query)) = (self.rule, uri.query())
            && query.contains("signature=")
        {
            return self.by_link(uri.path(), query).map(Some);
        }
        let shown =
            Credential::from_headers(header_text(headers, header::AUTHORIZATION), header_text(headers, API_KEY));
        let Some(credential) = shown? else {
            self.within_rate(address, None)?;
            return Err(Problem::new(Code::Unauthenticated, "sign in first: send `Authorization: Bearer <token>`"));
        };
        match auth::authenticate(&self.service.school, &self.service.keys, &credential, Utc::now()).await {
            Ok(caller) => Ok(Some(caller)),
            Err(error) => {
                // Guessing tokens is not free.
                self.within_rate(address, None)?;
                Err(error.into())
            }
        }
    }

    /// Whoever has a link may look at that one thing.
    fn by_link(&self, path: &str, query: &str) -> Result<Caller, Problem> {
        let Ok(link) = serde_urlencoded::from_str::<LinkQuery>(query) else {
            return Err(Problem::new(Code::Forbidden, "the link is not whole; ask for a new one"));
        };
        let actor = auth::check_link(&self.service.keys, path, &link, Utc::now())?;
        Ok(Caller { actor, role: Role::Viewer, scopes: Vec::new(), reach: Reach::All })
    }

    fn within_rate(&self, address: IpAddr, caller: Option<&Caller>) -> Result<(), Problem> {
        let who = caller.and_then(|caller| caller.actor.key()).unwrap_or_else(|| address.to_string());
        let rates = &self.service.rates;
        let taken = if self.rule == Rule::Public { rates.login(&who) } else { rates.request(&who) };
        let secs = |wait: Duration| wait.as_secs_f64().ceil() as u64;
        taken.map_err(|wait| {
            Problem::new(Code::TooManyRequests, "too many requests; wait before the next").retry_after(secs(wait))
        })
    }

    fn require_access(&self, caller: &Caller) -> Result<(), Problem> {
        let access: Access = match self.rule {
            Rule::Public | Rule::SignedIn => return Ok(()),
            Rule::Only(access) | Rule::LinkOr(access) => access,
        };
        if access.admits(caller) {
            return Ok(());
        }
        let needed = match (caller.role, access.scope) {
            (Role::Machine, Some(scope)) => format!("this needs a token with the scope {scope}"),
            (Role::Machine, None) => "this is not for tokens".to_owned(),
            (role, _) => format!("this is not for the role {role}"),
        };
        Err(Problem::new(Code::Forbidden, needed))
    }

    /// What stands in the audit log about a request.
    fn asked(&self, actor: Actor, address: IpAddr, path: &RawPathParams) -> Asked {
        let object = path.iter().last().and_then(|(name, value)| {
            Some((name.strip_suffix("_id").unwrap_or(name).to_owned(), value.parse::<i64>().ok()?))
        });
        Asked {
            actor,
            action: self.operation.to_string(),
            object,
            request_id: observe::request_id(),
            address: address.to_string(),
        }
    }

    async fn answer(&self, caller: Option<&Caller>, request: Request, next: Next) -> Result<Response, Problem> {
        let limit = match self.kind {
            Kind::Plain => self.service.request_timeout(),
            Kind::Upload => self.service.request_timeout() * UPLOAD_PATIENCE,
            Kind::Wait => self.service.request_timeout() + LONGEST_WAIT,
            Kind::Stream => return Ok(next.run(request).await),
        };
        if self.replay == Replay::Never && request.headers().contains_key(idempotency::KEY) {
            let text = "this answer holds a secret that is shown once, so it takes no Idempotency-Key";
            return Err(Problem::new(Code::InvalidRequest, text));
        }
        let answered = tokio::time::timeout(limit, idempotency::once(&self.service, caller, request, next)).await;
        let late = |_| Problem::new(Code::Timeout, "this took too long and was given up").retry_after(5);
        answered.map_err(late)?
    }
}
