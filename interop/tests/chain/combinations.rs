//! Interceptors together: what the manuals recommend, what works in another order too, and deep stacks.
//!
//! A Tomcat that gets the pieces of a fragmented message at the same time may deliver it twice. Where something above
//! the fragments minds that, messages are synchronous: then the next piece leaves when the last one is processed.

use anyhow::Result;
use clowder_interop::{Generation, skip_unless};

use crate::case::{Case, Pair};

const KEY: &str = "encrypt(encryptionKey=cafedeadbeefbeefcafecafedeadbeef)";

/// What a case is besides its chain.
type With = fn(Case<'_>) -> Case<'_>;

fn run(generation: Generation, cases: &[(&str, With)]) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let chains: Vec<String> = cases.iter().map(|(chain, _)| chain.replace("KEY", KEY)).collect();
    // A Tomcat that cuts a body copies it whole for each of the pieces: ten are enough.
    let sized = |chain| match Case::new(chain) {
        case if chain.contains("fragment(maxSize=10000)") => case.large(0),
        case if chain.contains("fragment") => case.large(1_000_000),
        case => case,
    };
    let cases: Vec<Case<'_>> = chains.iter().zip(cases).map(|(chain, (_, with))| with(sized(chain))).collect();
    Pair::start(generation, &[])?.run(&cases)
}

#[test]
fn what_the_manuals_recommend() -> Result<()> {
    run(
        Generation::Tomcat10,
        &[
            ("dispatch,failure-detector", |case| case),
            ("dispatch,gzip,fragment,KEY,failure-detector,static", |case| case),
            (
                "ping,dispatch,throughput,gzip(compressionMinSize=500),fragment(maxSize=10000),KEY,failure-detector,static",
                |case| case,
            ),
            ("order,dispatch,gzip,failure-detector,static", |case| case.ordered()),
            ("order,dispatch,KEY,failure-detector,static", |case| case.ordered()),
            ("two-phase,KEY,failure-detector", |case| case.synchronous()),
        ],
    )
}

#[test]
fn other_orders_that_work() -> Result<()> {
    run(
        Generation::Tomcat10,
        &[
            ("KEY,gzip(compressionMinSize=1000)", |case| case),
            ("fragment(maxSize=10000),gzip", |case| case),
            ("KEY,fragment(maxSize=10000)", |case| case.synchronous()),
            ("two-phase,gzip", |case| case.synchronous()),
            ("gzip,two-phase", |case| case.synchronous()),
            ("order,fragment(maxSize=10000)", |case| case.synchronous()),
            ("fragment(maxSize=10000),order", |case| case),
            ("order,two-phase", |case| case.synchronous()),
            ("two-phase,order", |case| case.synchronous()),
            ("two-phase,fragment(maxSize=10000)", |case| case.synchronous()),
        ],
    )
}

#[test]
fn deep_stacks_and_flags() -> Result<()> {
    run(
        Generation::Tomcat10,
        &[
            ("throughput,order,two-phase,gzip,fragment(maxSize=10000),KEY,failure-detector,static", |case| {
                case.synchronous()
            }),
            ("order(optionFlag=512),dispatch,gzip(optionFlag=1024),KEY", |case| case.flags(512).ordered()),
            ("two-phase(optionFlag=4096),order(optionFlag=512),gzip(compressionMinSize=40)", |case| {
                case.flags(512 + 4096).synchronous()
            }),
            ("two-phase(optionFlag=4096),order(optionFlag=512),gzip(compressionMinSize=40)", |case| case),
            (
                "domain,throughput,dispatch,gzip,gzip(optionFlag=2048),fragment,KEY,ping,failure-detector,static",
                |case| case,
            ),
        ],
    )
}

#[test]
fn an_old_tomcat() -> Result<()> {
    run(
        Generation::Tomcat9,
        &[
            (
                "dispatch,gzip,fragment,encrypt(encryptionKey=0123456789abcdef0123456789abcdef,generation=9.0.70),failure-detector,static",
                |case| case,
            ),
            ("order,dispatch,gzip,failure-detector", |case| case.ordered()),
            ("two-phase,order,gzip", |case| case.synchronous()),
            ("order,fragment(maxSize=10000),gzip", |case| case.synchronous()),
        ],
    )
}
