//! The pods of a namespace. Tomcat: `KubernetesMembershipProvider`.
//!
//! `access`: files, certificates and the client; `pod`: which items of a list are members; `watch`: reading the list and
//! following its changes.

mod access;
mod environment;
mod pod;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

pub use environment::EnvironmentError;

/// Discovery by the API server of a Kubernetes cluster: the running pods of a namespace with certain labels. Feature
/// `kubernetes`.
///
/// The service account of the pods needs the verbs `list` and `watch` for `pods`. All members use this node's own port,
/// and the id of each is the MD5 of its pod's uid; both as Tomcat's `kubernetes` provider. The node finds its own pod by
/// its announced address, and its start waits up to 30 s for that, unless it is given an id.
///
/// A pod that is not ready is not asked to join. It may join by itself, as nodes do while they start, and one that is a
/// member stays one: whether members live is found out by probes, not by the readiness of their pods.
///
/// Encryption is that of `rustls` with its provider `aws-lc-rs`. A program that has compiled in another one besides must
/// install one of them as the default before it starts the channel.
///
/// ```no_run
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// use clowder::{Channel, Kubernetes};
///
/// let pods = Kubernetes::from_env()?.labels("app=shop");
/// let channel = Channel::builder().listen("0.0.0.0:4000").discover(pods).start().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubernetes {
    pub(super) server: String,
    pub(super) namespace: String,
    pub(super) labels: Option<String>,
    pub(super) token_file: PathBuf,
    pub(super) ca_file: PathBuf,
    pub(super) client_certificate: Option<(PathBuf, PathBuf)>,
    pub(super) require_ready: bool,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

impl Kubernetes {
    /// What the cluster and Tomcat's environment variables say, of which the first one that is set wins:
    ///
    /// | variables | default |
    /// |---|---|
    /// | `OPENSHIFT_KUBE_PING_NAMESPACE`, `KUBERNETES_NAMESPACE` | the pod's own namespace, else `tomcat` |
    /// | `OPENSHIFT_KUBE_PING_LABELS`, `KUBERNETES_LABELS` | all pods |
    /// | `OPENSHIFT_KUBE_PING_MASTER_PROTOCOL`, `KUBERNETES_MASTER_PROTOCOL` | `https` |
    /// | `OPENSHIFT_KUBE_PING_MASTER_HOST`, `KUBERNETES_SERVICE_HOST` | none |
    /// | `OPENSHIFT_KUBE_PING_MASTER_PORT`, `KUBERNETES_SERVICE_PORT` | none |
    /// | `OPENSHIFT_KUBE_PING_SA_TOKEN_FILE`, `SA_TOKEN_FILE` | that of the service account |
    /// | `OPENSHIFT_KUBE_PING_CA_CERT_FILE`, `KUBERNETES_CA_CERTIFICATE_FILE` | that of the service account |
    /// | `OPENSHIFT_KUBE_PING_CLIENT_CERT_FILE`, `KUBERNETES_CLIENT_CERTIFICATE_FILE` | none: a token is used |
    /// | `KUBERNETES_CLIENT_KEY_FILE` | none |
    ///
    /// # Errors
    /// [`EnvironmentError`]: this is no pod, or the variables contradict each other.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        environment::read(|name| std::env::var(name).ok())
    }

    /// The API server, like `https://10.0.0.1:443`.
    #[must_use]
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.server = url.into();
        self
    }

    /// The namespace of the pods.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// A label selector, like `app=shop,tier in (a,b)`. Without it all pods of the namespace are members, which is
    /// seldom meant.
    #[must_use]
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }

    /// A pod must be ready, besides running, to be asked to join. Default true; false is what Tomcat does.
    #[must_use]
    pub fn require_ready(mut self, require: bool) -> Self {
        self.require_ready = require;
        self
    }

    /// Pause before the list is read again while changes cannot be watched, and after a failure; how often the token file
    /// is looked at. Default 5 s, Tomcat's channel heartbeat.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Time for a connection, and for an answer. Default 5 s. Tomcat: `connectTimeout` and `readTimeout`, 1 s each.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

#[cfg(test)]
mod tests;
