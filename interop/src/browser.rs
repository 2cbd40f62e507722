//! A client of the sample application: keeps the session cookie, understands the answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::node::Node;

/// Longest time that one request may take, so that a hanging node fails the case.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// What the sample application says about a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The session's id; none if there is no session. `invalidated` after `op=invalidate`.
    pub session: Option<String>,
    /// Seconds.
    pub max_inactive: Option<i64>,
    /// Attribute name to `java.class.Name:text`.
    pub attrs: BTreeMap<String, String>,
}

impl Reply {
    /// Reads the application's JSON; also the form that the Java peer's `peek` prints.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).with_context(|| text.to_owned())?;
        let session = value.get("session").with_context(|| format!("no session in {text}"))?;
        let attrs = value.get("attrs").and_then(Value::as_object).into_iter().flatten();
        let attrs = attrs.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
        Ok(Self {
            session: session.as_str().map(str::to_owned),
            max_inactive: value.get("maxInactive").and_then(Value::as_i64),
            attrs: attrs.collect(),
        })
    }

    /// The value of an attribute, or an empty string.
    pub fn attr(&self, name: &str) -> &str {
        self.attrs.get(name).map_or("", String::as_str)
    }
}

/// One user. Requests of one browser may run in parallel.
#[derive(Debug)]
pub struct Browser {
    agent: ureq::Agent,
    cookie: Mutex<Option<String>>,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// A browser without a session.
    pub fn new() -> Self {
        let config = ureq::Agent::config_builder();
        let config = config.timeout_global(Some(REQUEST_MAX)).http_status_as_error(false).max_idle_connections(256);
        Self { agent: config.max_idle_connections_per_host(256).build().new_agent(), cookie: Mutex::new(None) }
    }

    /// A browser that already has a session, on the connections of another one.
    pub fn with_session(&self, id: &str) -> Self {
        Self { agent: self.agent.clone(), cookie: Mutex::new(Some(id.to_owned())) }
    }

    /// A new user, on the connections of this one.
    pub fn without_session(&self) -> Self {
        Self { agent: self.agent.clone(), cookie: Mutex::new(None) }
    }

    /// The session's id as the cookie names it.
    pub fn session(&self) -> Option<String> {
        self.cookie.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One request to the sample application of `node`; `query` without the question mark.
    pub fn get(&self, node: &Node, query: &str) -> Result<Reply> {
        self.get_at(&node.http, query)
    }

    /// As [`Browser::get`], by `HOST:PORT`.
    pub fn get_at(&self, http: &str, query: &str) -> Result<Reply> {
        let url = format!("http://{http}/app/s?{query}");
        let mut request = self.agent.get(&url);
        if let Some(id) = self.session() {
            request = request.header("Cookie", format!("JSESSIONID={id}"));
        }
        let mut response = request.call().with_context(|| url.clone())?;
        let status = response.status();
        for header in response.headers().get_all("set-cookie") {
            let value = header.to_str()?.split(';').next().unwrap_or_default();
            if let Some(id) = value.strip_prefix("JSESSIONID=") {
                *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.to_owned());
            }
        }
        let text = response.body_mut().read_to_string()?;
        ensure!(status == 200, "{url} answered {status}: {text}");
        Reply::parse(&text)
    }

    /// Sets one attribute; an empty `kind` means a String.
    pub fn set(&self, node: &Node, name: &str, kind: &str, value: &str) -> Result<Reply> {
        let kind = if kind.is_empty() { String::new() } else { format!("&type={kind}") };
        self.get(node, &format!("op=set&name={}&value={}{kind}", encoded(name), encoded(value)))
    }
}

/// Percent encoding of a query value.
pub fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}"); // writing to a String cannot fail
        }
    }
    out
}
