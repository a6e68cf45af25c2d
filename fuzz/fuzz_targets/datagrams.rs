#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| desk_fuzz::datagrams::run(data));
