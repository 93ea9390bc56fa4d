//! Words that several commands print.

use crate::exit::one_line;
use crate::folder::Skipped;
use crate::folder::names;
use crate::output::say;

/// Prints one JSON object.
pub(super) fn print_json(value: &serde_json::Value) {
    say!("{value:#}");
}

/// `1 file`, `2 files`.
pub(super) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Bytes, for people.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A wall clock in milliseconds since 1970, in UTC.
pub(super) fn time(millis: u64) -> String {
    let seconds = millis / 1000 % 86_400;
    format!("{} {:02}:{:02}:{:02}Z", names::date(millis), seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Names what was left out, on standard error.
pub(super) fn print_skipped(skipped: &[Skipped]) {
    for Skipped { name, why, .. } in skipped {
        eprintln!("longshore: {}: {}; it was skipped", one_line(name), one_line(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_000), "1.0 kB");
        assert_eq!(size(1_234_567), "1.2 MB");
        assert_eq!(count(1, "file") + &count(0, "file"), "1 file0 files");
        assert_eq!(time(1_700_000_000_000), "2023-11-14 22:13:20Z");
    }
}
