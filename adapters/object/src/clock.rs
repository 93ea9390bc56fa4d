//! What this machine's clock said when a request was signed.

use chrono::NaiveDateTime;
use http::HeaderMap;

/// When a request was signed, by this machine's clock: `x-amz-date`, in seconds since 1970.
pub(crate) fn signed(headers: &HeaderMap) -> Option<u64> {
    parsed(headers.get("x-amz-date")?.to_str().ok()?)
}

/// A time such as `20260102T030405Z`, in seconds since 1970.
fn parsed(text: &str) -> Option<u64> {
    let time = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok().filter(|_| text.len() == 16)?;
    u64::try_from(time.and_utc().timestamp()).ok()
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
