//! AES in the mode that proves where a message comes from: an IV in front, a tag behind.
//!
//! Twice, with one behaviour: in Rust alone, and, with the feature `aws-lc`, in the C and assembler of AWS-LC, which
//! takes three quarters of the time at 1 KB, and with AVX-512 half of it.

#[cfg(feature = "aws-lc")]
pub(super) use self::aws_lc::Gcm;
#[cfg(not(feature = "aws-lc"))]
pub(super) use self::rust::Gcm;

use super::algorithm::{GCM_IV_LEN, TAG_LEN};

/// IV, ciphertext and tag.
fn parts(message: &[u8]) -> Option<(&[u8; GCM_IV_LEN], &[u8], &[u8; TAG_LEN])> {
    let (iv, sealed) = message.split_first_chunk()?;
    let (sealed, tag) = sealed.split_last_chunk()?;
    Some((iv, sealed, tag))
}

#[cfg(feature = "aws-lc")]
mod aws_lc {
    use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

    use super::{GCM_IV_LEN, parts};

    pub(in super::super) struct Gcm(LessSafeKey);

    impl Gcm {
        pub(in super::super) fn new(key: &[u8]) -> Option<Gcm> {
            let algorithm = match key.len() {
                16 => &AES_128_GCM,
                24 => &AES_192_GCM,
                _ => &AES_256_GCM,
            };
            UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new).map(Gcm)
        }

        /// What stands behind the IV, in place; the tag comes behind it.
        pub(in super::super) fn seal(&self, message: &mut Vec<u8>) -> Option<()> {
            let (iv, plain) = message.split_first_chunk_mut::<GCM_IV_LEN>()?;
            let nonce = Nonce::assume_unique_for_key(*iv);
            let tag = self.0.seal_in_place_separate_tag(nonce, Aad::empty(), plain).ok()?;
            message.extend_from_slice(tag.as_ref());
            Some(())
        }

        pub(in super::super) fn open(&self, message: &[u8]) -> Option<Vec<u8>> {
            let (iv, sealed, tag) = parts(message)?;
            let mut plain = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*iv);
            self.0.open_in_place_separate_tag(nonce, Aad::empty(), tag, &mut plain).ok()?;
            Some(plain)
        }
    }
}

#[cfg(any(test, not(feature = "aws-lc")))]
mod rust {
    use aes::Aes192;
    use aes::cipher::KeyInit;
    use aes::cipher::consts::U12;
    use aes_gcm::aead::AeadInOut;
    use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm};

    use super::{GCM_IV_LEN, parts};

    pub(in super::super) enum Gcm {
        Aes128(Aes128Gcm),
        Aes192(AesGcm<Aes192, U12>),
        Aes256(Aes256Gcm),
    }

    impl Gcm {
        pub(in super::super) fn new(key: &[u8]) -> Option<Gcm> {
            Some(match key.len() {
                16 => Gcm::Aes128(KeyInit::new_from_slice(key).ok()?),
                24 => Gcm::Aes192(KeyInit::new_from_slice(key).ok()?),
                _ => Gcm::Aes256(KeyInit::new_from_slice(key).ok()?),
            })
        }

        /// What stands behind the IV, in place; the tag comes behind it.
        pub(in super::super) fn seal(&self, message: &mut Vec<u8>) -> Option<()> {
            let (iv, plain) = message.split_first_chunk_mut::<GCM_IV_LEN>()?;
            let iv = &(*iv).into();
            let tag = match self {
                Gcm::Aes128(cipher) => cipher.encrypt_inout_detached(iv, &[], plain.into()),
                Gcm::Aes192(cipher) => cipher.encrypt_inout_detached(iv, &[], plain.into()),
                Gcm::Aes256(cipher) => cipher.encrypt_inout_detached(iv, &[], plain.into()),
            };
            message.extend_from_slice(&tag.ok()?);
            Some(())
        }

        pub(in super::super) fn open(&self, message: &[u8]) -> Option<Vec<u8>> {
            let (iv, sealed, tag) = parts(message)?;
            let (iv, tag) = (&(*iv).into(), &(*tag).into());
            let mut plain = sealed.to_vec();
            let opened = plain.as_mut_slice().into();
            match self {
                Gcm::Aes128(cipher) => cipher.decrypt_inout_detached(iv, &[], opened, tag),
                Gcm::Aes192(cipher) => cipher.decrypt_inout_detached(iv, &[], opened, tag),
                Gcm::Aes256(cipher) => cipher.decrypt_inout_detached(iv, &[], opened, tag),
            }
            .ok()?;
            Some(plain)
        }
    }
}

#[cfg(all(test, feature = "aws-lc"))]
mod tests {
    use super::{Gcm, rust};

    #[test]
    fn both_libraries_make_the_same_bytes_and_refuse_the_same() {
        for key in [16, 24, 32].map(|length| vec![7; length]) {
            let (ours, theirs) = (Gcm::new(&key).unwrap(), rust::Gcm::new(&key).unwrap());
            for length in [0, 1, 15, 16, 17, 1000] {
                let mut sealed: Vec<u8> = (0..12 + length).map(|at| at as u8).collect();
                let plain = sealed[12..].to_vec();
                let mut other = sealed.clone();
                ours.seal(&mut sealed).unwrap();
                theirs.seal(&mut other).unwrap();
                assert_eq!(sealed, other);
                assert_eq!((ours.open(&sealed), theirs.open(&sealed)), (Some(plain.clone()), Some(plain)));
                for at in [0, 12, sealed.len() - 1] {
                    sealed[at] ^= 1;
                    assert_eq!((ours.open(&sealed), theirs.open(&sealed)), (None, None), "{length}: {at}");
                    sealed[at] ^= 1;
                }
            }
            assert_eq!((ours.open(&[0; 27]), theirs.open(&[0; 27])), (None, None));
        }
    }
}
