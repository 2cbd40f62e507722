//! Peers made of sockets, which write and read frames by hand.

use bytes::Bytes;
use clowder::{Channel, Member, Message, MessageId};
use clowder_proto::wire::{Ack, FrameDecoder, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::nodes::patiently;

/// A Tomcat that messages come from: nothing in its record says that it is more. Nobody can connect to it.
pub(crate) fn sender() -> Member {
    Member::new(([127, 0, 0, 1], 1).into(), [7; 16])
}

/// The frame of a message of [`sender`]; `id` tells messages apart.
pub(crate) fn frame(id: u32, options: i32, body: &[u8]) -> Bytes {
    let mut bytes = [3; 16];
    bytes[..4].copy_from_slice(&id.to_be_bytes());
    let id = MessageId(bytes.into());
    Message { options, timestamp: 0, id, from: sender(), body: Bytes::copy_from_slice(body) }.encode_frame()
}

/// One connection, seen from outside of a node.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    decoder: FrameDecoder,
}

impl Raw {
    pub(crate) async fn connect(to: &Channel) -> Raw {
        Raw::new(TcpStream::connect(address(to)).await.unwrap())
    }

    /// With a receive buffer that is full soon.
    pub(crate) async fn connect_narrow(to: &Channel) -> Raw {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Raw::new(socket.connect(address(to)).await.unwrap())
    }

    pub(crate) fn new(stream: TcpStream) -> Raw {
        stream.set_nodelay(true).unwrap();
        Raw { stream, decoder: FrameDecoder::new(&Limits::default()) }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        patiently(self.stream.write_all(bytes)).await.unwrap();
    }

    /// Say that nothing more comes.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The content of the next frame; `None`: the connection ended.
    async fn content(&mut self) -> Option<Bytes> {
        loop {
            if let Some(content) = self.decoder.next().unwrap() {
                return Some(content);
            }
            match patiently(self.stream.read_buf(self.decoder.buffer())).await {
                Ok(count) if count > 0 => {}
                Ok(_) | Err(_) => return None,
            }
        }
    }

    pub(crate) async fn ack(&mut self) -> Option<Ack> {
        self.content().await.map(|content| Ack::decode(&content).expect("an acknowledgement"))
    }

    /// As many acknowledgements.
    pub(crate) async fn acks(&mut self, count: usize) -> Vec<Ack> {
        let mut acks = Vec::new();
        while acks.len() < count {
            acks.push(self.ack().await.expect("it is open"));
        }
        acks
    }

    /// Every acknowledgement up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<Ack> {
        let mut acks = Vec::new();
        while let Some(ack) = self.ack().await {
            acks.push(ack);
        }
        acks
    }

    pub(crate) async fn message(&mut self) -> Option<Message> {
        let content = self.content().await?;
        Some(Message::decode(&content, &Limits::default()).unwrap())
    }

    pub(crate) async fn answer(&mut self, ack: Ack) {
        self.write(ack.frame()).await;
    }

    /// Nothing came beyond the frames that were taken.
    pub(crate) fn is_quiet(&self) -> bool {
        let more = self.stream.try_read(&mut [0]);
        self.decoder.pending() == 0 && more.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

pub(crate) fn address(of: &Channel) -> std::net::SocketAddr {
    of.local().id.socket_addr().unwrap()
}

/// A peer that listens. Its record has no announcement: to a node it is a Tomcat.
pub(crate) struct RawPeer {
    pub(crate) listener: TcpListener,
    pub(crate) member: Member,
}

impl RawPeer {
    pub(crate) async fn new() -> RawPeer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let member = Member::new(listener.local_addr().unwrap(), [8; 16]);
        RawPeer { listener, member }
    }

    pub(crate) async fn accept(&self) -> Raw {
        Raw::new(patiently(self.listener.accept()).await.unwrap().0)
    }
}
