//! What is kept about an attached folder: `FOLDER/.longshore/config.json`. No password is ever in it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use longshore::StoreId;
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure, Result};
use crate::hint;

/// The folder in the folder that is ours.
pub(crate) const OURS: &str = ".longshore";
/// The version of the file; a newer one is refused.
const VERSION: u32 = 1;

/// What `init` decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Config {
    version: u32,
    /// The store's address.
    pub(crate) url: String,
    /// The store's identity when the folder was attached.
    pub(crate) store: StoreId,
    /// This device's name.
    pub(crate) device: String,
    /// Where the state is, if not beside this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<PathBuf>,
}

impl Config {
    pub(crate) fn new(url: String, store: StoreId, device: String, state: Option<PathBuf>) -> Self {
        Self { version: VERSION, url, store, device, state }
    }

    fn path(folder: &Path) -> PathBuf {
        folder.join(OURS).join("config.json")
    }

    /// Whether the folder is attached.
    pub(crate) fn exists(folder: &Path) -> bool {
        Self::path(folder).exists()
    }

    /// Finds the attached folder that this path is, or lies in.
    pub(crate) fn find(path: &Path) -> Result<PathBuf> {
        let start = canonical(path)?;
        let found = start.ancestors().find(|folder| Self::exists(folder));
        found.map(Path::to_owned).ok_or_else(|| {
            let at = hint::path(&start);
            let what =
                format!("is not attached to a store (or its disk is not mounted); run `longshore init {at} URL` first");
            Failure::new(Exit::Failure, path.display(), what)
        })
    }

    /// Reads it.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let path = Self::path(folder);
        let text = fs::read(&path).map_err(|error| cannot("read", &path, &error))?;
        let config: Self = serde_json::from_slice(&text).map_err(|error| {
            let again = hint::anew_by_force(folder, "URL");
            let what = format!("is damaged ({error}); {again} with the address of its store; no file is lost by that");
            Failure::new(Exit::Damaged, path.display(), what)
        })?;
        if config.version > VERSION {
            let what = "was written by a newer longshore; use that one";
            return Err(Failure::new(Exit::Unsupported, path.display(), what));
        }
        Ok(config)
    }

    /// Writes it, whole or not at all.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let path = Self::path(folder);
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        text.and_then(|text| write_whole(&path, &text)).map_err(|error| cannot("write", &path, &error))
    }

    /// Where the replica and the lock are.
    pub(crate) fn state_folder(&self, folder: &Path) -> PathBuf {
        self.state.clone().unwrap_or_else(|| folder.join(OURS))
    }
}

/// Writes a file of ours, whole or not at all.
pub(crate) fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

/// The path without links and dots.
pub(crate) fn canonical(path: &Path) -> Result<PathBuf> {
    let found = fs::canonicalize(path).map_err(|error| cannot("open", path, &error))?;
    if found.is_dir() {
        return Ok(found);
    }
    Err(Failure::new(Exit::Failure, path.display(), "is not a folder; give the folder that holds the files"))
}

/// A failure of a file operation of ours.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let next = match error.kind() {
        io::ErrorKind::NotFound => "check the path, and that its disk is mounted; nothing was changed",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "check the permissions",
        io::ErrorKind::StorageFull => "make room, then try again",
        _ => "nothing is lost; try again",
    };
    Failure::new(Exit::Failure, path.display(), format!("cannot {what} it ({error}); {next}"))
}
