//! From the files to what connections are made with.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, RootCertStore, ServerConfig};

use super::certificate::About;
use super::verify::Verifier;
use super::{TlsConfig, TlsError};

/// Of one file: hundreds of certificates.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// A certificate that ends sooner is worth a warning.
const ENDS_SOON_DAYS: i64 = 14;

/// Both sides' configuration, from one reading of the files.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
    /// Of this node's certificate, if it can be read.
    pub(crate) about: Option<About>,
    /// What will not work, and is not certain to be a mistake.
    pub(crate) warnings: Vec<String>,
}

impl Loaded {
    /// Reads three small files.
    pub(crate) fn load(config: &TlsConfig, unix_now: i64) -> Result<Loaded, TlsError> {
        let chain = certificates(&config.certificate, "the certificate")?;
        let Some(own) = chain.first() else { return Err(TlsError::NoCertificate(config.certificate.clone())) };
        let about = About::read(own);
        let key = key(&config.key)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(
            Verifier::new(Arc::clone(&provider), roots(&config.ca)?, names(config)?)
                .map_err(|error| TlsError::Damaged { file: config.ca.clone(), reason: error.to_string() })?,
        );
        let (server, client) = sides(&provider, &verifier, &chain, key).map_err(|error| refused(config, &error))?;
        let mut warnings = Vec::new();
        if let Err(error) = verifier.verify_chain(&chain) {
            warnings.push(doubt(config, &error)?);
        } else if let Some(about) = &about {
            let days = (about.not_after - unix_now) / 86_400;
            if days < ENDS_SOON_DAYS {
                let file = config.certificate.display();
                warnings.push(format!("the certificate in {file} ends in {days} days: issue a new one and reload"));
            }
        }
        Ok(Loaded { server: Arc::new(server), client: Arc::new(client), about, warnings })
    }
}

/// Nothing is resumed: every connection is verified anew, against what is loaded then.
fn sides(
    provider: &Arc<CryptoProvider>,
    verifier: &Arc<Verifier>,
    chain: &[CertificateDer<'static>],
    key: PrivateKeyDer<'static>,
) -> Result<(ServerConfig, ClientConfig), Error> {
    let mut server = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::clone(verifier) as _)
        .with_single_cert(chain.to_vec(), key.clone_key())?;
    server.send_tls13_tickets = 0;
    let mut client = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous() // a rule of our own: members have no host names
        .with_custom_certificate_verifier(Arc::clone(verifier) as _)
        .with_client_auth_cert(chain.to_vec(), key)?;
    client.resumption = Resumption::disabled();
    Ok((server, client))
}

fn refused(config: &TlsConfig, error: &Error) -> TlsError {
    match error {
        Error::InconsistentKeys(_) => {
            TlsError::KeyMismatch { key: config.key.clone(), certificate: config.certificate.clone() }
        }
        Error::InvalidCertificate(_) => {
            TlsError::Damaged { file: config.certificate.clone(), reason: error.to_string() }
        }
        _ => TlsError::Damaged { file: config.key.clone(), reason: error.to_string() },
    }
}

/// What speaks against this node's own certificate: a warning if it may be right for others, or later.
fn doubt(config: &TlsConfig, error: &Error) -> Result<String, TlsError> {
    let file = config.certificate.display();
    match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => Ok(format!(
            "the certificate in {file}, or one of its CAs, has expired: others refuse it; issue a new one and reload"
        )),
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => Ok(
            format!("the certificate in {file} is not valid yet: others refuse it until then; are the clocks right?"),
        ),
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => Ok(format!(
            "the certificate in {file} comes from no CA in {}: nodes that trust the same CAs refuse it",
            config.ca.display()
        )),
        _ => Err(TlsError::Unusable { file: config.certificate.clone(), reason: error.to_string() }),
    }
}

fn read(file: &Path, what: &'static str) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let opened = File::open(file).and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    opened.map_err(|source| TlsError::Read { what, file: file.to_owned(), source })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(TlsError::TooLarge { what, file: file.to_owned(), max: FILE_BYTES_MAX });
    }
    Ok(bytes)
}

fn certificates(file: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(file, what)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    certificates.map_err(|error| TlsError::Damaged { file: file.to_owned(), reason: error.to_string() })
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, "the CA certificates")? {
        let added = roots.add(certificate);
        added.map_err(|error| TlsError::Damaged { file: file.to_owned(), reason: error.to_string() })?;
    }
    if roots.is_empty() { Err(TlsError::NoCa(file.to_owned())) } else { Ok(roots) }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read(file, "the private key")?;
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(_) | Err(pem::Error::NoItemsFound) if is_encrypted(&bytes) => Err(TlsError::EncryptedKey(file.to_owned())),
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(TlsError::NoKey(file.to_owned())),
        Err(error) => Err(TlsError::Damaged { file: file.to_owned(), reason: error.to_string() }),
    }
}

/// In the form of PKCS #8, or in the older one.
fn is_encrypted(pem: &[u8]) -> bool {
    let pem = String::from_utf8_lossy(pem);
    pem.contains("BEGIN ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED")
}

fn names(config: &TlsConfig) -> Result<Vec<ServerName<'static>>, TlsError> {
    let name = |name: &String| ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name.clone()));
    config.accepted_names.iter().map(name).collect()
}
