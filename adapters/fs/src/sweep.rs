//! Leftover temporaries: what killed writers leave, removed by age.

use std::io;
use std::time::{Duration, SystemTime};

use crate::place::{Place, is_temporary};
use crate::store::Store;

/// How old a temporary must be before it is nobody's.
const AGE: Duration = Duration::from_secs(24 * 60 * 60);

impl Store {
    /// Removes old temporaries from a folder, once per instance. A failure to is none of the caller's business.
    pub(crate) fn sweep(&self, folder: &Place) {
        if !self.first_sweep(folder) {
            return;
        }
        if let Err(error) = self.sweep_now(folder) {
            tracing::debug!(%folder, %error, "leftover temporaries stay");
        }
    }

    fn sweep_now(&self, folder: &Place) -> io::Result<()> {
        let leftovers: Vec<String> = self.disk.names(folder)?.into_iter().filter(|name| is_temporary(name)).collect();
        if leftovers.is_empty() {
            return Ok(());
        }
        let now = self.now_there(folder)?;
        for leftover in leftovers {
            if let Err(error) = self.sweep_one(folder, &leftover, now) {
                tracing::debug!(%folder, leftover, %error, "a leftover temporary stays");
            }
        }
        Ok(())
    }

    /// The file system's own clock, learned from a file just written: ours may be years off.
    fn now_there(&self, folder: &Place) -> io::Result<SystemTime> {
        let probe = folder.temporary()?;
        let now = self.disk.make_file(&probe).and_then(|mut file| {
            file.write(b".")?;
            file.modified()
        });
        self.discard(&probe);
        now
    }

    /// Renamed away first: its writer may be slow rather than dead, and must not publish a folder that was just emptied.
    fn sweep_one(&self, folder: &Place, name: &str, now: SystemTime) -> io::Result<()> {
        let modified = self.disk.look(&folder.join(name))?.modified;
        if now.duration_since(modified).unwrap_or_default() <= AGE {
            return Ok(());
        }
        let away = folder.temporary()?;
        self.disk.rename(folder, name, away.name())?;
        self.discard(&away);
        Ok(())
    }
}
