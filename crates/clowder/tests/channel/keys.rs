//! The key of nodes that run is changed.

use clowder::chain::{EncryptError, KeyRing, LayerConfig};
use clowder::{Channel, Inbox, SendOptions};

use crate::nodes::{builder, next, node, patiently};

const OLD: &str = "00112233445566778899aabbccddeeff";
const NEW: &str = "ffeeddccbbaa99887766554433221100";

fn ring(sending: &str, accepted: &[&str]) -> KeyRing {
    let key = |text: &&str| text.parse().unwrap();
    KeyRing { sending: Some(key(&sending)), accepted: accepted.iter().map(key).collect() }
}

async fn encrypting() -> (Channel, Inbox) {
    let mut encrypt = LayerConfig::named("encrypt").unwrap();
    encrypt.set("encryptionKey", OLD).unwrap();
    let channel = builder().layer(encrypt).start().await.unwrap();
    let inbox = channel.inbox();
    (channel, inbox)
}

#[tokio::test]
async fn nodes_that_run_change_their_key_one_after_the_other_and_every_message_arrives() {
    let mut nodes = [encrypting().await, encrypting().await];
    for step in [ring(OLD, &[NEW]), ring(NEW, &[OLD]), ring(NEW, &[])] {
        for changed in 0..2 {
            nodes[changed].0.set_encryption_keys(&step).unwrap();
            for (from, to) in [(0, 1), (1, 0)] {
                let target = nodes[to].0.local().clone();
                let sent = nodes[from].0.submit([&target], format!("{changed}{from}"), SendOptions::SYNC);
                let delivery = next(&mut nodes[to].1).await;
                assert_eq!(delivery.body(), format!("{changed}{from}").as_bytes());
                delivery.done();
                patiently(sent).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_refused_and_the_old_ones_stay() {
    let (from, _) = encrypting().await;
    let (to, mut inbox) = encrypting().await;
    assert_eq!(from.set_encryption_keys(&KeyRing::default()), Err(EncryptError::NoKey));
    assert!(from.set_encryption_keys(&ring("00", &[])).is_err());
    patiently(from.send([to.local()], "as ever", SendOptions::NONE)).await.unwrap();
    assert_eq!(next(&mut inbox).await.body(), "as ever");
    assert_eq!(node().await.set_encryption_keys(&ring(NEW, &[])), Err(EncryptError::Layers { count: 0 }));
}
