//! See `clowder_fuzz::java_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clowder_fuzz::java_stream(data));
