//! Target over the layers of the message chain that read what others encrypted or compressed.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use clowder_proto::Now;
use clowder_proto::chain::{Chain, Context, Encrypt, EncryptConfig, Gzip, GzipConfig, Layer, Sink};
use clowder_proto::wire::{Member, Message, MessageId};

/// When the recorded messages were sent.
const SENT_MS: u64 = 1_700_000_000_000;
/// The bit of a compressed body.
const COMPRESSED: i32 = 256;
/// More than any seed holds, and little enough to be reached.
const INFLATED_BYTES_MAX: usize = 100_000;

/// Algorithm, length of the key, release of Tomcat.
const SUITES: [(&str, usize, &str); 13] = [
    ("AES/GCM/NoPadding", 16, "10.1.60"),
    ("AES/GCM/NoPadding", 24, "10.1.60"),
    ("AES/GCM/NoPadding", 32, "10.1.60"),
    ("AES/CBC/PKCS5Padding", 16, "10.1.60"),
    ("AES/CBC/PKCS5Padding", 32, "10.1.60"),
    ("AES/CFB/PKCS5Padding", 16, "10.1.60"),
    ("AES/CFB/PKCS5Padding", 24, "10.1.60"),
    ("AES/CFB/PKCS5Padding", 32, "10.1.60"),
    ("AES/OFB/PKCS5Padding", 16, "10.1.60"),
    ("AES/OFB/PKCS5Padding", 24, "10.1.60"),
    ("AES/OFB/PKCS5Padding", 32, "10.1.60"),
    ("DESede/CBC/PKCS5Padding", 24, "10.1.60"),
    ("AES/GCM/NoPadding", 16, "10.1.55"),
];

/// The first byte of an input whose body is compressed, or encrypted with this algorithm and length of the key.
pub(crate) fn selector(suite: Option<(&str, usize)>) -> Option<u8> {
    let Some((algorithm, key_len)) = suite else { return Some(0) };
    let place =
        SUITES.iter().position(|(name, length, _)| name.eq_ignore_ascii_case(algorithm) && *length == key_len)?;
    u8::try_from(place + 1).ok()
}

fn layer(selector: u8) -> Layer {
    let Some((algorithm, key_len, release)) = SUITES.get(usize::from(selector).wrapping_sub(1)) else {
        return Layer::Interceptor(Arc::new(Gzip::new(&GzipConfig {
            inflated_bytes_max: INFLATED_BYTES_MAX,
            ..GzipConfig::default()
        })));
    };
    let key: Vec<u8> = (0..=u8::MAX).take(*key_len).collect();
    let mut config = EncryptConfig::default();
    for (attribute, value) in
        [("encryptionAlgorithm", *algorithm), ("encryptionKey", &hex::encode(key)), ("generation", *release)]
    {
        config.set(attribute, value).expect("a valid setting");
    }
    Layer::Interceptor(Arc::new(Encrypt::new(&config).expect("valid settings").0))
}

/// Whatever body comes: it is delivered or rejected, what is delivered is bounded, and with a time stamp inside nothing
/// is delivered twice. The first byte selects the layer.
pub fn chain_inbound(data: &[u8]) {
    let Some((selector, body)) = data.split_first() else { return };
    let selector = selector % (SUITES.len() as u8 + 1);
    let chain = Chain::new(vec![layer(selector)]);
    let first = inbound(&chain, body);
    let second = inbound(&chain, body);
    let expected = match selector.checked_sub(1) {
        None => {
            assert!(first.as_ref().is_none_or(|body| body.len() <= INFLATED_BYTES_MAX));
            first
        }
        Some(suite) => {
            assert!(first.as_ref().is_none_or(|plain| plain.len() < body.len()));
            first.filter(|_| SUITES[usize::from(suite)].2 == "10.1.55")
        }
    };
    assert_eq!(second, expected);
}

fn inbound(chain: &Chain, body: &[u8]) -> Option<Bytes> {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(SENT_MS);
    let mut cx = Context { now: Now { mono: Instant::now(), wall }, random: &mut |bytes: &mut [u8]| bytes.fill(7) };
    let mut sink = Sink::default();
    let message = Message {
        options: COMPRESSED,
        timestamp: 0,
        id: MessageId([9; 16].into()),
        from: Member::new(([10, 0, 0, 2], 4000).into(), [2; 16]),
        body: Bytes::copy_from_slice(body),
    };
    chain.inbound(&mut cx, message, &mut sink);
    assert_eq!(sink.arrivals.len() + sink.rejections.len(), 1, "one fate");
    sink.arrivals.pop().map(|arrival| arrival.message.body)
}
