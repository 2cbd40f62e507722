//! Each interceptor alone.

use anyhow::Result;
use clowder_interop::{Generation, skip_unless};

use crate::case::{Case, Pair};

#[test]
fn layers_that_leave_messages_alone() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let pair = Pair::start(Generation::Tomcat10, &["--domain", "red"])?;
    pair.run(&[
        Case::new("").large(10_000_000),
        Case::new("dispatch"),
        Case::new("failure-detector"),
        Case::new("ping(interval=200,useThread=true)"),
        Case::new("ping(interval=200,useThread=true),failure-detector"),
        Case::new("static"),
        Case::new("domain(domain=red)"),
        Case::new("domain(domain={114,101,100}),failure-detector,static"),
    ])
}

#[test]
fn gzip() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    for generation in [Generation::Tomcat10, Generation::Tomcat9] {
        Pair::start(generation, &[])?.run(&[
            Case::new("gzip").large(10_000_000),
            Case::new("gzip(compressionMinSize=1000)"),
            Case::new("gzip(compressionMinSize=100,optionFlag=2048)"),
        ])?;
    }
    Ok(())
}
