//! Which document ids may be files here, and what the copy of a conflict is called.

use crate::platform::WINDOWS;

/// How temporary files begin. They are never synced, and a sync removes those that an interrupted one left.
pub(crate) const TEMPORARY: &str = ".longshore-tmp-";
/// The longest name of a file, in bytes, on every usual file system.
const LONGEST: usize = 255;
/// Names that are never synced, in any folder and in any case: ours, git's (whose hooks run) and the Finder's.
const NEVER: &[&str] = &[".longshore", ".git", ".ds_store"];

/// Why the document of this id cannot be a file in a folder of this system; `None` if it can.
pub(crate) fn refused(id: &str) -> Option<&'static str> {
    id.split('/').find_map(refused_part)
}

/// Why a file or folder of this name is never synced.
pub(crate) fn refused_part(part: &str) -> Option<&'static str> {
    match part {
        "" => Some("an empty part in the name: it would not be a relative path"),
        "." | ".." => Some("a name with `.` or `..` would leave the folder"),
        _ if part.contains('\0') => Some("a name with a NUL byte cannot be a file"),
        _ if part.len() > LONGEST => Some("a part of the name has more than 255 bytes"),
        _ if part.starts_with(TEMPORARY) => Some("the name is that of a temporary file of longshore"),
        _ if is_never(part) => Some("this name is never synced"),
        _ if WINDOWS => refused_by_windows(part),
        _ => None,
    }
}

/// Whether the name is one of those that are never synced.
pub(crate) fn is_never(part: &str) -> bool {
    NEVER.iter().any(|never| part.eq_ignore_ascii_case(never))
}

/// <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>
fn refused_by_windows(part: &str) -> Option<&'static str> {
    const DEVICES: &[&str] = &["con", "prn", "aux", "nul"];
    if part.contains(|c: char| c.is_control() || "<>:\"|?*\\".contains(c)) {
        return Some("the name has a character that Windows does not allow");
    }
    if part.ends_with(['.', ' ']) {
        return Some("Windows allows no name that ends with a dot or a space");
    }
    let stem = part.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    let is_port = numbered.is_some_and(|n| n.len() == 1 && n.chars().all(|c| c.is_ascii_digit()));
    (is_port || DEVICES.contains(&stem.as_str())).then_some("the name is reserved by Windows")
}

/// The id of the copy that keeps this device's version: `name (conflict DEVICE DATE).ext`, then with a counter.
pub(crate) fn conflict_copy(id: &str, device: &str, date: &str, count: usize) -> String {
    let (folder, name) = id.rsplit_once('/').map_or(("", id), |(folder, name)| (folder, name));
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let counter = if count > 1 { format!(" {count}") } else { String::new() };
    let tail = format!(" (conflict {device} {date}{counter}){extension}");
    let stem = shortened(stem, LONGEST.saturating_sub(tail.len()));
    if folder.is_empty() { format!("{stem}{tail}") } else { format!("{folder}/{stem}{tail}") }
}

/// The device's name as a part of a file's name.
pub(crate) fn device_name(text: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_. ".contains(c) { c } else { '-' };
    let name: String = text.trim().chars().map(plain).take(40).collect();
    if name.is_empty() { "device".to_owned() } else { name }
}

fn shortened(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The date of a wall clock in milliseconds since 1970, as `YYYY-MM-DD` in UTC.
pub(crate) fn date(millis: u64) -> String {
    // Days to a civil date: Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil's inverse.
    let days = millis / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_no_file() {
        let long = "x".repeat(256);
        for id in ["../x", "/etc/passwd", "a//b", "a/", "a/../b", ".", "a\0b", ".git/hooks/x", "a/.GIT/x", &long] {
            assert!(refused(id).is_some(), "{id}");
        }
        for id in ["a", "a b/ü", "..a", "a..", ".gitignore", "a\nb", "con/nul"] {
            assert_eq!(refused(id), if WINDOWS { refused(id) } else { None }, "{id}");
        }
    }

    #[test]
    fn windows_reserves_names() {
        for part in ["con", "NUL.txt", "com1", "LPT9.log", "a.", "a ", "a:b", "a\nb"] {
            assert!(refused_by_windows(part).is_some(), "{part}");
        }
        for part in ["console", "com", "com10", "a.b"] {
            assert!(refused_by_windows(part).is_none(), "{part}");
        }
    }

    #[test]
    fn a_copy_lies_beside_its_original() {
        assert_eq!(conflict_copy("a/b.tar.gz", "mac", "2024-02-29", 1), "a/b.tar (conflict mac 2024-02-29).gz");
        assert_eq!(conflict_copy(".env", "mac", "2024-02-29", 2), ".env (conflict mac 2024-02-29 2)");
        let long = conflict_copy(&"ü".repeat(127), "mac", "2024-02-29", 1);
        assert!(long.len() <= LONGEST && refused(&long).is_none());
    }

    #[test]
    fn dates_are_civil() {
        let day = 86_400_000;
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782 * day), "2024-02-29");
        assert_eq!(date(19_783 * day - 1), "2024-02-29");
        assert_eq!(date(20_453 * day), "2025-12-31");
    }

    #[test]
    fn a_device_name_is_a_part_of_a_name() {
        assert_eq!(device_name(" Anna's/PC "), "Anna-s-PC");
        assert_eq!(device_name(""), "device");
    }
}
