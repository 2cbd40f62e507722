//! Interceptors together.

use anyhow::Result;
use clowder_interop::{Generation, skip_unless};

use crate::case::{Case, Pair};

/// Any key.
macro_rules! key {
    () => {
        "encryptionKey=cafedeadbeefbeefcafecafedeadbeef"
    };
}

#[test]
fn gzip_and_encryption() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    Pair::start(Generation::Tomcat10, &[])?.run(&[
        Case::new(concat!("dispatch,gzip,encrypt(", key!(), "),failure-detector,static")).large(1_000_000),
        Case::new(concat!("encrypt(", key!(), "),gzip(compressionMinSize=1000)")),
    ])
}
