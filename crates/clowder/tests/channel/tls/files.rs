//! Files that cannot be used are errors of the start, which name the file and the remedy.

use clowder::{StartError, TlsError};

use super::authority::{Authority, CA, CERTIFICATE, Files, KEY};
use crate::nodes::builder;

/// The error of a start after something was done to good files.
async fn error(ca: &Authority, spoil: impl FnOnce(&Files)) -> TlsError {
    let files = ca.files("node");
    spoil(&files);
    match builder().tls(files.config()).start().await {
        Err(StartError::Tls(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let ca = Authority::new();
    for name in [CERTIFICATE, KEY, CA] {
        let error = error(&ca, |files| files.remove(name)).await;
        assert!(matches!(error, TlsError::Read { .. }));
        let text = error.to_string();
        assert!(text.contains(name) && text.contains("is the path right"), "{text}");
    }
}

#[tokio::test]
async fn files_without_what_they_are_for_are_named_with_what_belongs_there() {
    let ca = Authority::new();
    let key = ca.member("other").key;
    let text = error(&ca, |files| files.write(CERTIFICATE, &key)).await.to_string();
    assert!(text.contains(CERTIFICATE) && text.contains("BEGIN CERTIFICATE"), "{text}");
    let text = error(&ca, |files| files.write(KEY, &ca.pem())).await.to_string();
    assert!(text.contains(KEY) && text.contains("BEGIN PRIVATE KEY"), "{text}");
    for empty in ["", "# no CA yet\n"] {
        let text = error(&ca, |files| files.write(CA, empty)).await.to_string();
        assert!(text.contains(CA) && text.contains("nobody can be trusted"), "{text}");
    }
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let text = error(&ca, |files| files.write(KEY, encrypted)).await.to_string();
    assert!(text.contains(KEY) && text.contains("openssl pkey"), "{text}");
}

#[tokio::test]
async fn damaged_and_huge_files_are_named() {
    let ca = Authority::new();
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for name in [CERTIFICATE, CA] {
        let error = error(&ca, |files| files.write(name, broken)).await;
        assert!(matches!(error, TlsError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let huge = " ".repeat((1 << 20) + 1);
    for name in [CERTIFICATE, KEY, CA] {
        let error = error(&ca, |files| files.write(name, &huge)).await;
        assert!(matches!(error, TlsError::TooLarge { .. }) && error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_key_of_another_certificate_is_named_with_that_certificate() {
    let ca = Authority::new();
    let error = error(&ca, |files| files.write(KEY, &ca.member("other").key)).await;
    let text = error.to_string();
    assert!(
        matches!(error, TlsError::KeyMismatch { .. }) && text.contains(KEY) && text.contains(CERTIFICATE),
        "{text}"
    );
}

#[tokio::test]
async fn a_certificate_that_is_not_for_both_sides_is_refused_at_once() {
    let ca = Authority::new();
    let text = error(&ca, |files| files.replace(&ca.server())).await.to_string();
    assert!(text.contains(CERTIFICATE) && text.contains("clientAuth"), "{text}");
}

#[tokio::test]
async fn a_name_that_no_certificate_can_have_is_named() {
    let ca = Authority::new();
    let files = ca.files("node");
    let config = files.config().accepted_names(["good.cluster", "no name"]);
    let error = builder().tls(config).start().await.unwrap_err();
    assert!(error.to_string().contains("'no name'"), "{error}");
}

#[tokio::test]
async fn an_expired_certificate_is_a_warning_as_the_next_one_may_be_on_its_way() {
    let ca = Authority::new();
    let files = Files::new(&ca.expired(), &ca.pem());
    let node = builder().tls(files.config()).start().await.unwrap();
    files.replace(&ca.member("renewed"));
    node.reload_tls().unwrap();
}
