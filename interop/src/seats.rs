//! Places in a cluster: a reserved port and a unique id each.
//!
//! Static members must know each other's ports before any of them runs, so "port 0" is not enough. A port is
//! reserved by an exclusive lock on a file named after it, which every test process on this machine honours;
//! the range lies below the ephemeral ports, so that outgoing connections never take one.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

const PORTS: std::ops::Range<u16> = 17_000..29_000;

/// One place: address, port and unique id of a member, whether or not it runs at the moment.
#[derive(Debug)]
pub struct Seat {
    /// The address that the member binds and announces.
    pub host: Ipv4Addr,
    /// The member's port.
    pub port: u16,
    /// 32 hexadecimal digits.
    pub id: String,
    _lock: Option<File>,
}

impl Seat {
    /// A seat on loopback with a port that nobody else has.
    pub fn reserve() -> Result<Self> {
        let directory = std::env::temp_dir().join("clowder-interop-ports");
        std::fs::create_dir_all(&directory)?;
        let start = rand_u16() % (PORTS.end - PORTS.start);
        for step in 0..PORTS.end - PORTS.start {
            let port = PORTS.start + (start + step) % (PORTS.end - PORTS.start);
            let path = directory.join(port.to_string());
            let file = OpenOptions::new().create(true).append(true).open(&path);
            let file = file.with_context(|| format!("open {}", path.display()))?;
            if file.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(Self { host: Ipv4Addr::LOCALHOST, port, id: random_id(), _lock: Some(file) });
            }
        }
        bail!("no free port in {PORTS:?}");
    }

    /// A seat in a network of its own, where every port is free.
    pub fn at(host: Ipv4Addr, port: u16) -> Self {
        Self { host, port, id: random_id(), _lock: None }
    }
}

/// `HOST:PORT/HEX`, the form that both peers take as `--peer`.
impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.host, self.port, self.id)
    }
}

/// The seats of one static cluster.
#[derive(Debug)]
pub struct Seats(pub Vec<Seat>);

impl Seats {
    /// Reserves `count` seats on loopback.
    pub fn reserve(count: usize) -> Result<Self> {
        Ok(Self((0..count).map(|_| Seat::reserve()).collect::<Result<_>>()?))
    }

    /// Everybody but the one at `index`.
    pub fn peers_of(&self, index: usize) -> Vec<String> {
        let others = self.0.iter().enumerate().filter(|(i, _)| *i != index);
        others.map(|(_, seat)| seat.to_string()).collect()
    }
}

fn random_id() -> String {
    (0..8).map(|_| format!("{:04x}", rand_u16())).collect()
}

/// Random enough for names; the standard library's per-process hash keys are the source.
pub(crate) fn rand_u16() -> u16 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) as u16
}
