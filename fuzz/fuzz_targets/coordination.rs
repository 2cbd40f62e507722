//! See `clowder_fuzz::coordination`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clowder_fuzz::coordination(data));
