//! Deterministic mutations of a seed: the smoke test's poor relation of a fuzzer.
//!
//! The same seed and number always give the same bytes, so a failure repeats.

/// A small generator (SplitMix64), so that the sequence never changes with a library.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("below a usize")
    }
}

/// Integers that decoders get wrong: limits of the types, lengths off by one, lengths that promise gigabytes.
const ODD: [u32; 8] = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/// Mutation `number` of `seed`: one to four changes, each of a bit, a byte, a four-byte integer or the length.
pub fn mutation(seed: &[u8], number: u64) -> Vec<u8> {
    let mut random = Random(number ^ ((seed.len() as u64) << 32));
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = u8::try_from(random.below(256)).expect("below 256"),
            2 if bytes.len() >= 4 => {
                let at = random.below(bytes.len() - 3);
                bytes[at..at + 4].copy_from_slice(&ODD[random.below(ODD.len())].to_be_bytes());
            }
            3 => bytes.truncate(at),
            4 => {
                let end = at + random.below(bytes.len() - at);
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => bytes.insert(at, u8::try_from(random.below(256)).expect("below 256")),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_repeat_and_differ() {
        let seed = b"a seed of some length";
        assert_eq!(mutation(seed, 7), mutation(seed, 7));
        let changed = (0..200).filter(|n| mutation(seed, *n) != seed).count();
        assert!(changed > 180, "{changed} of 200 changed anything");
        assert!((0..200).any(|n| mutation(b"", n).is_empty()));
    }
}
