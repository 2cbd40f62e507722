//! A CA in memory, and the files that nodes get from it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use clowder::{Channel, TlsConfig};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::nodes::builder;

pub(super) const CERTIFICATE: &str = "node.pem";
pub(super) const KEY: &str = "node.key";
pub(super) const CA: &str = "ca.pem";

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// One of its own: none has the name of another.
    pub(super) fn new() -> Authority {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, format!("CA {}", COUNT.fetch_add(1, Relaxed)));
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn issue(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// A good certificate.
    pub(super) fn member(&self, name: &str) -> Issued {
        self.issue(&named(name))
    }

    /// One whose time is over.
    pub(super) fn expired(&self) -> Issued {
        let mut params = named("expired");
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.issue(&params)
    }

    /// One that may only be a server.
    pub(super) fn server(&self) -> Issued {
        let mut params = named("server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&params)
    }

    /// The files of a member, with this CA as the trusted one.
    pub(super) fn files(&self, name: &str) -> Files {
        Files::new(&self.member(name), &self.pem())
    }

    /// A node with TLS that knows nobody.
    pub(super) async fn node(&self, name: &str) -> Channel {
        builder().tls(self.files(name).config()).start().await.unwrap()
    }
}

/// Addresses of ports that nobody has now.
pub(super) async fn free_addrs() -> [SocketAddr; 2] {
    let (a, b) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    [a.local_addr().unwrap(), b.local_addr().unwrap()]
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A certificate and its key, in PEM form.
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// A folder that is gone with its test.
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new(own: &Issued, ca: &str) -> Files {
        let files = Files(TempDir::new().unwrap());
        files.replace(own);
        files.write(CA, ca);
        files
    }

    pub(super) fn replace(&self, own: &Issued) {
        self.write(CERTIFICATE, &own.certificate);
        self.write(KEY, &own.key);
    }

    pub(super) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.0.path().join(name), content).unwrap();
    }

    pub(super) fn remove(&self, name: &str) {
        std::fs::remove_file(self.0.path().join(name)).unwrap();
    }

    pub(super) fn config(&self) -> TlsConfig {
        let path = |name| self.0.path().join(name);
        TlsConfig::new(path(CERTIFICATE), path(KEY), path(CA))
    }
}
