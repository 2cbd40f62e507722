//! What an application decides about its sessions, and the start of their manager.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use clowder_proto::session::{AttributeFilter, Replication, SessionsConfig};

use super::{SessionError, Sessions, cluster, driver};
use crate::Channel;

/// Settings of a session manager; awaiting it starts the manager.
///
/// Made by [`Sessions::delta`] and [`Sessions::local`].
#[derive(Debug)]
#[must_use = "starts when awaited"]
pub struct SessionsBuilder {
    channel: Option<Channel>,
    config: SessionsConfig,
    attribute_names: Option<String>,
    attribute_classes: Option<String>,
    route: Option<String>,
    renewal_grace: Duration,
}

/// Settings of the driver; those of the machine are in its own configuration.
#[derive(Clone, Debug)]
pub(crate) struct DriverConfig {
    pub(crate) route: Option<String>,
    pub(crate) renewal_grace: Duration,
}

impl SessionsBuilder {
    pub(super) fn new(channel: Option<Channel>, context: &str) -> Self {
        // Differs from Tomcat: synchronous is the default here (Tomcat's channelSendOptions is 8, asynchronous), because
        // an answer that outlives its change is a surprise. Test: synchronous_is_the_default.
        let config = SessionsConfig { replication: Replication::Synchronous, ..SessionsConfig::new(context) };
        Self {
            channel,
            config,
            attribute_names: None,
            attribute_classes: None,
            route: None,
            renewal_grace: Duration::ZERO,
        }
    }

    /// Whether an answer waits until the replicas have its changes. Default [`Replication::Synchronous`].
    ///
    /// Synchronous: when the client has its answer, every member of the view has applied what the request changed. A
    /// member that does not confirm within the channel's timeout (3 s), or leaves, is waited for no longer;
    /// what it missed is sent to it again as soon as it can be reached. So the change survives the death of
    /// this node whenever one other member confirmed. With no other member there is nothing to wait for.
    ///
    /// Asynchronous: the answer leaves at once. The same messages travel in the same order, and failed ones are
    /// repaired, but changes whose messages had not left yet die with this node.
    pub fn replication(mut self, replication: Replication) -> Self {
        self.config.replication = replication;
        self
    }

    /// How long a session lives without a request; `None` for ever. Whole seconds, rounded up, at least one. Default
    /// 30 minutes.
    pub fn max_inactive(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.config.max_inactive = seconds(interval.into());
        self
    }

    /// Suffix of the session ids by which a balancer recognises this node (Tomcat's `jvmRoute`). A request whose
    /// session has another node's route is taken over: the session gets an id with this route before the handler runs.
    pub fn route(mut self, route: impl Into<String>) -> Self {
        self.route = Some(route.into());
        self
    }

    /// Replicates only attributes whose whole name matches this regular expression (Tomcat's
    /// `sessionAttributeNameFilter`). Others stay on this node.
    pub fn attribute_names(mut self, pattern: impl Into<String>) -> Self {
        self.attribute_names = Some(pattern.into());
        self
    }

    /// Replicates only attributes whose whole Java class name matches this regular expression (Tomcat's
    /// `sessionAttributeValueClassNameFilter`). Others stay on this node.
    pub fn attribute_classes(mut self, pattern: impl Into<String>) -> Self {
        self.attribute_classes = Some(pattern.into());
        self
    }

    /// Sessions on this node beyond which requests can make no new ones. Sessions of peers are still taken. Default
    /// 1,000,000.
    pub fn sessions_max(mut self, max: usize) -> Self {
        self.config.limits.sessions_max = max;
        self
    }

    /// Bytes of one attribute in its Java form. Default 8 MiB.
    pub fn attribute_bytes_max(mut self, max: usize) -> Self {
        self.config.limits.attribute_bytes_max = max;
        self
    }

    /// Longest wait for the cluster's sessions at the start (Tomcat's `stateTransferTimeout`). Default 60 s. The start
    /// succeeds afterwards all the same, and the state is asked for again in the background.
    pub fn state_timeout(mut self, timeout: Duration) -> Self {
        self.config.transfer.timeout = timeout;
        self
    }

    /// Ends the sessions that this node served last when the manager stops, everywhere (Tomcat's
    /// `expireSessionsOnShutdown`, which ends those of other nodes as well). Default false.
    pub fn expire_on_shutdown(mut self, expire: bool) -> Self {
        self.config.expire_on_shutdown = expire;
        self
    }

    /// How long after [`Session::renew_id`](crate::Session::renew_id) requests with the old id still find the session,
    /// on this node. Default [`Duration::ZERO`], as in Tomcat; requests that were running at that moment always do.
    ///
    /// It is for pages whose requests overtake their own login. Within this time the old id is as good as the new one,
    /// also for whoever planted it, though the new id is not told to them.
    pub fn renewal_grace(mut self, grace: Duration) -> Self {
        self.renewal_grace = grace;
        self
    }

    async fn start(mut self) -> Result<Sessions, SessionError> {
        let (names, classes) = (self.attribute_names.as_deref(), self.attribute_classes.as_deref());
        for pattern in [names, classes].into_iter().flatten() {
            if let Err(error) = AttributeFilter::new(Some(pattern), None) {
                return Err(SessionError::Filter { pattern: pattern.to_owned(), reason: error.to_string() });
            }
        }
        self.config.filter = AttributeFilter::new(names, classes)
            .map_err(|error| SessionError::Filter { pattern: String::new(), reason: error.to_string() })?;
        if let Some(route) = self.route.take_if(|route| !valid_route(route)) {
            return Err(SessionError::Route { route });
        }
        let driver = DriverConfig { route: self.route, renewal_grace: self.renewal_grace };
        match &self.channel {
            Some(channel) => cluster::start(channel, self.config, driver).await,
            None => Ok(driver::start_local(self.config, driver)),
        }
    }
}

impl IntoFuture for SessionsBuilder {
    type Output = Result<Sessions, SessionError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

/// The interval as Java has it: whole seconds, zero for ever.
// Tomcat: StandardSession.setMaxInactiveInterval — zero and below mean that the session never expires.
pub(super) fn seconds(interval: Option<Duration>) -> i32 {
    let Some(interval) = interval else { return 0 };
    let up = interval.as_secs().saturating_add(u64::from(interval.subsec_nanos() > 0));
    i32::try_from(up.max(1)).unwrap_or(i32::MAX)
}

/// A route that can stand in a cookie and in an id.
fn valid_route(route: &str) -> bool {
    (1..=64).contains(&route.len()) && route.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_rounded_up_and_never_zero_by_accident() {
        assert_eq!(seconds(None), 0);
        assert_eq!(seconds(Some(Duration::ZERO)), 1);
        assert_eq!(seconds(Some(Duration::from_millis(1500))), 2);
        assert_eq!(seconds(Some(Duration::from_secs(1800))), 1800);
        assert_eq!(seconds(Some(Duration::MAX)), i32::MAX);
    }

    #[test]
    fn routes_that_would_break_the_cookie_are_refused() {
        assert!(valid_route("node-1_a.b"));
        for route in ["", "a b", "a;b", "ä", "a\"", &"x".repeat(65)] {
            assert!(!valid_route(route), "{route:?}");
        }
    }

    #[test]
    fn synchronous_is_the_default() {
        assert_eq!(SessionsBuilder::new(None, "/app").config.replication, Replication::Synchronous);
    }
}
