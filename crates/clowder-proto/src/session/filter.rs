//! Which attributes leave this node and which are taken from others.
//!
//! Tomcat: ManagerBase.willAttributeDistribute - both expressions must match the whole name, or class name.
//! Differs from Tomcat: the filters also apply to received deltas; there they hold for whole sessions only.
//! Test: w19_filters_hold_for_what_is_sent_and_for_what_is_received.

use regex::Regex;

use super::state::CellKind;
use super::{JavaStr, SessionsConfig};

/// Never replicated, whatever the filters say: values that belong to one JVM.
/// Tomcat: StandardSession.excludedAttributes and the crawler valve's marker.
const EXCLUDED: [&str; 2] = ["javax.security.auth.subject", "org.apache.catalina.valves.CrawlerSessionManagerValve"];

/// Filters for session attributes. The default lets everything pass but the two names that Tomcat excludes itself.
#[derive(Clone, Debug, Default)]
pub struct AttributeFilter {
    name: Option<Regex>,
    value_class: Option<Regex>,
}

impl AttributeFilter {
    /// `None`: no filter. An expression must match the whole attribute name, or the whole binary class name of the
    /// value such as `[B` or `java.util.ArrayList`.
    ///
    /// # Errors
    /// An expression is not valid.
    pub fn new(name: Option<&str>, value_class: Option<&str>) -> Result<Self, regex::Error> {
        let whole = |pattern: &str| Regex::new(&format!("^(?:{pattern})$"));
        Ok(AttributeFilter { name: name.map(whole).transpose()?, value_class: value_class.map(whole).transpose()? })
    }

    /// True if an attribute of this name and value is replicated. `value` is a Java stream; `None` for a removal,
    /// where only the name can be tested.
    pub(super) fn allows(&self, name: &JavaStr, value: Option<&[u8]>) -> bool {
        if EXCLUDED.iter().any(|excluded| excluded.as_bytes() == name.as_bytes()) {
            return false;
        }
        if let Some(filter) = &self.name
            && !filter.is_match(&name.to_text())
        {
            return false;
        }
        match (&self.value_class, value) {
            (Some(filter), Some(value)) => super::wire::value_class(value).is_some_and(|class| filter.is_match(&class)),
            _ => true,
        }
    }
}

/// Notes that hold a password in clear. Tomcat: Constants.SESS_USERNAME_NOTE, SESS_PASSWORD_NOTE.
const PASSWORD_NOTES: [&str; 2] = ["org.apache.catalina.session.USERNAME", "org.apache.catalina.session.PASSWORD"];

impl SessionsConfig {
    /// True if a cell of this kind and name leaves this node.
    pub(super) fn sends(&self, kind: CellKind, name: &JavaStr, value: Option<&[u8]>) -> bool {
        match kind {
            CellKind::Attribute => self.filter.allows(name, value),
            CellKind::Note if self.withhold_password_notes => {
                !PASSWORD_NOTES.iter().any(|note| note.as_bytes() == name.as_bytes())
            }
            _ => true,
        }
    }

    /// True if a peer may write a cell of this kind and name here.
    pub(super) fn takes(&self, kind: CellKind, name: &JavaStr, value: Option<&[u8]>) -> bool {
        kind != CellKind::Attribute || self.filter.allows(name, value)
    }
}
