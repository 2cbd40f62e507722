//! TLS from the command line: nodes with certificates share sessions, SIGHUP brings new files, mistakes are named.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used)] // in tests a panic is the right report

mod support;

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use support::{Node, run, text, until};
use tempfile::TempDir;

/// A CA and the files of one member after another.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Authority { issuer, folder: TempDir::new().unwrap() };
        std::fs::write(authority.path("ca.pem"), authority.issuer.pem()).unwrap();
        authority.issue("node");
        authority
    }

    /// A new certificate in the same files.
    fn issue(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path("node.key"), key.serialize_pem()).unwrap();
        std::fs::write(self.path("node.pem"), certificate.pem()).unwrap();
    }

    fn path(&self, name: &str) -> String {
        Path::join(self.folder.path(), name).to_str().unwrap().to_owned()
    }

    fn options(&self) -> Vec<String> {
        ["--tls-cert", "node.pem", "--tls-key", "node.key", "--tls-ca", "ca.pem"]
            .chunks(2)
            .flat_map(|pair| [pair[0].to_owned(), self.path(pair[1])])
            .collect()
    }
}

#[test]
fn nodes_that_require_tls_share_sessions_and_tell_whose_certificate_they_accepted() {
    let ca = Authority::new();
    let mut options = ca.options();
    options.extend(["--tls-require", "--tls-name", "node", "--secure", "127.0.0.1:0"].map(str::to_owned));
    let nodes = Node::cluster(2, &options.iter().map(String::as_str).collect::<Vec<_>>());
    let (_, _, id) = nodes[0].get("?op=set&name=user&value=alice", None);
    let user = |node: &Node| node.get("?op=get", id.as_deref()).1["attrs"]["user"] == "java.lang.String:alice";
    assert!(user(&nodes[1]), "there before the answer; {}", nodes[1].process.log());
    assert!(nodes[1].process.log().contains("accepted a TLS connection"), "{}", nodes[1].process.log());
    assert!(nodes[1].process.log().contains("CN=node"), "{}", nodes[1].process.log());
}

#[test]
fn a_hangup_brings_new_files_and_mistakes_in_them_leave_the_old_ones() {
    let ca = Authority::new();
    let mut options = vec!["--cluster".to_owned(), "127.0.0.1:0".to_owned()];
    options.extend(ca.options());
    let node = Node::start(&options);
    ca.issue("renewed");
    node.process.signal("HUP");
    until("it reads them", || node.process.log().contains("CN=renewed"));
    std::fs::remove_file(ca.path("node.key")).unwrap();
    node.process.signal("HUP");
    until("it says what is wrong", || node.process.log().contains("the TLS files stay as they were"));
    assert!(node.process.log().contains("node.key"), "{}", node.process.log());
    assert_eq!(node.get("?op=get", None).0, 200, "it runs");
}

#[test]
fn options_that_do_not_work_are_refused_with_what_is_missing() {
    let ca = Authority::new();
    let fails = |args: &[&str], code: i32, says: &str| {
        let all = [&["node", "--http", "127.0.0.1:0", "--cluster", "127.0.0.1:0"], args].concat();
        let output = run(&all, b"");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.contains(says), "{args:?}: {error}");
    };
    let (cert, key, ca_file) = (ca.path("node.pem"), ca.path("node.key"), ca.path("ca.pem"));
    fails(&["--tls-cert", &cert], 2, "--tls-key");
    fails(&["--tls-cert", &cert, "--tls-key", &key], 2, "--tls-ca");
    fails(&["--tls-require"], 2, "--tls-cert");
    fails(&["--secure", "127.0.0.1:0"], 2, "--tls-cert");
    let missing = ca.path("missing.pem");
    fails(&["--tls-cert", &missing, "--tls-key", &key, "--tls-ca", &ca_file], 1, &missing);
    fails(&["--tls-cert", &cert, "--tls-key", &cert, "--tls-ca", &ca_file], 1, "no private key in");
    fails(&["--tls-cert", &cert, "--tls-key", &key, "--tls-ca", &key], 1, "no CA in");
}
