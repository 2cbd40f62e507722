//! A network that loses and delays packets: the hosts of a [`Network`] with a second address each, whose traffic goes
//! through a relay of this process.
//!
//! Each host has a VXLAN device that sends every Ethernet frame in a UDP datagram to the relay. The relay drops some,
//! holds the others for a random while, and hands them to the hosts that they are for. So all of TCP, UDP and multicast
//! is impaired, and nothing but VXLAN is needed of the kernel.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::netns::{Host, Network, ip};

/// What happens to a packet.
#[derive(Clone, Copy, Debug)]
pub struct Impairment {
    /// How many of 100 are lost.
    pub loss_percent: u64,
    /// The others are late by up to so much, each by another time.
    pub delay_max: Duration,
}

/// The port of the VXLAN devices: that of the standard.
const PORT: u16 = 4789;
/// VXLAN header, then the destination of the Ethernet frame.
const MAC_AT: usize = 8;
const FRAME_MAX: usize = 65_536;

/// The network; its relay ends with it.
#[derive(Debug)]
pub struct LossyNetwork {
    network: Network,
    stop: Arc<AtomicBool>,
    relay: Option<JoinHandle<()>>,
}

impl LossyNetwork {
    /// A network of `count` hosts.
    pub fn new(count: u8, impairment: Impairment) -> Result<Self> {
        let network = Network::new(count)?;
        let hub = network.address(254);
        let socket = UdpSocket::bind((hub, PORT)).context("the relay's socket")?;
        socket.set_read_timeout(Some(Duration::from_millis(5)))?;
        for (index, host) in network.hosts.iter().enumerate() {
            let namespace = &host.namespace;
            let (hub, port) = (hub.to_string(), PORT.to_string());
            let vxlan = ["type", "vxlan", "id", "1", "remote", &hub, "dstport", &port, "nolearning"];
            ip(&[&["-n", namespace, "link", "add", "lossy", "address", &mac(index)], &vxlan[..]].concat())?;
            let cidr = format!("{}/24", Self::address(index));
            ip(&["-n", namespace, "addr", "add", &cidr, "dev", "lossy"])?;
            ip(&["-n", namespace, "link", "set", "lossy", "up"])?;
            // Nobody behind the relay would fill in a checksum or cut a segment that is left to the hardware.
            offload_off(namespace)?;
            // Multicast goes there as well.
            ip(&["-n", namespace, "route", "add", "224.0.0.0/4", "dev", "lossy"])?;
        }
        let hosts = network.hosts.iter().map(|host| SocketAddr::from((host.address, PORT))).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let relay =
            Relay { socket, hosts, impairment, random: 0x9e37_79b9_7f4a_7c15, waiting: BinaryHeap::new(), sent: 0 };
        let stopped = Arc::clone(&stop);
        let relay = std::thread::spawn(move || relay.run(&stopped));
        Ok(LossyNetwork { network, stop, relay: Some(relay) })
    }

    /// The host with this index; its own address is that of the network without losses.
    pub fn host(&self, index: usize) -> &Host {
        &self.network.hosts[index]
    }

    /// The address of a host in the network with losses.
    pub fn address(index: usize) -> Ipv4Addr {
        Ipv4Addr::new(172, 31, 77, u8::try_from(index + 1).unwrap_or(u8::MAX))
    }
}

impl Drop for LossyNetwork {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.relay.take().map(JoinHandle::join);
    }
}

fn offload_off(namespace: &str) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, "ethtool", "-K", "lossy"]);
    let output = command.args(["tx", "off", "tso", "off", "gso", "off", "gro", "off"]).output()?;
    ensure!(output.status.success(), "ethtool (apt-get install ethtool): {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn mac(index: usize) -> String {
    format!("02:00:00:00:00:{:02x}", index + 1)
}

/// When it is handed on, its number, to which host, and the frame.
type Late = (Instant, u64, usize, Vec<u8>);

struct Relay {
    socket: UdpSocket,
    hosts: Vec<SocketAddr>,
    impairment: Impairment,
    random: u64,
    waiting: BinaryHeap<Reverse<Late>>,
    sent: u64,
}

impl Relay {
    fn run(mut self, stop: &AtomicBool) {
        let mut buffer = vec![0; FRAME_MAX];
        while !stop.load(Ordering::Relaxed) {
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
                self.take(&buffer[..length], from);
            }
            let now = Instant::now();
            while self.waiting.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
                if let Some(Reverse((_, _, to, frame))) = self.waiting.pop() {
                    let _ = self.socket.send_to(&frame, self.hosts[to]); // a packet more that is lost
                }
            }
        }
    }

    fn take(&mut self, frame: &[u8], from: SocketAddr) {
        let Some(target) = frame.get(MAC_AT..MAC_AT + 6) else { return };
        let known = (target[..5] == [2, 0, 0, 0, 0]).then(|| usize::from(target[5]) - 1);
        for to in 0..self.hosts.len() {
            if self.hosts[to].ip() == from.ip() || known.is_some_and(|known| known != to) {
                continue;
            }
            if self.roll() % 100 < self.impairment.loss_percent {
                continue;
            }
            let max = u64::try_from(self.impairment.delay_max.as_micros()).unwrap_or(u64::MAX).max(1);
            let due = Instant::now() + Duration::from_micros(self.roll() % max);
            self.sent += 1;
            self.waiting.push(Reverse((due, self.sent, to, frame.to_vec())));
        }
    }

    /// xorshift
    fn roll(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}
