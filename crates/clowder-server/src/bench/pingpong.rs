//! The floor of this machine: one message to another process and its answer over plain TCP, nothing else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::WARM_UP;
use super::histogram::Histogram;
use super::load::Measured;

/// Bytes of the answer, those of an acknowledgement.
const ANSWER_BYTES: usize = 21;

/// Measure against an [`echo`] in another process.
///
/// # Errors
/// The connection fails.
pub(super) async fn run(echo: SocketAddr, size: usize, time: Duration) -> Result<Measured> {
    tokio::task::spawn_blocking(move || ping(echo, size, time)).await.context("the ping-pong failed")?
}

fn ping(echo: SocketAddr, size: usize, time: Duration) -> Result<Measured> {
    let mut connection = TcpStream::connect(echo).context("cannot connect to the echo")?;
    connection.set_nodelay(true)?;
    let size = size.max(1);
    connection.write_all(&u32::try_from(size)?.to_be_bytes())?;
    let (message, mut answer) = (vec![0x5a; size], [0; ANSWER_BYTES]);
    let mut once = || -> Result<Duration> {
        let start = Instant::now();
        connection.write_all(&message)?;
        connection.read_exact(&mut answer)?;
        Ok(start.elapsed())
    };
    let begin = Instant::now();
    while begin.elapsed() < WARM_UP {
        once()?;
    }
    let (latencies, begin) = (Arc::new(Histogram::new()), Instant::now());
    while begin.elapsed() < time {
        latencies.record(once()?);
    }
    Ok(Measured { latencies, errors: 0, time: begin.elapsed(), cpu: None })
}

/// Answers on a port of its own until the process ends.
///
/// # Errors
/// No port is free.
pub(super) fn echo() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || {
                if let Err(error) = answer(connection) {
                    tracing::debug!("echo: {error}");
                }
            });
        }
    });
    Ok(address)
}

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut size = [0; 4];
    connection.read_exact(&mut size)?;
    // The size comes from this program's own parent; the bound is that of --size.
    let mut message = vec![0; (u32::from_be_bytes(size) as usize).min(16 << 20)];
    loop {
        connection.read_exact(&mut message)?;
        connection.write_all(&[0xa5; ANSWER_BYTES])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_go_there_and_back() {
        let measured = run(echo().unwrap(), 100, Duration::from_millis(20)).await.unwrap();
        assert!(measured.latencies.count() > 0 && measured.errors == 0);
    }
}
