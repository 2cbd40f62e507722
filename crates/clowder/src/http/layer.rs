//! The tower layer: which sessions, and what their cookie looks like.

use std::sync::Arc;

use tower_layer::Layer;

use super::cookie::{CookieSettings, SameSite};
use super::service::SessionService;
use crate::{SessionError, Sessions};

/// Gives every request of a tower service its [`Session`](crate::Session), in the request's extensions.
///
/// Cookie defaults are Tomcat's: name `JSESSIONID`, `HttpOnly`, no `Domain`, `Secure` or `SameSite`. The path is `/`;
/// beside a Tomcat application set its context path, so that the browser keeps the two apart.
///
/// What the layer promises:
///
/// * A request costs the cluster nothing until its handler writes to the session; no session exists before that.
/// * Changes are visible at once to other requests of this node, and sent when the handler is done, also when it
///   panicked or the client went away.
/// * With [`Replication::Synchronous`](crate::Replication::Synchronous) the answer is held back until every member of
///   the view at that moment has applied the request's changes, or has been given up: a member that does not confirm
///   within the channel's timeout and retry, or leaves, no longer holds the answer; what it missed is repaired when it
///   can be reached again. With [`Replication::Asynchronous`](crate::Replication::Asynchronous) the answer leaves at
///   once and the changes follow in order.
#[derive(Clone, Debug)]
pub struct SessionLayer {
    sessions: Sessions,
    cookie: Arc<CookieSettings>,
}

impl SessionLayer {
    /// A layer with the default cookie.
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions, cookie: Arc::default() }
    }

    fn changed(mut self, change: impl FnOnce(&mut CookieSettings)) -> Self {
        Arc::make_mut(&mut self.cookie).set_flags(change);
        self
    }

    /// Name of the cookie.
    ///
    /// # Errors
    /// [`SessionError::CookieSetting`] if the name is not a token of RFC 6265.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Result<Self, SessionError> {
        Arc::make_mut(&mut self.cookie).set_name(name.into())?;
        Ok(self)
    }

    /// Path for which browsers send the cookie; default `/`.
    ///
    /// # Errors
    /// [`SessionError::CookieSetting`] if it does not begin with `/` or has a character that a cookie cannot carry.
    pub fn path(mut self, path: impl Into<String>) -> Result<Self, SessionError> {
        Arc::make_mut(&mut self.cookie).set_path(path.into())?;
        Ok(self)
    }

    /// Domain for which browsers send the cookie; without it, the exact host only.
    ///
    /// # Errors
    /// [`SessionError::CookieSetting`] if it is not a domain name.
    pub fn domain(mut self, domain: impl Into<String>) -> Result<Self, SessionError> {
        Arc::make_mut(&mut self.cookie).set_domain(domain.into())?;
        Ok(self)
    }

    /// Whether scripts of a page are kept from reading the cookie; default true.
    pub fn http_only(self, http_only: bool) -> Self {
        self.changed(|cookie| cookie.http_only = http_only)
    }

    /// Whether browsers send the cookie over TLS only; default false. Switch it on wherever users come by https.
    pub fn secure(self, secure: bool) -> Self {
        self.changed(|cookie| cookie.secure = secure)
    }

    /// Whether the cookie goes along with requests that other sites cause; default: the browser's own rule.
    pub fn same_site(self, same_site: SameSite) -> Self {
        self.changed(|cookie| cookie.same_site = Some(same_site))
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, self.sessions.clone(), self.cookie.clone())
    }
}
