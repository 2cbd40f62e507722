//! A network that breaks: forwards connections to a node and cuts the first ones.

use clowder::{Channel, Member};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::raw::address;

/// Where connections to a node are cut: after how many bytes towards it, and whether its answers came through before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) after: usize,
    pub(crate) answers: bool,
}

/// The record of `node` with the address of the proxy. Connections beyond the cuts are left alone.
pub(crate) async fn before(node: &Channel, cuts: Vec<Cut>) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut member = Member::new(listener.local_addr().unwrap(), node.local().id.unique_id);
    member.extension = node.local().extension.clone();
    let cutting = tokio::spawn(forward(listener, address(node), cuts));
    Proxy { member, cutting }
}

pub(crate) struct Proxy {
    pub(crate) member: Member,
    cutting: JoinHandle<()>,
}

impl Proxy {
    /// Every cut was made.
    pub(crate) fn has_cut(&self) -> bool {
        self.cutting.is_finished()
    }
}

async fn forward(listener: TcpListener, to: std::net::SocketAddr, cuts: Vec<Cut>) {
    for cut in cuts {
        let (near, far) = (listener.accept().await.unwrap().0, TcpStream::connect(to).await.unwrap());
        cut_after(cut, near, far).await;
    }
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(to).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
}

/// Forwards so many bytes, then drops both sides in the middle of whatever it is.
async fn cut_after(cut: Cut, near: TcpStream, far: TcpStream) {
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = far.into_split();
    let answers = tokio::spawn(async move {
        if cut.answers {
            let _ = tokio::io::copy(&mut far_read, &mut near_write).await; // the end is the cut
        } else {
            std::future::pending::<()>().await;
        }
    });
    let mut left = cut.after;
    let mut buffer = [0; 4096];
    while left > 0 {
        let room = buffer.len().min(left);
        let count = near_read.read(&mut buffer[..room]).await.unwrap_or(0);
        if count == 0 || far_write.write_all(&buffer[..count]).await.is_err() {
            break;
        }
        left -= count;
    }
    answers.abort();
    let _ = answers.await; // its halves are dropped
}
