//! The description of the service: OpenAPI 3.1, made from the handlers and the table of routes, and its page.

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Info, License, OpenApi, OpenApiBuilder, Ref, RefOr, Response, ResponseBuilder,
    Schema,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::problem::{Details, ErrorCode, ItemProblem, PROBLEM_JSON};
use super::service::Service;
use super::table::{Kind, Rule};
use crate::domain::access::Access;

/// Where the document lies.
pub(super) const DOCUMENT: &str = "/openapi.json";
const PAGE: &str = "/docs";

/// An entity tag, or any.
const ENTITY_TAG: &str = r#"^(\*|(W/)?"[!#-~]*")$"#;

const ABOUT: &str = "Attendance from classroom photos. Sign in with `POST /api/v1/auth/login` and send the access token as \
`Authorization: Bearer <token>`, or send an API token the same way or as `X-API-Key`. Errors are RFC 9457 problems with \
a stable `code`. A POST with an `Idempotency-Key` is done once, however often it is sent. Times are UTC.";

/// Adds what all operations have in common: who may call it, and how it fails.
pub(super) fn complete(item: &mut PathItem, rule: Rule, kind: Kind, method: &str) {
    let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    for operation in operations.into_iter().flatten() {
        operation.security = Some(security(rule));
        let who = format!("Who: {}.", who(rule));
        operation.description = Some(match operation.description.take() {
            Some(text) if !text.trim().is_empty() => format!("{}\n\n{who}", text.trim_end()),
            _ => who,
        });
        for (status, what) in failures(rule, kind, method) {
            add_failure(operation, status, what);
        }
        for parameter in operation.parameters.iter_mut().flatten() {
            if let RefOr::T(parameter) = parameter {
                describe_text(parameter);
            }
        }
    }
}

/// Parameters are text: one that may be left out is absent then, not `null`.
fn describe_text(parameter: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else { return };
    if let SchemaType::Array(types) = &mut schema.schema_type {
        types.retain(|kind| *kind != Type::Null);
        if let [only] = types.as_slice() {
            schema.schema_type = SchemaType::Type(only.clone());
        }
    }
    if parameter.name == "If-Match" {
        schema.pattern = Some(ENTITY_TAG.into());
    }
}

fn security(rule: Rule) -> Vec<SecurityRequirement> {
    match rule {
        Rule::Public => vec![SecurityRequirement::default()],
        _ => ["bearer", "api_key"].map(|name| SecurityRequirement::new(name, Vec::<String>::new())).into(),
    }
}

fn who(rule: Rule) -> String {
    let of = |access: Access| {
        let roles: Vec<&str> = access.roles.iter().map(|role| role.as_str()).collect();
        let scope = access.scope.map(|scope| format!("; tokens with the scope `{scope}`")).unwrap_or_default();
        format!("{}{scope}", roles.join(", "))
    };
    match rule {
        Rule::Public => "everybody".into(),
        Rule::SignedIn => "everybody who has signed in".into(),
        Rule::Only(access) => of(access),
        Rule::LinkOr(access) => format!("{}; whoever has a signed link", of(access)),
    }
}

fn failures(rule: Rule, kind: Kind, method: &str) -> Vec<(&'static str, &'static str)> {
    let mut failures = vec![("400", "The request cannot be understood"), ("404", "It does not exist")];
    if rule != Rule::Public {
        failures.push(("403", "Not for this caller"));
    }
    failures.push(("401", "Who asks is not known"));
    if method != "GET" {
        failures.push(("409", "It does not fit with what is there"));
        failures.push(("412", "Somebody else has changed it since"));
        failures.push(("413", "Too large"));
        failures.push(("415", "Not a kind of content that is read here"));
        failures.push(("422", "Understood, but it cannot be done"));
    }
    if kind == Kind::Stream {
        failures.push(("416", "There is no such range"));
    }
    failures.push(("429", "Too many requests: see `Retry-After`"));
    failures.push(("503", "Not now: see `Retry-After`"));
    failures
}

fn add_failure(operation: &mut Operation, status: &str, what: &str) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response: Response = ResponseBuilder::new().description(what).content(PROBLEM_JSON, content).build();
    operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
}

/// The whole document, from what the table of routes describes.
pub(super) fn document(routes: OpenApi) -> OpenApi {
    let mut info = Info::new("rollcall", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.into());
    info.license = Some(License::new("MIT OR Apache-2.0"));
    let mut document = OpenApiBuilder::new().info(info).paths(routes.paths).build();
    let mut components = routes.components.unwrap_or_else(|| ComponentsBuilder::new().build());
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let api_key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
    components.add_security_scheme("bearer", bearer);
    components.add_security_scheme("api_key", api_key);
    for (name, schema) in [
        (Details::name(), Details::schema()),
        (ItemProblem::name(), ItemProblem::schema()),
        (ErrorCode::name(), ErrorCode::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
    document.components = Some(components);
    document
}

/// The document and a page to read it by, both without anything from other hosts.
pub(super) fn routes(document: OpenApi) -> Router<Service> {
    let served = document.clone();
    // The page is given its own copy of the address; the document itself is ours to serve.
    let page = SwaggerUi::new(PAGE).config(Config::from(DOCUMENT).persist_authorization(false));
    Router::new().route(DOCUMENT, get(|| async move { Json(served) })).merge(page)
}
