//! Network namespaces for multicast: a bridge on this machine and any number of hosts behind it.
//!
//! Every host is a namespace with one address of a private subnet; the bridge carries an address of this
//! process's own namespace, so that the harness reaches their HTTP servers. Names contain the process id; what a
//! killed test left behind is removed when the next network is made.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result, ensure};

/// Where files of namespaces are that replace those in `/etc`.
const CONFIGURATION: &str = "/etc/netns";

static NEXT: AtomicU8 = AtomicU8::new(0);

/// Whether namespaces can be made here.
pub fn available() -> Result<()> {
    let status = std::fs::read_to_string("/proc/self/status").context("not Linux")?;
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    ensure!(uid.split_whitespace().nth(1) == Some("0"), "network namespaces need root");
    let found = Command::new("ip").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    ensure!(found.is_ok_and(|status| status.success()), "ip is missing: apt-get install iproute2");
    Ok(())
}

/// A bridge and its hosts; removed on drop.
#[derive(Debug)]
pub struct Network {
    bridge: String,
    subnet: [u8; 2],
    /// The hosts, `.1` first.
    pub hosts: Vec<Host>,
}

/// One namespace.
#[derive(Debug)]
pub struct Host {
    /// Its name for `ip netns exec`.
    pub namespace: String,
    /// Its only address besides loopback.
    pub address: Ipv4Addr,
}

impl Network {
    /// Makes a network with `count` hosts.
    pub fn new(count: u8) -> Result<Self> {
        sweep()?;
        let pid = std::process::id();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{pid:x}-{number}");
        // Another one for each network of this process as well: all bridges are on one machine.
        let subnet = [64 + ((pid >> 8) as u8).wrapping_add(number.wrapping_mul(17)) % 64, pid as u8];
        let mut network = Self { bridge: format!("clwb{tag}"), subnet, hosts: Vec::new() };
        ip(&["link", "add", &network.bridge, "type", "bridge", "mcast_snooping", "0"])?;
        ip(&["addr", "add", &format!("{}/24", network.address(254)), "dev", &network.bridge])?;
        ip(&["link", "set", &network.bridge, "up"])?;
        for index in 1..=count {
            network.add_host(index, &format!("{tag}{index}"))?;
        }
        Ok(network)
    }

    fn add_host(&mut self, index: u8, tag: &str) -> Result<()> {
        let host = Host { namespace: format!("clwn{tag}"), address: self.address(index) };
        let (outer, inner) = (format!("clwv{tag}"), format!("clwi{tag}"));
        ip(&["netns", "add", &host.namespace])?;
        let namespace = host.namespace.clone();
        let cidr = format!("{}/24", host.address);
        self.hosts.push(host); // from here on drop removes it
        ip(&["link", "add", &outer, "type", "veth", "peer", "name", &inner, "netns", &namespace])?;
        ip(&["link", "set", &outer, "master", &self.bridge, "up"])?;
        ip(&["-n", &namespace, "addr", "add", &cidr, "dev", &inner])?;
        ip(&["-n", &namespace, "link", "set", &inner, "up"])?;
        ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
        ip(&["-n", &namespace, "route", "add", "default", "dev", &inner])
    }

    /// The address of this process on the bridge.
    pub fn here(&self) -> Ipv4Addr {
        self.address(254)
    }

    /// From now on processes inside resolve names by the name server at [`Network::here`], and this machine's own name
    /// is the host's address there.
    pub fn resolve_here(&mut self) -> Result<()> {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
        for host in &self.hosts {
            // `ip netns exec` puts the files of this folder in the place of those in /etc.
            let folder = std::path::Path::new(CONFIGURATION).join(&host.namespace);
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join("resolv.conf"), format!("nameserver {}\n", self.here()))?;
            std::fs::write(folder.join("hosts"), format!("127.0.0.1 localhost\n{} {}\n", host.address, name.trim()))?;
        }
        Ok(())
    }

    pub(crate) fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, self.subnet[0], self.subnet[1], last)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in &self.hosts {
            remove(&host.namespace);
        }
        let _ = ip(&["link", "del", &self.bridge]);
    }
}

/// `command` inside a namespace.
pub(crate) fn inside(namespace: &str, command: &Command) -> Command {
    let mut wrapped = Command::new("ip");
    wrapped.args(["netns", "exec", namespace]).arg(command.get_program()).args(command.get_args());
    wrapped
}

/// Removes bridges and namespaces of test processes that no longer exist.
fn sweep() -> Result<()> {
    let dead = |tag: &str| {
        let pid = tag.split('-').next().and_then(|digits| u32::from_str_radix(digits, 16).ok());
        pid.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    };
    let namespaces = Command::new("ip").args(["netns", "list"]).output()?.stdout;
    for name in String::from_utf8_lossy(&namespaces).lines().filter_map(|line| line.split(' ').next()) {
        if name.strip_prefix("clwn").is_some_and(dead) {
            remove(name);
        }
    }
    let links = Command::new("ip").args(["-o", "link", "show", "type", "bridge"]).output()?.stdout;
    for name in String::from_utf8_lossy(&links).lines().filter_map(|line| line.split(": ").nth(1)) {
        if name.strip_prefix("clwb").is_some_and(dead) {
            let _ = ip(&["link", "del", name]);
        }
    }
    Ok(())
}

fn remove(namespace: &str) {
    let _ = ip(&["netns", "del", namespace]); // its veth pair goes with it
    let _ = std::fs::remove_dir_all(std::path::Path::new(CONFIGURATION).join(namespace)); // most have none
}

pub(crate) fn ip(args: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(args).output()?;
    ensure!(output.status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
