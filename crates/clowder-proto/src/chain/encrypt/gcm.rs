//! AES in the mode that proves where a message comes from.
//!
//! Twice, with one behaviour: in Rust alone, and, with the feature `ring`, in the C and assembler of ring, which takes less
//! than half of the time at 1 KB, but leaves its form of the key in the memory that it frees. Keys of 192 bits, which ring
//! does not have, are always in Rust.

use super::algorithm::{GCM_IV_LEN, TAG_LEN};

type Iv = [u8; GCM_IV_LEN];
type Tag = [u8; TAG_LEN];

/// A key, ready for use.
pub(super) enum Gcm {
    #[cfg(feature = "ring")]
    Ring(ring::Gcm),
    Rust(rust::Gcm),
}

impl Gcm {
    /// `None`: the key's length is none of AES.
    pub(super) fn new(key: &[u8]) -> Option<Gcm> {
        #[cfg(feature = "ring")]
        if let Some(gcm) = ring::Gcm::new(key) {
            return Some(Gcm::Ring(gcm));
        }
        rust::Gcm::new(key).map(Gcm::Rust)
    }

    /// Encrypt in place. `None`: too long for the algorithm.
    pub(super) fn seal(&self, iv: &Iv, text: &mut [u8]) -> Option<Tag> {
        match self {
            #[cfg(feature = "ring")]
            Gcm::Ring(gcm) => gcm.seal(iv, text),
            Gcm::Rust(gcm) => gcm.seal(iv, text),
        }
    }

    /// Decrypt in place. `None`: it was not sealed with this key, or was changed; what is in `text` then is not to be
    /// used.
    pub(super) fn open(&self, iv: &Iv, text: &mut [u8], tag: &Tag) -> Option<()> {
        match self {
            #[cfg(feature = "ring")]
            Gcm::Ring(gcm) => gcm.open(iv, text, tag),
            Gcm::Rust(gcm) => gcm.open(iv, text, tag),
        }
    }
}

#[cfg(feature = "ring")]
mod ring {
    use ::ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag as RingTag, UnboundKey};

    use super::{Iv, Tag};

    pub(in super::super) struct Gcm(LessSafeKey);

    impl Gcm {
        pub(super) fn new(key: &[u8]) -> Option<Gcm> {
            let algorithm = match key.len() {
                16 => &AES_128_GCM,
                32 => &AES_256_GCM,
                _ => return None,
            };
            UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new).map(Gcm)
        }

        pub(super) fn seal(&self, iv: &Iv, text: &mut [u8]) -> Option<Tag> {
            let nonce = Nonce::assume_unique_for_key(*iv);
            let tag = self.0.seal_in_place_separate_tag(nonce, Aad::empty(), text).ok()?;
            tag.as_ref().try_into().ok()
        }

        pub(super) fn open(&self, iv: &Iv, text: &mut [u8], tag: &Tag) -> Option<()> {
            let nonce = Nonce::assume_unique_for_key(*iv);
            self.0.open_in_place_separate_tag(nonce, Aad::empty(), RingTag::from(*tag), text, 0..).ok().map(drop)
        }
    }
}

mod rust {
    use aes::Aes192;
    use aes::cipher::KeyInit;
    use aes::cipher::consts::U12;
    use aes_gcm::aead::AeadInOut;
    use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm};

    use super::{Iv, Tag};

    pub(in super::super) enum Gcm {
        Aes128(Aes128Gcm),
        Aes192(AesGcm<Aes192, U12>),
        Aes256(Aes256Gcm),
    }

    impl Gcm {
        pub(super) fn new(key: &[u8]) -> Option<Gcm> {
            Some(match key.len() {
                16 => Gcm::Aes128(KeyInit::new_from_slice(key).ok()?),
                24 => Gcm::Aes192(KeyInit::new_from_slice(key).ok()?),
                _ => Gcm::Aes256(KeyInit::new_from_slice(key).ok()?),
            })
        }

        pub(super) fn seal(&self, iv: &Iv, text: &mut [u8]) -> Option<Tag> {
            let iv = &(*iv).into();
            let tag = match self {
                Gcm::Aes128(cipher) => cipher.encrypt_inout_detached(iv, &[], text.into()),
                Gcm::Aes192(cipher) => cipher.encrypt_inout_detached(iv, &[], text.into()),
                Gcm::Aes256(cipher) => cipher.encrypt_inout_detached(iv, &[], text.into()),
            };
            tag.ok().map(Tag::from)
        }

        pub(super) fn open(&self, iv: &Iv, text: &mut [u8], tag: &Tag) -> Option<()> {
            let (iv, tag) = (&(*iv).into(), &(*tag).into());
            match self {
                Gcm::Aes128(cipher) => cipher.decrypt_inout_detached(iv, &[], text.into(), tag),
                Gcm::Aes192(cipher) => cipher.decrypt_inout_detached(iv, &[], text.into(), tag),
                Gcm::Aes256(cipher) => cipher.decrypt_inout_detached(iv, &[], text.into(), tag),
            }
            .ok()
        }
    }
}

#[cfg(all(test, feature = "ring"))]
mod tests {
    use super::{Gcm, Iv, Tag, rust};

    #[test]
    fn both_libraries_make_the_same_bytes_and_refuse_the_same() {
        for (key, is_rings) in [(16, true), (24, false), (32, true)].map(|(length, is)| (vec![7; length], is)) {
            let (quick, rust) = (Gcm::new(&key).unwrap(), rust::Gcm::new(&key).unwrap());
            assert_eq!(matches!(quick, Gcm::Ring(_)), is_rings);
            let iv = [9; 12];
            for length in [0, 1, 15, 16, 17, 1000] {
                let plain: Vec<u8> = (0..length).map(|at| at as u8).collect();
                let (mut text, mut other) = (plain.clone(), plain.clone());
                let mut tag = quick.seal(&iv, &mut text).unwrap();
                assert_eq!((rust.seal(&iv, &mut other), &other), (Some(tag), &text));
                let opened = |iv: &Iv, text: &[u8], tag: &Tag| {
                    let (mut text, mut other) = (text.to_vec(), text.to_vec());
                    let opened = quick.open(iv, &mut text, tag).map(|()| text);
                    assert_eq!(rust.open(iv, &mut other, tag).map(|()| other), opened);
                    opened
                };
                assert_eq!(opened(&iv, &text, &tag), Some(plain));
                assert_eq!(opened(&[8; 12], &text, &tag), None);
                if let Some(last) = text.last_mut() {
                    *last ^= 1;
                    assert_eq!(opened(&iv, &text, &tag), None, "{length}");
                    *text.last_mut().unwrap() ^= 1;
                }
                tag[15] ^= 1;
                assert_eq!(opened(&iv, &text, &tag), None, "{length}");
            }
        }
    }
}
