//! The store's address, as far as the command has to look into it: no passwords, and no store inside the folder.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use longshore::{Folder, Storage};

use crate::config::Config;
use crate::exit::{Exit, Failure, Result};
use crate::hint;

/// The addresses of stores that this build knows.
const KNOWN: &str = match (cfg!(feature = "s3"), cfg!(feature = "webdav")) {
    (true, true) => {
        "a folder, on this machine or on a mounted share, as file:///path/to/folder, a bucket as s3://bucket/prefix, or a WebDAV \
         folder as webdavs://host/path"
    }
    (true, false) => {
        "a folder, on this machine or on a mounted share, as file:///path/to/folder, or a bucket as s3://bucket/prefix"
    }
    (false, true) => {
        "a folder, on this machine or on a mounted share, as file:///path/to/folder, or a WebDAV folder as webdavs://host/path"
    }
    (false, false) => "a folder, on this machine or on a mounted share, as file:///path/to/folder",
};

/// What an error calls an address that it does not repeat.
const UNNAMED: &str = "the store's address";

/// Refuses an address with a user or a password in it. The message does not repeat it.
pub(crate) fn refuse_password(url: &str) -> Result<()> {
    if !has_user(url) {
        return Ok(());
    }
    let instead = match url.split_once("://") {
        Some(("file", _)) => "a file address needs none",
        Some(("s3", _)) => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment instead",
        Some((scheme, _)) if scheme.starts_with("webdav") => {
            "set WEBDAV_USER and WEBDAV_PASSWORD in the environment instead"
        }
        _ => "where a store needs one, it comes from the environment",
    };
    let what = format!("has a user or password in it, which would be stored and shown; take it out: {instead}");
    Err(Failure::new(Exit::Usage, UNNAMED, what))
}

/// Whether an address, or one within it such as an endpoint, has a user in it. A password may hold any character.
fn has_user(url: &str) -> bool {
    let escapes = [("%3a", ":"), ("%3A", ":"), ("%2f", "/"), ("%2F", "/"), ("%40", "@")];
    let plain = escapes.iter().fold(url.to_owned(), |text, (escape, plain)| text.replace(escape, plain));
    plain.split("://").skip(1).any(|rest| {
        let host = rest.split(['/', '?', '&', '#']).next().unwrap_or_default();
        let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        // A slash in a password cuts it in two; at its beginning it leaves nothing.
        let cut = rest.contains('@') && host.split_once(':').is_some_and(|(_, port)| port.is_empty() || !is_port(port));
        host.contains('@') || cut
    })
}

/// Refuses what is no address of a store, and says what it may have been meant to be. No password is repeated.
pub(crate) fn check(url: &str) -> Result<()> {
    refuse_password(url)?;
    let refuse = |object: &str, what: String| Err(Failure::new(Exit::Usage, object, what));
    match url.split_once("://") {
        Some(("file", _)) => Ok(()),
        #[cfg(feature = "s3")]
        Some(("s3", _)) => check_bucket(url),
        #[cfg(not(feature = "s3"))]
        Some(("s3", _)) => refuse(UNNAMED, format!("this build has no stores in buckets (feature `s3`); give {KNOWN}")),
        #[cfg(feature = "webdav")]
        Some(("webdav" | "webdavs" | "webdav+http" | "webdav+https", _)) => {
            longshore::WebDav::open(url).map(drop).map_err(Failure::from)
        }
        Some((scheme, _)) => {
            // What follows may be a token or a signature.
            let shown = url.split(['?', '#']).next().filter(|shown| !shown.contains('@')).unwrap_or(UNNAMED);
            refuse(shown, format!("no stores of the scheme `{scheme}` are known; give {KNOWN}"))
        }
        None if url.is_empty() || url.contains('@') || url.starts_with("s3:") => {
            refuse(UNNAMED, format!("it has no scheme; give {KNOWN}"))
        }
        None => {
            let path = Path::new(url.strip_prefix("file:").unwrap_or(url));
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let meant = hint::quoted(&longshore::file_url(&path));
            refuse(
                url,
                format!("a store is named by its address, not by its path; if that folder is meant, write {meant}"),
            )
        }
    }
}

/// Refuses an address of a bucket that cannot be right. Only what is right is ever stored and shown.
#[cfg(feature = "s3")]
fn check_bucket(url: &str) -> Result<()> {
    longshore::S3::open(url).map(drop).map_err(Failure::from)
}

/// The address of a place below this one, with the same parameters.
pub(crate) fn below(url: &str, name: &str) -> String {
    let (place, parameters) = url.split_once('?').map_or((url, None), |(place, rest)| (place, Some(rest)));
    let place = format!("{}/{name}", place.trim_end_matches('/'));
    parameters.map_or_else(|| place.clone(), |parameters| format!("{place}?{parameters}"))
}

/// What an error calls the object with this key, in the store at this address.
pub(crate) fn of_object(url: &str, key: &str) -> String {
    if key.is_empty() {
        return url.to_owned();
    }
    match longshore::file_url_path(url) {
        // The path of a folder stands in its address.
        Some(root) if root.as_os_str() == key => url.to_owned(),
        Some(_) => format!("{url}: {key}"),
        None if key.contains("://") || key == UNNAMED => key.to_owned(),
        None => below(url.split('?').next().unwrap_or_default(), key),
    }
}

/// Whether a folder holds a store: by the beginning of the object that names it.
pub(crate) fn holds_store(folder: &Path) -> bool {
    let mut start = [0; 4];
    let read = File::open(folder.join("format/data")).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"\x89LSH"
}

/// Refuses a place where a new store would lie among files of the user's.
pub(crate) fn refuse_strangers(url: &str) -> Result<()> {
    let Some(store) = longshore::file_url_path(url).map(|path| resolved(&path)) else { return Ok(()) };
    let refuse = |what: String| Err(Failure::new(Exit::Usage, url, what));
    if let Some(above) = store.ancestors().find(|folder| Config::exists(folder)) {
        return refuse(format!(
            "lies in {}, a folder that is attached to a store, which would be synced into the other; choose a place outside",
            above.display()
        ));
    }
    if holds_store(&store) {
        return Ok(());
    }
    let names = fs::read_dir(&store).into_iter().flatten().flatten();
    let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.find(|name| !may_lie_in_store(name)) {
        Some(name) => refuse(format!(
            "is not empty and is no store: `{name}` lies there; choose an empty folder, or one that is not there yet"
        )),
        None => Ok(()),
    }
}

/// Refuses to create a store in a bucket among objects that are none of a store. Names that no store could have are not seen:
/// no listing of a storage tells them, and nothing ever touches them.
pub(crate) async fn refuse_strange_objects(storage: &dyn Storage, url: &str) -> Result<()> {
    let listed = storage.list(&Folder::ROOT, None).await;
    let listed = listed.map_err(|error| Failure::of_store(&error, url, ToOwned::to_owned))?;
    match listed.value.names.iter().find(|name| !may_lie_in_store(name)) {
        Some(name) => {
            let free = hint::quoted(&below(url, "longshore"));
            let what = format!(
                "is not empty and is no store: `{name}` lies there; choose a prefix of its own, such as {free}"
            );
            Err(Failure::new(Exit::Usage, url, what))
        }
        None => Ok(()),
    }
}

/// What a store, an examination of it, or an operating system puts into a folder.
fn may_lie_in_store(name: &str) -> bool {
    const WHOLE: &[&str] = &[
        "domains",
        "format",
        "probe",
        "lost+found",
        ".DS_Store",
        ".Trashes",
        ".Spotlight-V100",
        ".fseventsd",
        "System Volume Information",
        "$RECYCLE.BIN",
        "desktop.ini",
        "Thumbs.db",
    ];
    const STARTS: &[&str] = &[".tmp-", "doctor-", "conformance-", ".Trash-", ".nfs"];
    WHOLE.contains(&name) || STARTS.iter().any(|start| name.starts_with(start))
}

/// Refuses a store inside the folder, the folder inside the store, and state where either would sync it.
pub(crate) fn refuse_nesting(folder: &Path, url: &str) -> Result<()> {
    let Some(store) = longshore::file_url_path(url).map(|path| resolved(&path)) else { return Ok(()) };
    let what = if store == folder {
        "is the store's own folder; choose another place for the store"
    } else if store.starts_with(folder) {
        "holds the store, which would be synced into itself; choose a place outside for the store"
    } else if folder.starts_with(&store) {
        "lies inside the store; choose a folder outside"
    } else {
        return Ok(());
    };
    Err(Failure::new(Exit::Usage, folder.display(), what))
}

/// The path without links, as far as it exists.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return match path.strip_prefix(ancestor) {
                Ok(rest) if rest.as_os_str().is_empty() => real,
                Ok(rest) => real.join(rest),
                Err(_) => real,
            };
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let failure = refuse_password("https://anna:secret@host/dav").unwrap_err();
        assert!(failure.exit == Exit::Usage && !failure.to_string().contains("secret"), "{failure}");
        assert!(refuse_password("file:///home/a@b").is_ok());
    }

    #[test]
    fn a_password_is_found_wherever_it_stands() {
        for url in [
            "s3://key@bucket/",
            "s3://key:secret@bucket/",
            "s3://key:sec/ret@bucket/",
            "s3://key:/secret@bucket/",
            "s3://bucket/?endpoint=https://anna:secret@host",
            "s3://bucket/?endpoint=https%3A%2F%2Fanna:secret%40host&region=x",
            "s3://bucket/?endpoint=https%3a%2f%2fanna%3asec%2fret%40host",
            "file://anna:sec/ret@host/x",
        ] {
            let failure = check(url).unwrap_err().to_string();
            assert!(failure.contains("take it out") && !failure.contains("ret"), "{url}: {failure}");
        }
        for url in ["s3://bucket/a@b", "s3://bucket/a?endpoint=https://host:443&ca=/etc/a@b", "file:///a:b/c@d"] {
            assert!(!has_user(url), "{url}");
        }
    }

    #[test]
    fn a_secret_beside_an_unknown_scheme_is_not_repeated() {
        let failure = check("az://account/container?sig=secret").unwrap_err().to_string();
        assert!(failure.starts_with("az://account/container: ") && !failure.contains("secret"), "{failure}");
        assert!(!check("gs://a/se@cret").unwrap_err().to_string().contains("cret"));
    }

    #[test]
    fn what_is_known_is_named() {
        for url in ["gs://bucket/x", "gopher://host", "s3:bucket", ""] {
            assert!(check(url).unwrap_err().to_string().contains(KNOWN), "{url}");
        }
    }

    #[test]
    fn an_object_has_its_whole_address() {
        assert_eq!(of_object("s3://bucket/a/?region=x", "format/data"), "s3://bucket/a/format/data");
        assert_eq!(of_object("s3://bucket", "s3://bucket/a/b"), "s3://bucket/a/b");
        assert_eq!(of_object("s3://bucket?region=x", ""), "s3://bucket?region=x");
        assert_eq!(of_object("s3://bucket", UNNAMED), UNNAMED);
        assert_eq!(of_object("file:///a%20b", "/a b"), "file:///a%20b");
        assert_eq!(of_object("file:///a", "format/data"), "file:///a: format/data");
    }

    #[test]
    fn a_place_below_keeps_the_parameters() {
        assert_eq!(below("s3://bucket/a/?region=x&sse=AES256", "b"), "s3://bucket/a/b?region=x&sse=AES256");
        assert_eq!(below("file:///a", "b"), "file:///a/b");
    }
}
