//! What an application says about TLS.

use std::path::PathBuf;
use std::time::Duration;

/// TLS 1.3 between Clowder nodes, with certificates on both sides, on a port of its own. Not known to Tomcat.
///
/// The certificate of each side must be issued by a CA that the other one trusts, be valid now, and be usable for
/// servers and for clients. Host names are not checked, as members are addresses: every certificate of a trusted CA is
/// a member's, so the CA should issue for this cluster only (or see [`TlsConfig::accepted_names`]).
///
/// What travels over TLS: the messages that are sent to nodes that announced a secure port. Heartbeats, probes and the
/// notices of static members do not, and are not authenticated.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) listen: Option<String>,
    pub(crate) require: bool,
    pub(crate) accepted_names: Vec<String>,
    pub(crate) handshake_timeout: Duration,
    pub(crate) handshakes_max: usize,
}

impl TlsConfig {
    /// Three PEM files: this node's certificate, followed by those between it and its CA; its private key, not
    /// encrypted; the certificates of the CAs that others' certificates may come from.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>, ca: impl Into<PathBuf>) -> Self {
        TlsConfig {
            certificate: certificate.into(),
            key: key.into(),
            ca: ca.into(),
            listen: None,
            require: false,
            accepted_names: Vec::new(),
            handshake_timeout: Duration::from_secs(5),
            handshakes_max: 64,
        }
    }

    /// The secure port: `ADDRESS:PORT`, or `ADDRESS:FIRST-LAST` for the first free port of a range; port 0 lets the
    /// system choose. Others reach it at the address that the node announces. Default: the address of the plain port,
    /// and the first free one of the 100 ports behind it.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = Some(address.into());
        self
    }

    /// Send messages over TLS or not at all, and take them no other way. A Tomcat, or a Clowder node without TLS, is
    /// then a member that messages fail at with [`SendFailure::NoSecurePort`](crate::SendFailure::NoSecurePort). The
    /// plain port takes nothing but the probes and notices of the membership. Default false: messages to a node that
    /// announced a secure port go over TLS, those to others do not.
    #[must_use]
    pub fn require(mut self, require: bool) -> Self {
        self.require = require;
        self
    }

    /// Take only certificates that have one of these DNS names or IP addresses among their subject alternative names.
    /// Default: any certificate of a trusted CA.
    #[must_use]
    pub fn accepted_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.accepted_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// For the handshake of a connection that somebody else makes. Default 5 s. For those that this node makes,
    /// [`Timeouts::connect`](crate::Timeouts::connect) holds.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Handshakes of others at a time. At the limit the oldest one is given up for a new one. Default 64.
    #[must_use]
    pub fn handshakes_max(mut self, max: usize) -> Self {
        self.handshakes_max = max.max(1);
        self
    }
}
