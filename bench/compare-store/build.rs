//! Fits the bindings of a newer RocksDB to the system's older library.

fn main() {
    println!("cargo::rerun-if-env-changed=ROCKSDB_LIB_DIR");
    let others = std::env::var_os("CARGO_FEATURE_OTHERS").is_some();
    if others && std::env::var_os("ROCKSDB_LIB_DIR").is_some() {
        // The bindings drop a write buffer manager by it, if one was set; none is.
        let symbol = "rocksdb_write_buffer_manager_destroy";
        println!("cargo::rustc-link-arg-bins=-Wl,--defsym={symbol}=0");
    }
}
