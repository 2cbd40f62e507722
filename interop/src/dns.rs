//! A real name server: dnsmasq with one name.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::Process;
use crate::wait::{PATIENCE, wait_until};

/// A question about the root's address: any answer will do.
const QUESTION: [u8; 17] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];

/// Whether a name server can be started here.
pub fn available() -> Result<()> {
    let found = Command::new("dnsmasq").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    ensure!(found.is_ok_and(|status| status.success()), "dnsmasq is missing: apt-get install dnsmasq-base");
    Ok(())
}

/// Answers at port 53 of `at`: `name` has these addresses. Returns when it answers.
pub fn serve(at: Ipv4Addr, name: &str, addresses: &[Ipv4Addr]) -> Result<Process> {
    let mut command = Command::new("dnsmasq");
    command.args(["--conf-file=/dev/null", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--pid-file="]);
    command.args(["--bind-interfaces", "--user=", "--log-facility=-", &format!("--listen-address={at}")]);
    command.args(addresses.iter().map(|address| format!("--host-record={name},{address}")));
    let process = Process::spawn("dnsmasq", &mut command)?;
    let socket = UdpSocket::bind((at, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    wait_until("the name server", PATIENCE, || {
        socket.send_to(&QUESTION, (at, 53))?;
        Ok(socket.recv(&mut [0; 512]).is_ok())
    })?;
    Ok(process)
}
