//! `longshore detach`: forgets the store; the files and the store stay.

use std::fs::{self, File};
use std::path::Path;

use longshore::Replica as _;
use serde_json::json;

use super::text::{count, print_json};
use crate::args::Detach;
use crate::attached::{self, Attached};
use crate::config::{Config, OURS, cannot};
use crate::exit::{Exit, Failure, Result};
use crate::hint;
use crate::output::say;

pub(super) async fn run(args: &Detach, json: bool) -> Result<Exit> {
    let folder = Config::find(&args.at.folder)?;
    let _lock = if args.force { forced_lock(&folder)? } else { Some(waiting_lock(&folder).await?) };
    // A damaged configuration names no state of its own to remove; a copy's belongs to the original.
    let config = Config::load(&folder).ok();
    let elsewhere = config.as_ref().and_then(|config| config.state.clone());
    let own = config.as_ref().and_then(|config| attached::own_state(&folder, config));
    if let Some(state) = &own {
        attached::remove_state(state)?;
    }
    let ours = folder.join(OURS);
    fs::remove_dir_all(&ours).map_err(|error| cannot("remove", &ours, &error))?;
    let kept = elsewhere.filter(|_| own.is_none());
    if json {
        print_json(&json!({ "folder": folder, "detached": true, "state_kept": kept }));
        return Ok(Exit::Done);
    }
    say!("detached {}; its files and the store stay as they are", folder.display());
    if let Some(kept) = kept {
        say!("the state in {} is not this folder's own, and stays as well", kept.display());
    }
    Ok(Exit::Done)
}

/// No sync runs, and nothing waits.
async fn waiting_lock(folder: &Path) -> Result<File> {
    let at = Attached::open(folder).await?;
    let lock = at.lock()?;
    refuse_waiting(&at).await?;
    Ok(lock)
}

/// No sync runs. A state that cannot be opened has no sync either.
fn forced_lock(folder: &Path) -> Result<Option<File>> {
    let config = Config::load(folder).ok();
    let own = config.map_or_else(|| Some(folder.join(OURS)), |config| attached::own_state(folder, &config));
    match own.map(|state| attached::lock_state(&state, folder)) {
        Some(Err(failure)) if failure.exit != Exit::Busy => Ok(None),
        locked => locked.transpose(),
    }
}

async fn refuse_waiting(at: &Attached) -> Result<()> {
    let (pending, conflicts) = (at.replica.pending_count().await?, at.replica.conflicts().await?.len() as u64);
    if pending == 0 && conflicts == 0 {
        return Ok(());
    }
    let what = format!(
        "{} not committed yet, of which {}; run `longshore sync{}` first, or add --force (the files stay either way)",
        count(pending, "change"),
        count(conflicts, "conflict"),
        hint::folder(&at.folder),
    );
    Err(Failure::new(Exit::Failure, at.folder.display(), what))
}
