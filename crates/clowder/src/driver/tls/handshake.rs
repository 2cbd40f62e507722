//! The loaded files, and the handshakes that they decide.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, CommonState, Connection, Error};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::stream;
use crate::driver::net::{self, ReadHalf, TcpStream, WriteHalf};
use crate::driver::refused::Refusals;
use crate::metrics;
use crate::tls::certificate::About;
use crate::tls::{Loaded, TlsConfig, TlsError};
use crate::transport::SocketOptions;

/// TLS as it is configured, with the files as they were read last.
pub(crate) struct Tls {
    pub(super) config: TlsConfig,
    loaded: ArcSwap<Loaded>,
}

/// A connection whose other side is a member's.
pub(super) struct Accepted {
    pub(super) read: ReadHalf,
    pub(super) write: WriteHalf,
    pub(super) subject: String,
}

impl Tls {
    pub(crate) fn load(config: TlsConfig) -> Result<Tls, TlsError> {
        let loaded = load(&config)?;
        Ok(Tls { config, loaded: ArcSwap::from_pointee(loaded) })
    }

    /// Read the files again; if that fails, all stays as it is.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let loaded = load(&self.config).inspect_err(|_| metrics::tls_reloaded("failed"))?;
        self.loaded.store(Arc::new(loaded));
        metrics::tls_reloaded("ok");
        Ok(())
    }

    /// Where the secure port is to be, if that is configured.
    pub(crate) fn listen(&self) -> Option<&str> {
        self.config.listen.as_deref()
    }

    /// Messages go over TLS or not at all.
    pub(crate) fn requires(&self) -> bool {
        self.config.require
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Accepted> {
        let server = Arc::clone(&self.loaded.load().server);
        let (socket, tls) = TlsAcceptor::from(server).accept(stream).await?.into_inner();
        let subject = subject(&tls);
        let (read, write) = stream::split(socket, Connection::Server(tls));
        Ok(Accepted { read, write, subject })
    }

    /// A connection to a secure port. Waits as long as the other side does: the caller has deadlines.
    pub(crate) async fn connect(
        &self,
        refusals: &Refusals,
        addr: SocketAddr,
        options: &SocketOptions,
    ) -> io::Result<(ReadHalf, WriteHalf)> {
        let stream = net::connect(addr, options).await?;
        let client = Arc::clone(&self.loaded.load().client);
        let name = ServerName::IpAddress(addr.ip().into()); // is not sent, and nobody looks at it
        let connected = TlsConnector::from(client).connect(name, stream).await;
        let (socket, tls) = connected
            .inspect_err(|error| {
                let (kind, reason) = complaint(error).unwrap_or_else(|| ("ended", error.to_string()));
                refusals.tls(addr, kind, &reason);
            })?
            .into_inner();
        tracing::debug!(peer = %addr, subject = %subject(&tls), "connected over TLS");
        Ok(stream::split(socket, Connection::Client(tls)))
    }
}

fn load(config: &TlsConfig) -> Result<Loaded, TlsError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let loaded = Loaded::load(config, i64::try_from(now).unwrap_or(i64::MAX))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    if let Some(about) = &loaded.about {
        tracing::info!(subject = %about.subject, require = config.require, "TLS certificate");
        metrics::tls_certificate(about.not_after);
    }
    Ok(loaded)
}

/// Of the other side's certificate.
fn subject(tls: &CommonState) -> String {
    let certificate = tls.peer_certificates().and_then(|chain| chain.first());
    certificate.and_then(|der| About::read(der)).map_or_else(|| "unreadable".to_owned(), |about| about.subject)
}

/// What TLS found wrong: a label, and words. `None`: the connection broke.
pub(crate) fn complaint(error: &io::Error) -> Option<(&'static str, String)> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let kind = match error {
        Error::NoCertificatesPresented => "no_certificate",
        Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not_valid_yet",
            CertificateError::UnknownIssuer | CertificateError::BadSignature => "unknown_issuer",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "name",
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => "purpose",
            _ => "bad_certificate",
        },
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => "not_tls",
        Error::PeerIncompatible(_) => "incompatible",
        Error::AlertReceived(_) => "refused_by_peer",
        _ => "other",
    };
    Some((kind, error.to_string()))
}
