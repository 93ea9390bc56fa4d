//! What to type next, so that it can be pasted.

use std::path::Path;

/// Text as one word of a shell's command line.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=\\".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A path as one word.
pub(crate) fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// The folder as a last word, with a space before it; nothing where the command finds it by itself.
pub(crate) fn folder(folder: &Path) -> String {
    if is_here(folder) { String::new() } else { format!(" {}", path(folder)) }
}

/// As [`folder`], for `longshore log`.
pub(crate) fn log_folder(folder: &Path) -> String {
    if is_here(folder) { String::new() } else { format!(" --folder {}", path(folder)) }
}

fn is_here(folder: &Path) -> bool {
    std::env::current_dir().and_then(std::fs::canonicalize).is_ok_and(|here| here.starts_with(folder))
}

/// How to leave a store and to come back with nothing remembered: no file is lost by it.
pub(crate) fn anew(folder: &Path, url: &str) -> String {
    let folder = path(folder);
    format!("run `longshore detach {folder}`, then `longshore init {folder} {}`", quoted(url))
}

/// As [`anew`], where the state cannot be used.
pub(crate) fn anew_by_force(folder: &Path, url: &str) -> String {
    anew(folder, url).replacen("detach ", "detach --force ", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_can_be_pasted() {
        assert_eq!(path(Path::new("/a/b.c")), "/a/b.c");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("--x"), "'--x'");
        assert!(
            anew_by_force(Path::new("/a b"), "file:///s")
                .contains("detach --force '/a b'`, then `longshore init '/a b'")
        );
    }
}
