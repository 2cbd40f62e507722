//! What the tests need beside Rust, and its installation where that is possible (Debian, as root).
//!
//! Presence is decided by the file that is used, not by the package manager, so hand-made installations count.

use std::path::Path;

use anyhow::{Result, bail};

use crate::shell::{Program, which};

/// One thing that must be there, and the Debian package that brings it.
struct Need {
    what: &'static str,
    package: &'static str,
    present: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need { what: "javac", package: "openjdk-17-jdk-headless", present: || which("javac").is_some() },
    Need {
        what: "the jars of Tomcat 10.1",
        package: "libtomcat10-java",
        present: || Path::new("/usr/share/java/tomcat10-tribes.jar").exists(),
    },
    Need {
        what: "the jars of Tomcat 9",
        package: "libtomcat9-java",
        present: || Path::new("/usr/share/java/tomcat9-tribes.jar").exists(),
    },
    Need { what: "dnsmasq", package: "dnsmasq-base", present: || which("dnsmasq").is_some() },
    Need { what: "ip", package: "iproute2", present: || which("ip").is_some() },
    Need { what: "ethtool", package: "ethtool", present: || which("ethtool").is_some() },
    Need { what: "cc", package: "gcc libc6-dev", present: || which("cc").is_some() },
];

/// Installs what is missing. Err: what is still missing, and the command that brings it.
pub(crate) fn satisfy() -> Result<()> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|n| !(n.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|n| n.package.split(' ')).collect();
    if is_root() && which("apt-get").is_some() {
        install(&packages)?;
    }
    let missing: Vec<&str> = missing.iter().filter(|n| !(n.present)()).map(|n| n.what).collect();
    if !missing.is_empty() {
        bail!("missing: {}; on Debian: apt-get install {}", missing.join(", "), packages.join(" "));
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<()> {
    println!("   installing {}", packages.join(" "));
    Program::new("apt-get", &["update", "-q"]).run()?;
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(packages);
    Program::new("apt-get", &arguments).env("DEBIAN_FRONTEND", "noninteractive").run()?;
    Ok(())
}

/// Network namespaces and package installation need it.
pub(crate) fn is_root() -> bool {
    // The kernel says it without any crate or unsafe call: the owner of our own process entry.
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}
