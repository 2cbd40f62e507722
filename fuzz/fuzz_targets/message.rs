//! See `clowder_fuzz::message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clowder_fuzz::message(data));
