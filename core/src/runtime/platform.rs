//! Clocks, as each operating system has them.

use std::sync::OnceLock;

use super::Ticks;

pub(super) use system::{boot, now};

#[cfg(unix)]
mod system {
    use rustix::time::{ClockId, clock_gettime};

    use super::{Ticks, process};

    // Linux counts suspension in CLOCK_BOOTTIME only; Apple's and the BSDs' CLOCK_MONOTONIC counts it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::Monotonic;

    pub(in super::super) fn now() -> Ticks {
        let time = clock_gettime(CLOCK);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        Ticks::from_millis(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
    }

    /// Linux names its boots; elsewhere the file is not there.
    pub(in super::super) fn boot() -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        if id.trim().is_empty() { process() } else { id.trim().to_owned() }
    }
}

#[cfg(not(unix))]
mod system {
    use std::sync::OnceLock;

    use super::{Ticks, process};

    // Windows' performance counter, which `Instant` reads, counts suspension.
    #[expect(clippy::disallowed_types, reason = "this is where the clock enters")]
    pub(in super::super) fn now() -> Ticks {
        static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();
        let since = ORIGIN.get_or_init(std::time::Instant::now).elapsed();
        Ticks::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    pub(in super::super) fn boot() -> String {
        process()
    }
}

/// Where the system names no boot, each process counts as one: a watcher then starts to look anew, which only delays.
#[expect(clippy::disallowed_methods, reason = "this is where randomness enters")]
fn process() -> String {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let mut bytes = [0; 16];
        // Without randomness the process id must do; it only ever makes a watcher wait for longer.
        if getrandom::fill(&mut bytes).is_err() {
            return std::process::id().to_string();
        }
        crate::model::Nonce::from_bytes(bytes).to_string()
    })
    .clone()
}
