//! How much memory this program holds, as the system counts it, and giving some back.

/// Most physical memory held so far, bytes. `None` where the system does not tell.
pub fn peak_bytes() -> Option<u64> {
    field("VmHWM:")
}

/// Physical memory held now, bytes. `None` where the system does not tell.
pub fn now_bytes() -> Option<u64> {
    field("VmRSS:")
}

/// Gives memory that was freed back to the system. The C library keeps what loading nets has freed, in pieces between what is
/// still in use: for work that is over and does not come again.
pub fn give_back_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` takes the allocator's own locks and touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Has all threads share one heap. Otherwise the C library gives each its own, and what photos leave free in one is of no use to
/// the others: over 2,000 photos the program grew by a tenth. To be called before there is a second thread.
pub fn share_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` changes a setting of the allocator, under its own lock.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// A line of `/proc/self/status`, which Linux has.
fn field(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_no_less_than_what_is_held_now() {
        let now = now_bytes().unwrap();
        assert!(now > 1024 * 1024 && peak_bytes().unwrap() >= now);
    }
}
