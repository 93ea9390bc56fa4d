//! `list`: one level of names, without what is not ours.

use longshore_core::{Folder, Listing, ObjectKey, Result};

use crate::errors::not_applied;
use crate::place::Place;
use crate::replicated;
use crate::store::{Store, absent};

impl Store {
    /// The names directly in a folder, ascending, after `after`; all of them on one page.
    pub(crate) fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Listing> {
        let found = absent(self.disk.names(&Place::from(folder))).map_err(not_applied)?.unwrap_or_default();
        if let Some(copy) = found.iter().find(|name| replicated::is_copy(name)) {
            return Err(replicated::stranger(copy));
        }
        let later = |name: &String| after.is_none_or(|after| name.as_str() > after);
        let mut names: Vec<String> = found.into_iter().filter(|name| is_ours(name)).filter(later).collect();
        names.sort_unstable();
        Ok(Listing { names, more: false })
    }
}

fn is_ours(name: &str) -> bool {
    ObjectKey::new(name).is_ok()
}
