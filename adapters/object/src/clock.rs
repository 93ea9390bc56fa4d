//! What this machine's clock said when a request was signed.

use http::HeaderMap;

/// When a request was signed, by this machine's clock: `x-amz-date`, in seconds since 1970.
pub(crate) fn signed(headers: &HeaderMap) -> Option<u64> {
    parsed(headers.get("x-amz-date")?.to_str().ok()?)
}

/// A time such as `20260102T030405Z`, in seconds since 1970.
fn parsed(text: &str) -> Option<u64> {
    let shape = text.len() == 16 && text.as_bytes()[8] == b'T' && text.ends_with('Z');
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hours, minutes, seconds) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    let known = shape && year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
    known.then(|| ((days(year, month, day) * 24 + hours) * 60 + minutes) * 60 + seconds)
}

/// Days since 1970 of a civil date, as in Howard Hinnant's "chrono-compatible low-level date algorithms".
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_signatures_are_read() {
        assert_eq!(parsed("19700101T000000Z"), Some(0));
        assert_eq!(parsed("20240229T120001Z"), Some(1_709_208_001));
        assert_eq!(parsed("20991231T235959Z"), Some(4_102_444_799));
        for text in
            ["", "20240229T120001", "20240229 120001Z", "19690101T000000Z", "20241301T000000Z", "2024022\u{e4}T12001Z"]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
