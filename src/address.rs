//! Stores by their address.

use std::sync::Arc;

#[cfg(feature = "fs")]
use crate::platform;
use longshore_core::{DomainName, Error, ErrorKind, Result, Server, Storage, StoredServer, TokioRuntime};

/// The server at this address, for the domain `main`. The place must be there already.
///
/// | address | store |
/// | --- | --- |
/// | `file:///path/to/folder` | a folder on this machine or on a mounted share (feature `fs`) |
/// | `s3://bucket/prefix?region=…&endpoint=…` | an S3-compatible bucket (feature `s3`); its parameters are those of `S3::open` |
/// | `webdavs://host/path`, `webdav://host/path` | a folder on a WebDAV server (feature `webdav`), as `WebDav::open` takes it |
///
/// Errors: `Invalid` for a malformed address, `Unsupported` for a scheme that this build does not know, `Missing` if the place
/// is not there.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let url = longshore::file_url(folder.path());
/// let server = longshore::open(&url)?;
/// assert!(longshore::open("gopher://host/").is_err());
/// # Ok::<(), longshore::Error>(())
/// ```
pub fn open(url: &str) -> Result<Arc<dyn Server>> {
    serve(open_storage(url)?)
}

/// As [`open`], but makes the place if only its last folder is missing. For setting a store up, not for daily use: where a
/// share is not mounted, it would make a folder on the mount point.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let url = longshore::file_url(&folder.path().join("store"));
/// let server = longshore::create(&url)?;
/// # Ok::<(), longshore::Error>(())
/// ```
pub fn create(url: &str) -> Result<Arc<dyn Server>> {
    serve(create_storage(url)?)
}

fn serve(storage: Arc<dyn Storage>) -> Result<Arc<dyn Server>> {
    Ok(Arc::new(StoredServer::new(storage, Arc::new(TokioRuntime), &DomainName::default())?))
}

/// The storage at this address, for a [`StoredServer`] of your own: another domain, or a storage of yours around it.
pub fn open_storage(url: &str) -> Result<Arc<dyn Storage>> {
    match split(url)? {
        #[cfg(feature = "fs")]
        ("file", rest) => Ok(Arc::new(longshore_fs::Fs::open(file_path(rest)?)?)),
        #[cfg(feature = "s3")]
        ("s3", _) => Ok(Arc::new(longshore_s3::S3::open(url)?)),
        #[cfg(feature = "webdav")]
        ("webdav" | "webdavs" | "webdav+http" | "webdav+https", _) => {
            Ok(Arc::new(longshore_webdav::WebDav::open(url)?))
        }
        (scheme, _) => Err(unknown(scheme)),
    }
}

/// As [`open_storage`], but makes the place if only its last folder is missing. A bucket is not made, nor a folder on a WebDAV server.
pub fn create_storage(url: &str) -> Result<Arc<dyn Storage>> {
    #[cfg(feature = "fs")]
    if let ("file", rest) = split(url)? {
        return Ok(Arc::new(longshore_fs::Fs::create_root(file_path(rest)?)?));
    }
    open_storage(url)
}

fn split(url: &str) -> Result<(&str, &str)> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| invalid("it has no scheme: write file:///folder"))?;
    if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
    {
        return Err(invalid("its scheme is malformed"));
    }
    Ok((scheme, rest))
}

// An address may carry a password: neither error repeats it.
fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, what).with_operation("open").with_key("the store's address")
}

/// The schemes of this build, and the features that bring the others.
const SCHEMES: [(&str, bool); 6] = [
    ("file", cfg!(feature = "fs")),
    ("s3", cfg!(feature = "s3")),
    ("webdav", cfg!(feature = "webdav")),
    ("webdavs", cfg!(feature = "webdav")),
    ("webdav+http", cfg!(feature = "webdav")),
    ("webdav+https", cfg!(feature = "webdav")),
];

fn unknown(scheme: &str) -> Error {
    let known: Vec<&str> = SCHEMES.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    let left_out = SCHEMES.iter().any(|(name, there)| *name == scheme && !there);
    let why = if left_out { "; this one is a feature of the build that was left out" } else { "" };
    let message = format!("this build knows no stores of the scheme `{scheme}`; it knows: {}{why}", known.join(", "));
    Error::new(ErrorKind::Unsupported, message).with_operation("open")
}

/// The folder of a `file` address; `None` for any other, and for a malformed one.
///
/// ```
/// use std::path::Path;
///
/// assert_eq!(longshore::file_url_path("file:///a%20b/c").as_deref(), Some(Path::new("/a b/c")));
/// assert_eq!(longshore::file_url_path("file://host/c"), None);
/// ```
#[cfg(feature = "fs")]
pub fn file_url_path(url: &str) -> Option<std::path::PathBuf> {
    match split(url) {
        Ok(("file", rest)) => file_path(rest).ok(),
        _ => None,
    }
}

/// The path of a `file` address (RFC 8089): no host but `localhost`, percent-decoded.
#[cfg(feature = "fs")]
fn file_path(rest: &str) -> Result<std::path::PathBuf> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(invalid("a file address names no host: write file:///folder"));
    }
    if path.contains(['?', '#']) {
        return Err(invalid("a file address has no query; write %3F for ? and %23 for #"));
    }
    let path = decode(path)?;
    // file:///C:/folder is C:/folder on Windows.
    let drive = path.as_bytes().get(2) == Some(&b':') && platform::DRIVES;
    Ok(std::path::PathBuf::from(if drive { &path[1..] } else { &path }))
}

#[cfg(feature = "fs")]
fn decode(text: &str) -> Result<String> {
    let malformed = || invalid("it has a malformed % sequence");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok()).ok_or_else(malformed)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| malformed())?);
        rest = &tail[2..];
    }
    if bytes.contains(&0) {
        return Err(malformed());
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

/// The address of a folder. The path must be absolute and UTF-8; what is not UTF-8 in it is replaced.
///
/// ```
/// use std::path::Path;
///
/// assert_eq!(longshore::file_url(Path::new("/a b/c")), "file:///a%20b/c");
/// ```
#[cfg(feature = "fs")]
pub fn file_url(path: &std::path::Path) -> String {
    let text = path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
    let mut url = String::from(if text.starts_with('/') { "file://" } else { "file:///" });
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~:".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    url
}

#[cfg(feature = "fs")]
fn digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(all(test, feature = "fs"))]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_path_survives_its_address() {
        for path in ["/", "/a b/ü%#?", "/x/..y"] {
            let url = file_url(Path::new(path));
            let (_, rest) = split(&url).unwrap();
            assert_eq!(file_path(rest).unwrap(), Path::new(path), "{url}");
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for url in [
            "",
            "folder",
            "://x",
            "FILE:///x",
            "file://host/x",
            "file:///%",
            "file:///%zz",
            "file:///%00",
            "file:///a?b",
        ] {
            let error = open_storage(url).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Invalid), "{url}: {error}");
        }
    }

    #[test]
    fn an_unknown_scheme_is_named() {
        assert!(open_storage("gopher://host/").unwrap_err().to_string().contains("gopher"));
    }

    #[test]
    fn an_error_repeats_no_password() {
        let error = open_storage("file://user:secret@host/x").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
