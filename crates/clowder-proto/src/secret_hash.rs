//! Hashing of keys that are mostly random already, in tables that others fill.

use std::hash::{BuildHasher, Hasher};

/// One multiplication spreads them; the secret keeps a sender from choosing keys that collide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secret(pub(crate) u64);

impl BuildHasher for Secret {
    type Hasher = Mixer;

    fn build_hasher(&self) -> Mixer {
        Mixer(self.0)
    }
}

#[derive(Debug)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(16) {
            let mut word = [0; 16];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u128(u128::from_le_bytes(word));
        }
    }

    fn write_u128(&mut self, value: u128) {
        let (low, high) = (value as u64 ^ self.0, (value >> 64) as u64 ^ self.0.rotate_left(32));
        let product = u128::from(low | 1) * u128::from(high | 1);
        self.0 = (product as u64) ^ ((product >> 64) as u64) ^ low.rotate_left(17);
    }
}
