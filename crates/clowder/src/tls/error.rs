//! Why TLS cannot be used as it is configured.

use std::io;
use std::path::PathBuf;

/// The files or names of a [`TlsConfig`](super::TlsConfig) are at fault. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {what} {}; {}", .file.display(), remedy(.source))]
    Read {
        /// What the file is for.
        what: &'static str,
        /// As configured.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is far larger than what it should hold.
    #[error("{} has more than {max} bytes: that is no {what}", .file.display())]
    TooLarge {
        /// What the file is for.
        what: &'static str,
        /// As configured.
        file: PathBuf,
        /// The limit.
        max: u64,
    },
    /// A file is damaged.
    #[error("{} is damaged ({reason}): write it again, in PEM form", .file.display())]
    Damaged {
        /// As configured.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no certificate in its file.
    #[error("no certificate in {}: expected -----BEGIN CERTIFICATE-----, this node's certificate first", .0.display())]
    NoCertificate(PathBuf),
    /// There is no private key in its file.
    #[error("no private key in {}: expected -----BEGIN PRIVATE KEY-----", .0.display())]
    NoKey(PathBuf),
    /// The private key needs a password.
    #[error(
        "the private key in {} is encrypted: decrypt it (openssl pkey -in OLD -out NEW) and protect the file by its \
         permissions", .0.display()
    )]
    EncryptedKey(PathBuf),
    /// The key belongs to another certificate.
    #[error(
        "the private key in {} is not that of the first certificate in {}: the files are mixed up, or the chain is in \
         the wrong order", .key.display(), .certificate.display()
    )]
    KeyMismatch {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// There is no certificate of a CA.
    #[error("no CA in {}: without one nobody can be trusted; put the certificate of the cluster's CA there", .0.display())]
    NoCa(PathBuf),
    /// Others would refuse this node's certificate whatever they trust.
    #[error(
        "the certificate in {} cannot be used: {reason}; issue one for servers and for clients \
         (extendedKeyUsage = serverAuth, clientAuth)", .file.display()
    )]
    Unusable {
        /// As configured.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An accepted name is neither a DNS name nor an IP address.
    #[error("'{0}' is neither a DNS name nor an IP address, so no certificate can have it as an alternative name")]
    Name(String),
    /// The channel was started without TLS.
    #[error("this channel was started without TLS")]
    NotConfigured,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "is the path right, seen from this process?",
        io::ErrorKind::PermissionDenied => "let the user of this process read it",
        _ => "is it a file?",
    }
}
