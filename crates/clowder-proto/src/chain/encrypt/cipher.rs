//! One key and its algorithm, ready for use: key schedules are computed once.

use std::fmt;
use std::hint::black_box;

use aes::cipher::array::Array;
use aes::cipher::block::{BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt};
use aes::cipher::common::InnerIvInit;
use aes::cipher::{Block, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use bytes::{Buf, BytesMut};
use des::TdesEde3;

use super::super::body::Making;
use super::algorithm::TAG_LEN;
use super::gcm::Gcm;
use super::{Algorithm, Key};

/// How blocks follow each other, in the modes that prove nothing.
#[derive(Clone, Copy, Debug)]
enum Chaining {
    Cbc,
    Cfb,
    Ofb,
}

enum Schedule {
    Gcm(Gcm),
    Aes128(Chaining, Aes128),
    Aes192(Chaining, Aes192),
    Aes256(Chaining, Aes256),
    DesEde(TdesEde3),
}

/// A key in its algorithm.
pub(super) struct Cipher {
    algorithm: Algorithm,
    schedule: Schedule,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Cipher {
    /// `None`: the key's length is not one of the algorithm's.
    pub(super) fn new(algorithm: Algorithm, key: &Key) -> Option<Cipher> {
        let key = key.bytes();
        let chaining = match algorithm {
            Algorithm::AesGcm => None,
            Algorithm::AesCbc | Algorithm::DesEdeCbc => Some(Chaining::Cbc),
            Algorithm::AesCfb => Some(Chaining::Cfb),
            Algorithm::AesOfb => Some(Chaining::Ofb),
        };
        let schedule = match (algorithm, chaining, key.len()) {
            (Algorithm::DesEdeCbc, ..) => Schedule::DesEde(TdesEde3::new_from_slice(key).ok()?),
            (_, None, _) => Schedule::Gcm(Gcm::new(key)?),
            (_, Some(chaining), 16) => Schedule::Aes128(chaining, Aes128::new_from_slice(key).ok()?),
            (_, Some(chaining), 24) => Schedule::Aes192(chaining, Aes192::new_from_slice(key).ok()?),
            (_, Some(chaining), _) => Schedule::Aes256(chaining, Aes256::new_from_slice(key).ok()?),
        };
        Some(Cipher { algorithm, schedule })
    }

    /// Bytes of an encrypted body at most, with its IV, for `plain` bytes.
    pub(super) fn sealed_len_max(&self, plain: usize) -> usize {
        // Padding is at most a block, and no block is longer than a tag.
        self.algorithm.iv_len() + plain + TAG_LEN
    }

    /// Encrypt in place what stands behind the IV; tag or padding come behind it. `None`: it is too long for the
    /// algorithm.
    pub(super) fn seal(&self, message: &mut Making) -> Option<()> {
        match &self.schedule {
            Schedule::Gcm(cipher) => {
                let (iv, text) = message.bytes().split_first_chunk_mut()?;
                let tag = cipher.seal(iv, text)?;
                message.end().extend_from_slice(&tag);
                Some(())
            }
            Schedule::Aes128(chaining, cipher) => seal_blocks(*chaining, cipher, message),
            Schedule::Aes192(chaining, cipher) => seal_blocks(*chaining, cipher, message),
            Schedule::Aes256(chaining, cipher) => seal_blocks(*chaining, cipher, message),
            Schedule::DesEde(cipher) => seal_blocks(Chaining::Cbc, cipher, message),
        }
    }

    /// Decrypt a whole encrypted body in place: the plaintext. `None`: another key, another algorithm, or changed on the
    /// way; which of them is not to be known.
    pub(super) fn open(&self, mut message: BytesMut) -> Option<BytesMut> {
        let (iv, text) = message.split_at_mut_checked(self.algorithm.iv_len())?;
        let length = match &self.schedule {
            Schedule::Gcm(cipher) => {
                let (text, tag) = text.split_last_chunk_mut()?;
                cipher.open((&*iv).try_into().ok()?, text, tag)?;
                text.len()
            }
            Schedule::Aes128(chaining, cipher) => open_blocks(*chaining, cipher, iv, text)?,
            Schedule::Aes192(chaining, cipher) => open_blocks(*chaining, cipher, iv, text)?,
            Schedule::Aes256(chaining, cipher) => open_blocks(*chaining, cipher, iv, text)?,
            Schedule::DesEde(cipher) => open_blocks(Chaining::Cbc, cipher, iv, text)?,
        };
        message.advance(self.algorithm.iv_len());
        message.truncate(length);
        Some(message)
    }
}

/// Java pads in every mode but GCM, also where the mode itself needs no whole blocks.
fn seal_blocks<C: BlockCipherEncrypt>(chaining: Chaining, cipher: &C, message: &mut Making) -> Option<()> {
    let block = size_of::<Block<C>>();
    let pad = block - message.bytes().len() % block;
    message.end().extend(std::iter::repeat_n(u8::try_from(pad).ok()?, pad));
    let (iv, plain) = Array::slice_as_chunks_mut(message.bytes()).0.split_first_mut()?;
    let iv: &Block<C> = iv;
    match chaining {
        Chaining::Cbc => cbc::Encryptor::inner_iv_init(cipher, iv).encrypt_blocks(plain),
        Chaining::Cfb => cfb_mode::Encryptor::inner_iv_init(cipher, iv).encrypt_blocks(plain),
        Chaining::Ofb => ofb::OfbCore::inner_iv_init(cipher, iv).encrypt_blocks(plain),
    }
    Some(())
}

/// The length of the plaintext.
fn open_blocks<C>(chaining: Chaining, cipher: &C, iv: &[u8], text: &mut [u8]) -> Option<usize>
where
    C: BlockCipherEncrypt + BlockCipherDecrypt,
{
    let iv: &Block<C> = iv.try_into().ok()?;
    let (blocks, rest) = Array::slice_as_chunks_mut(text);
    if !rest.is_empty() {
        return None;
    }
    match chaining {
        Chaining::Cbc => cbc::Decryptor::inner_iv_init(cipher, iv).decrypt_blocks(blocks),
        Chaining::Cfb => cfb_mode::Decryptor::inner_iv_init(cipher, iv).decrypt_blocks(blocks),
        Chaining::Ofb => ofb::OfbCore::inner_iv_init(cipher, iv).decrypt_blocks(blocks),
    }
    unpadded_len(text, size_of::<Block<C>>())
}

/// The length without padding, which is the same number in each of its bytes. How long it takes tells nothing about
/// their values: who could measure that could read messages byte by byte.
fn unpadded_len(plain: &[u8], block: usize) -> Option<usize> {
    let pad = u32::from(*plain.last()?);
    // 1 if the first is less than the second; both are far below 2 to the 31.
    let less = |left: u32, right: u32| left.wrapping_sub(right) >> 31;
    let mut wrong = less(pad, 1) | less(block as u32, pad);
    for (place, byte) in (0..).zip(plain.iter().rev().take(block)) {
        let is_inside = black_box(less(place, pad)).wrapping_neg();
        wrong |= is_inside & (u32::from(*byte) ^ pad);
    }
    (black_box(wrong) == 0).then(|| plain.len() - pad as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_padding_is_judged_by_all_of_its_bytes() {
        for block in [8, 16] {
            for pad in 0..=255_usize {
                let mut plain = vec![0xaa; 32];
                let count = pad.min(32);
                plain[32 - count..].fill(pad as u8);
                let expected = (1..=block).contains(&pad).then(|| 32 - pad);
                plain[31] = pad as u8;
                assert_eq!(unpadded_len(&plain, block), expected, "{pad}");
                for changed in 32 - count.min(block)..31 {
                    plain[changed] ^= 1;
                    assert_eq!(unpadded_len(&plain, block), None, "{pad}: {changed}");
                    plain[changed] ^= 1;
                }
                if (1..32).contains(&count) {
                    plain[31 - count] ^= 1;
                    assert_eq!(unpadded_len(&plain, block), expected, "{pad}: in front of it");
                }
            }
        }
        assert_eq!(unpadded_len(&[], 16), None);
    }
}
