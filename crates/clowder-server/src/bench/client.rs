//! A browser for measurements: one connection, one cookie, one request at a time.
//!
//! It reads just as much HTTP as the sample application writes; it is no general client.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// One client.
pub(super) struct Client {
    connection: TcpStream,
    server: SocketAddr,
    /// The session's id, as the server set it.
    pub(super) session: Option<String>,
    buffer: Vec<u8>,
}

/// An answer's status and body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Client {
    /// Connect.
    ///
    /// # Errors
    /// Nobody listens.
    pub(super) async fn connect(server: SocketAddr) -> Result<Self> {
        let connection = TcpStream::connect(server).await.with_context(|| format!("cannot connect to {server}"))?;
        connection.set_nodelay(true)?;
        Ok(Client { connection, server, session: None, buffer: Vec::new() })
    }

    /// Request `path` and read the answer; its cookie is kept.
    ///
    /// # Errors
    /// The connection breaks, or the answer is not understood.
    pub(super) async fn get(&mut self, path: &str) -> Result<Answer> {
        let cookie = self.session.as_ref().map_or_else(String::new, |id| format!("Cookie: JSESSIONID={id}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{cookie}\r\n", self.server);
        self.connection.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head_end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let head = std::str::from_utf8(&self.buffer[..head_end]).context("headers that are no text")?;
        let (status, length, session) = read_head(head)?;
        if session.is_some() {
            self.session = session;
        }
        while self.buffer.len() < head_end + length {
            self.fill().await?;
        }
        Ok(Answer { status, body: self.buffer[head_end..head_end + length].to_vec() })
    }

    async fn fill(&mut self) -> Result<()> {
        if self.buffer.len() > ANSWER_BYTES_MAX {
            bail!("an answer of more than {ANSWER_BYTES_MAX} bytes");
        }
        if self.connection.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

/// Status, length of the body, and the session's id if one is set.
fn read_head(head: &str) -> Result<(u16, usize, Option<String>)> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let (mut length, mut session) = (None, None);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("set-cookie") {
            let id = value.trim().strip_prefix("JSESSIONID=").and_then(|rest| rest.split(';').next());
            session = id.filter(|id| !id.is_empty()).map(str::to_owned).or(session);
        }
    }
    Ok((status.context("no status line")?, length.context("an answer without content-length")?, session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nSet-Cookie: JSESSIONID=AB.r1; Path=/app; HttpOnly\r\n\r\n";
        assert_eq!(read_head(head).unwrap(), (200, 12, Some("AB.r1".to_owned())));
        assert!(read_head("HTTP/1.1 200 OK\r\n\r\n").is_err() && read_head("x\r\n\r\n").is_err());
    }
}
