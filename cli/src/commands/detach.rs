//! `longshore detach`: forgets the store; the files and the store stay.

use std::fs;

use longshore::Replica as _;
use serde_json::json;

use super::text::{count, print_json};
use crate::args::Detach;
use crate::attached::{self, Attached};
use crate::config::{Config, OURS, cannot};
use crate::exit::{Exit, Failure, Result};
use crate::output::say;

pub(super) async fn run(args: &Detach, json: bool) -> Result<Exit> {
    let folder = Config::find(&args.at.folder)?;
    if !args.force {
        let at = Attached::open(&args.at.folder).await?;
        let _lock = at.lock()?;
        refuse_waiting(&at).await?;
    }
    // A damaged configuration names no state of its own to remove.
    if let Ok(config) = Config::load(&folder) {
        attached::remove_state(&folder, &config)?;
    }
    let ours = folder.join(OURS);
    fs::remove_dir_all(&ours).map_err(|error| cannot("remove", &ours, &error))?;
    if json {
        print_json(&json!({ "folder": folder, "detached": true }));
    } else {
        say!("detached {}; its files and the store stay as they are", folder.display());
    }
    Ok(Exit::Done)
}

async fn refuse_waiting(at: &Attached) -> Result<()> {
    let (pending, conflicts) = (at.replica.pending_count().await?, at.replica.conflicts().await?.len() as u64);
    if pending == 0 && conflicts == 0 {
        return Ok(());
    }
    let what = format!(
        "{} not committed yet, of which {}; run `longshore sync` first, or add --force (the files stay either way)",
        count(pending, "change"),
        count(conflicts, "conflict"),
    );
    Err(Failure::new(Exit::Failure, at.folder.display(), what))
}
