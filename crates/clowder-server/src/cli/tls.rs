//! Options of TLS, the same for every command that is a member.

use std::path::PathBuf;

use clap::Args;

use super::listen;

/// What a member's TLS is made of; nothing without a certificate.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "TLS with other Clowder nodes")]
pub(crate) struct TlsArgs {
    /// Certificate of this member, PEM, followed by those between it and its CA. Others must trust its CA, and it must
    /// be usable for servers and clients. SIGHUP reads this file and the next two again, for connections from then on.
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "tls_ca"])]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of the certificate, PEM, without a password.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Certificates of the CAs whose certificates others may have, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_ca: Option<PathBuf>,

    /// Send and receive messages over TLS or not at all. Messages to a Tomcat, which has none, then fail. Without it,
    /// members that announce a secure port get messages over TLS, and others without.
    #[arg(long, requires = "tls_cert")]
    pub(crate) tls_require: bool,

    /// Take only certificates with this DNS name or IP address among their subject alternative names. Repeat it for
    /// more. Default: every certificate of the CAs.
    #[arg(long = "tls-name", value_name = "NAME", requires = "tls_cert")]
    pub(crate) tls_names: Vec<String>,

    /// The port for TLS, IP:PORT or IP:FIRST-LAST. Others reach it at the host that --cluster announces. Default: the
    /// first free port behind that of --cluster.
    #[arg(long, value_name = "ADDR", value_parser = listen, requires = "tls_cert")]
    pub(crate) secure: Option<String>,
}
