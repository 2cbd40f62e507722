//! Each interceptor alone, with both generations of Tomcat.

use anyhow::Result;
use clowder_interop::{Generation, skip_unless};

use crate::case::{Case, Pair};

/// Bits for interceptors that act on some messages only.
const FLAG: u32 = 512;

#[test]
fn layers_that_leave_messages_alone() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    Pair::start(Generation::Tomcat10, &["--domain", "red"])?.run(&[
        Case::new(""),
        Case::new("dispatch"),
        Case::new("throughput(interval=7)"),
        Case::new("failure-detector"),
        Case::new("ping(interval=200,useThread=true)"),
        Case::new("ping(interval=200,useThread=true),failure-detector"),
        Case::new("static"),
        Case::new("domain(domain=red)"),
        Case::new("domain(domain={114,101,100}),failure-detector,static"),
    ])
}

fn layers_that_change_messages(generation: Generation) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    Pair::start(generation, &[])?.run(&[
        Case::new("gzip"),
        Case::new("gzip(compressionMinSize=1000)"),
        Case::new("gzip(compressionMinSize=100,optionFlag=2048)"),
        // A Tomcat that cuts a body copies it whole for each piece: many pieces of 10 MB need a gigabyte or more.
        Case::new("fragment").large(1_000_000),
        Case::new("fragment(maxSize=4000000)"),
        Case::new("fragment(maxSize=999)").large(0),
        Case::new("fragment(maxSize=1000)").large(0),
        Case::new("fragment(maxSize=10000,optionFlag=512)"),
        Case::new("fragment(maxSize=10000,optionFlag=512)").large(0).flags(FLAG),
    ])
}

fn layers_that_hold_messages(generation: Generation) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    Pair::start(generation, &[])?.run(&[
        Case::new("order").ordered(),
        Case::new("order,dispatch").ordered(),
        Case::new("order(optionFlag=512),dispatch").flags(FLAG).ordered(),
        Case::new("order(optionFlag=512)"),
        Case::new("two-phase").synchronous(),
        Case::new("two-phase(optionFlag=512)").flags(FLAG).synchronous(),
        Case::new("two-phase(optionFlag=512)"),
    ])
}

#[test]
fn layers_that_change_messages_and_tomcat_10() -> Result<()> {
    layers_that_change_messages(Generation::Tomcat10)
}

#[test]
fn layers_that_change_messages_and_tomcat_9() -> Result<()> {
    layers_that_change_messages(Generation::Tomcat9)
}

#[test]
fn layers_that_hold_messages_and_tomcat_10() -> Result<()> {
    layers_that_hold_messages(Generation::Tomcat10)
}

#[test]
fn layers_that_hold_messages_and_tomcat_9() -> Result<()> {
    layers_that_hold_messages(Generation::Tomcat9)
}
