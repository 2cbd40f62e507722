//! Targets over the transport's formats: frames, member records, messages.

use bytes::Bytes;
use clowder_proto::wire::{FRAME_OVERHEAD, FrameDecoder, Limits, Member, Message, WireError, encode_frame};

/// A stream of frames gives the same contents and the same error however it is split, and each content, framed again,
/// is the bytes that it came from.
pub fn frame(data: &[u8]) {
    let (whole, whole_error) = frames(data, data.len().max(1));
    // The first byte decides how the stream is split, so that the fuzzer can vary it.
    let step = usize::from(data.first().copied().unwrap_or(0) % 23) + 1;
    let (split, split_error) = frames(data, step);
    assert_eq!(whole, split, "contents depend on the split at {step}");
    assert_eq!(whole_error, split_error, "the error depends on the split at {step}");
    let mut at = 0;
    for content in &whole {
        let length = content.len() + FRAME_OVERHEAD;
        assert_eq!(encode_frame(content), data[at..at + length]);
        at += length;
    }
}

fn frames(data: &[u8], step: usize) -> (Vec<Bytes>, Option<WireError>) {
    let mut decoder = FrameDecoder::new(&Limits::default());
    let mut contents = Vec::new();
    for chunk in data.chunks(step) {
        decoder.buffer().extend_from_slice(chunk);
        loop {
            match decoder.next() {
                Ok(Some(content)) => contents.push(content),
                Ok(None) => break,
                Err(error) => return (contents, Some(error)),
            }
        }
    }
    assert!(decoder.pending() <= data.len());
    (contents, None)
}

/// A member record that is accepted is the beginning of its input when it is written again.
pub fn member(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(member) = Member::decode(&bytes, &Limits::default()) {
        let again = member.encode();
        assert_eq!(again.len(), member.encoded_len());
        assert_eq!(again, data[..again.len()]);
        // Whatever the extension holds, reading it is harmless.
        let _ = (member.capabilities(), member.id.socket_addr(), member.to_string());
    }
}

/// A message that is accepted is the same after being written and read once more; without surplus bytes inside or
/// behind it, the writing gives its input.
pub fn message(data: &[u8]) {
    let limits = Limits::default();
    let bytes = Bytes::copy_from_slice(data);
    let Ok(message) = Message::decode(&bytes, &limits) else { return };
    let frame = message.encode_frame();
    let content = frame.slice(frame_content(&frame));
    assert_eq!(content.len(), message.encoded_len());
    if content.len() == data.len() {
        assert_eq!(content, data);
    }
    let again = Message::decode(&content, &limits).expect("what we write, we read");
    assert_eq!(again, message);
    assert_eq!(again.encode_frame(), frame);
}

fn frame_content(frame: &Bytes) -> std::ops::Range<usize> {
    let trailer = 7;
    FRAME_OVERHEAD - trailer..frame.len() - trailer
}
