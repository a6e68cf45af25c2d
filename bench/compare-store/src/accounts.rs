//! What a process costs, by the kernel's own books.

use std::fs;

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, clock_gettime};

/// Processor time of this process so far, all threads that live or lived and the
/// kernel's work for them included, in microseconds.
pub fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Bytes that this process sent to the block layer, by `/proc/self/io`: direct
/// writes as they are, writes through the page cache as whole pages made dirty.
pub fn written_bytes() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/io").context("the kernel keeps no account")?;
    field(&text, "write_bytes:")
}

/// Anonymous memory of this process, in bytes: heap and stacks.
pub fn anonymous_bytes() -> Result<u64> {
    Ok(field(&fs::read_to_string("/proc/self/smaps_rollup")?, "Anonymous:")? * 1024)
}

fn field(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).with_context(|| format!("no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name() {
        let text = "rchar: 5\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n";
        assert_eq!(field(text, "write_bytes:").unwrap(), 4096);
        assert!(field(text, "nothing:").is_err());
    }

    #[test]
    fn work_takes_time_and_memory_is_there() {
        let before = cpu_us();
        let sum = (0..20_000_000u64).fold(0, |sum, n| sum ^ n.wrapping_mul(n));
        assert!(cpu_us() > before, "{sum}");
        assert!(anonymous_bytes().unwrap() > 0);
    }
}
