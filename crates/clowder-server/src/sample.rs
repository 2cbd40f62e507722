//! The sample application at `/s`: the twin of the servlet in the Tomcats of the tests.
//!
//! One operation for each request; the answer shows the session as both languages see it. It is a demonstration and a
//! test instrument, so it lets anybody do anything with his own session.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, extract::DefaultBodyLimit};
use clowder::{Session, SessionError};
use serde_json::{Map, Value, json};

use crate::java::{parse, text, write};

/// How long a new session lives without a request, as in the servlet.
const MAX_INACTIVE: Duration = Duration::from_secs(1800);
/// Largest random value that a request may ask for.
const PAD_BYTES_MAX: usize = 4 << 20;

const OPERATIONS: &str = "inc, set&name&value[&type], get, dump, remove&name, pad&bytes, maxinactive&value, newid, \
                          invalidate";

/// The application, to be put under the context path and inside of a session layer.
pub(crate) fn router() -> Router {
    Router::new().route("/s", get(answer)).layer(DefaultBodyLimit::max(0))
}

/// What went wrong, with the status that says whose fault it is.
struct Refused(StatusCode, String);

impl From<SessionError> for Refused {
    fn from(error: SessionError) -> Self {
        let status = match error {
            SessionError::Ended => StatusCode::CONFLICT,
            SessionError::TooManySessions { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refused(status, error.to_string())
    }
}

fn wrong(what: impl Into<String>) -> Refused {
    Refused(StatusCode::BAD_REQUEST, what.into())
}

type Parameters = HashMap<String, String>;

async fn answer(session: Session, query: Result<Query<Parameters>, QueryRejection>) -> Response {
    let answer = match query {
        Ok(Query(parameters)) => operate(&session, &parameters),
        Err(rejection) => Err(wrong(rejection.body_text())),
    };
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(Refused(status, what)) => (status, json!({ "error": what })),
    };
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn operate(session: &Session, parameters: &Parameters) -> Result<Value, Refused> {
    let operation = parameters.get("op").map_or("inc", String::as_str);
    match operation {
        "get" | "dump" => {
            return Ok(if session.id().is_some() { dump(session) } else { json!({ "session": null }) });
        }
        "invalidate" => {
            session.invalidate();
            return Ok(json!({ "session": "invalidated" }));
        }
        "inc" => increment(session)?,
        "set" => {
            let (name, value) = (need(parameters, "name")?, need(parameters, "value")?);
            let stream = parse::value(parameters.get("type").map(String::as_str), value).map_err(wrong)?;
            session.set_raw(name, stream)?;
        }
        "remove" => {
            session.remove(need(parameters, "name")?)?;
        }
        "pad" => session.set_raw("pad", write::bytes(&random(need(parameters, "bytes")?)?))?,
        "maxinactive" => {
            let seconds: i32 = need(parameters, "value")?
                .parse()
                .map_err(|_| wrong("value is the number of seconds without a request, 0 or less for ever"))?;
            let interval = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
            session.set_max_inactive(interval)?;
        }
        // A session that is made for this already has a new id.
        "newid" if session.id().is_some() => session.renew_id()?,
        "newid" => {}
        other => return Err(wrong(format!("unknown op '{other}': one of {OPERATIONS}"))),
    }
    if session.id().is_none() {
        session.set_max_inactive(MAX_INACTIVE)?;
    }
    Ok(dump(session))
}

fn need<'p>(parameters: &'p Parameters, name: &str) -> Result<&'p str, Refused> {
    let value = parameters.get(name).map(String::as_str);
    value.ok_or_else(|| wrong(format!("missing parameter '{name}'; operations are {OPERATIONS}")))
}

/// An attribute of another type is no count, and counting begins anew, as in the servlet.
fn increment(session: &Session) -> Result<(), SessionError> {
    match session.update("count", |count: Option<i32>| count.unwrap_or(0).wrapping_add(1)) {
        Err(SessionError::Unreadable { .. }) => session.set_raw("count", write::integer(1)),
        other => other.map(|_| ()),
    }
}

fn random(bytes: &str) -> Result<Vec<u8>, Refused> {
    let length: Option<usize> = bytes.parse().ok().filter(|length| *length <= PAD_BYTES_MAX);
    let length = length.ok_or_else(|| wrong(format!("bytes is a number from 0 to {PAD_BYTES_MAX}")))?;
    Ok(std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect())
}

fn dump(session: &Session) -> Value {
    let mut attributes = Map::new();
    for name in session.attribute_names() {
        // Another request may have removed it meanwhile.
        if let Some(stream) = session.raw(&name) {
            attributes.insert(name, json!(describe(&stream)));
        }
    }
    json!({
        "session": session.id(),
        "maxInactive": session.max_inactive().map_or(0, |interval| interval.as_secs()),
        "attrs": attributes,
    })
}

fn describe(stream: &[u8]) -> String {
    if let Some(length) = text::byte_array_len(stream) {
        return format!("[B:len{length}");
    }
    let (class, text) = text::describe(stream);
    format!("{class}:{}", text.as_deref().unwrap_or("opaque"))
}
