//! See the library.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| databricks_deploy_fuzz::holds("journal", input));
