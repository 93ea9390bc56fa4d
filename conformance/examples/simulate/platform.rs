//! The operating system, where it matters: what it says of this process. Nothing else in this example names a system.

use std::time::Duration;

/// The time for which processors ran this process until now; none where the system does not tell it as Linux does, in
/// `/proc/self/stat` (proc(5): fields 14 and 15, in hundredths of a second).
pub(crate) fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    let ran = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().ok());
    let hundredths = ran.sum::<Option<u64>>()?;
    Some(Duration::from_millis(hundredths * 10))
}
