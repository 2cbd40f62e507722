//! See `clowder_fuzz::session_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clowder_fuzz::session_message(data));
