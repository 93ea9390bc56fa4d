//! Clocks of the processor, as Unix has them; elsewhere its time is not measured.

/// Processor time of this process so far, in milliseconds.
#[cfg(unix)]
#[expect(
    clippy::cast_precision_loss,
    clippy::unnecessary_wraps,
    reason = "milliseconds for a table; elsewhere there are none"
)]
pub(crate) fn processor_millis() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6)
}

/// Processor time of this process so far, in milliseconds.
#[cfg(not(unix))]
pub(crate) fn processor_millis() -> Option<f64> {
    None
}
