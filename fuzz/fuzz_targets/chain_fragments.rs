//! See `clowder_fuzz::chain_fragments`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clowder_fuzz::chain_fragments(data));
