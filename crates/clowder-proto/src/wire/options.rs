//! The bits of a message's `options` field. Bits from `0x80` upward are free for interceptors.

/// The body is raw bytes, not a Java object stream.
pub const BYTE_MESSAGE: i32 = 0x01;
/// The receiver acknowledges.
pub const USE_ACK: i32 = 0x02;
/// With [`USE_ACK`]: acknowledge after processing. Alone it means nothing, and nothing is acknowledged.
pub const SYNCHRONIZED_ACK: i32 = 0x04;
/// The sender queues the message and returns.
pub const ASYNCHRONOUS: i32 = 0x08;
/// Carried, without effect in Tomcat.
pub const SECURE: i32 = 0x10;
/// One datagram for each destination instead of TCP.
pub const UDP: i32 = 0x20;
/// One datagram to the multicast group.
pub const MULTICAST: i32 = 0x40;

/// The receiver acknowledges before it processes the message.
pub fn ack_before(options: i32) -> bool {
    options & (USE_ACK | SYNCHRONIZED_ACK) == USE_ACK
}

/// The receiver acknowledges after it processed the message, with the outcome.
pub fn ack_after(options: i32) -> bool {
    options & (USE_ACK | SYNCHRONIZED_ACK) == USE_ACK | SYNCHRONIZED_ACK
}
