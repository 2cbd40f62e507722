//! The other side of a TLS connection, made by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use clowder::{Channel, Member};
use clowder_proto::wire::Capabilities;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::authority::Issued;
use crate::nodes::patiently;

pub(super) fn secure(node: &Channel) -> SocketAddr {
    node.local().secure_addr().expect("it has a secure port")
}

/// A client that trusts everybody, with a certificate of its own or without.
pub(super) struct Stranger(Arc<ClientConfig>);

impl Stranger {
    pub(super) fn new(own: Option<&Issued>) -> Stranger {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.unwrap().dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)));
        Stranger(Arc::new(match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let (chain, key) = parts(own);
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        }))
    }

    pub(super) async fn connect(&self, to: &Channel) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(secure(to)).await.unwrap();
        let name = ServerName::try_from("somebody").unwrap();
        patiently(TlsConnector::from(Arc::clone(&self.0)).connect(name, stream)).await.unwrap()
    }

    /// Speaks as soon as it may. True: it was heard and answered.
    pub(super) async fn is_answered(&self, to: &Channel) -> bool {
        let mut stream = self.connect(to).await;
        let frame = crate::raw::frame(1, clowder::options::USE_ACK, b"hello");
        if stream.write_all(&frame).await.is_err() {
            return false;
        }
        patiently(stream.read(&mut [0; 64])).await.is_ok_and(|count| count > 0)
    }

    /// The certificate that the node shows.
    pub(super) async fn shown(&self, by: &Channel) -> CertificateDer<'static> {
        let stream = self.connect(by).await;
        let (_, tls) = stream.get_ref();
        tls.peer_certificates().unwrap()[0].clone()
    }
}

pub(super) fn parts(own: &Issued) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(own.certificate.as_bytes()).map(Result::unwrap).collect();
    (chain, PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap())
}

/// A server that shows this certificate and asks for none.
pub(super) fn acceptor(own: &Issued) -> TlsAcceptor {
    let (chain, key) = parts(own);
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
}

/// A peer whose secure port shows this certificate and asks for none, once. Its plain port is watched.
pub(super) struct Impostor {
    pub(super) member: Member,
    pub(super) plain: TcpListener,
}

impl Impostor {
    pub(super) async fn new(own: &Issued) -> Impostor {
        let acceptor = acceptor(own);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let secure_port = i32::from(listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        let _ = stream.read(&mut [0; 64]).await; // until it is closed
                    }
                });
            }
        });
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let extension = Capabilities::ALL.and(Capabilities::TLS).encode();
        let bare = Member::new(plain.local_addr().unwrap(), [5; 16]);
        Impostor { member: Member { secure_port, extension, ..bare }, plain }
    }
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
