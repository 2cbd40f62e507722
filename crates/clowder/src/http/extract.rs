//! `Session` as an argument of an axum handler.

use std::convert::Infallible;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::{Session, SessionError};

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, SessionError> {
        parts.extensions.get::<Session>().cloned().ok_or(SessionError::NoLayer)
    }
}

/// `None` where the route is not under a [`SessionLayer`](crate::SessionLayer).
impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Session>().cloned())
    }
}

/// So that a handler can return `Result<_, SessionError>`. The client learns the kind of failure only; the details
/// are for the log.
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        tracing::warn!(error = %self, "a request failed on its session");
        let (status, text) = match self {
            SessionError::Ended => (StatusCode::CONFLICT, "the session has ended"),
            SessionError::TooManySessions { .. } => (StatusCode::SERVICE_UNAVAILABLE, "too many sessions"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "the session could not be used"),
        };
        (status, text).into_response()
    }
}
