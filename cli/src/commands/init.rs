//! `longshore init`: attaches a folder of files to a store.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore::{Client, ErrorKind, MemoryReplica, Server, Storage, StoreId, StoreOptions, StoredServer};
use serde_json::json;

use super::text::{count, print_json};
use crate::address;
use crate::args::Init;
use crate::attached;
use crate::config::{Config, OURS, cannot, canonical};
use crate::exit::{Exit, Failure, Result};
use crate::folder::names;
use crate::mounts;
use crate::output::say;
use crate::platform;

/// What was found at the address.
struct Store {
    id: StoreId,
    created: bool,
    documents: u64,
}

pub(super) async fn run(args: Init, json: bool) -> Result<Exit> {
    address::refuse_password(&args.url)?;
    let folder = existing(&args.folder)?;
    if Config::exists(&folder) {
        let what = "is attached to a store already; run `longshore detach` first to attach it to another";
        return Err(Failure::new(Exit::Usage, folder.display(), what));
    }
    address::refuse_nesting(&folder, &args.url)?;
    let state = state(&folder, &args)?;
    let storage = storage(&args)?;
    let store = find_store(&*attached::server(storage.clone())?, storage, args.join).await?;
    let device = names::device_name(&args.device.unwrap_or_else(platform::host_name));
    let config = Config::new(args.url, store.id, device, state);
    fs::create_dir_all(folder.join(OURS)).map_err(|error| cannot("attach", &folder, &error))?;
    attached::make_state(&folder, &config).await?;
    config.save(&folder)?;
    tell(&folder, &store, json);
    Ok(Exit::Done)
}

/// The folder of files. It is never made here: a mistyped name would be attached, and synced as an empty folder.
fn existing(folder: &Path) -> Result<PathBuf> {
    if fs::metadata(folder).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        let what = "there is no such folder; make it first, or check the path and that its disk is mounted";
        return Err(Failure::new(Exit::Failure, folder.display(), what));
    }
    canonical(folder)
}

fn tell(folder: &Path, store: &Store, json: bool) {
    if json {
        print_json(&json!({
            "folder": folder, "store": store.id, "created": store.created, "documents": store.documents,
        }));
    } else if store.created {
        say!("created the store {}; now run `longshore sync`", store.id);
    } else {
        say!("joined ({}) the store {}; now run `longshore sync`", count(store.documents, "document"), store.id);
    }
}

/// Opens the place; makes its last folder if it may be made.
fn storage(args: &Init) -> Result<Arc<dyn Storage>> {
    let opened = if args.join { longshore::open_storage(&args.url) } else { longshore::create_storage(&args.url) };
    opened.map_err(|error| {
        let usage = matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported);
        let mut failure = Failure::from(error);
        if usage {
            failure.exit = Exit::Usage;
        }
        failure
    })
}

/// Finds the store, or creates it if it may be created.
async fn find_store(server: &StoredServer, storage: Arc<dyn Storage>, join: bool) -> Result<Store> {
    let scout = Client::builder(attached::server(storage)?, Arc::new(MemoryReplica::new())).build();
    let plan = scout.plan().await?;
    if !plan.initialize {
        let found = server.store().await?.value.map(|info| info.id);
        let id = found.ok_or_else(|| Failure::new(Exit::Busy, "the store", "went away meanwhile; try again"))?;
        return Ok(Store { id, created: false, documents: plan.pull.len() as u64 });
    }
    if join {
        let what = "there is no store to join; check the address, or create one by leaving out --join";
        return Err(Failure::new(Exit::Failure, "the store's address", what));
    }
    let id = server.initialize(&StoreOptions::default()).await?.id;
    Ok(Store { id, created: true, documents: 0 })
}

/// Where the state goes, if not into the folder.
fn state(folder: &Path, args: &Init) -> Result<Option<PathBuf>> {
    let Some(state) = &args.state else {
        return match mounts::shared_otherwise(folder) {
            None => Ok(None),
            Some(kind) => {
                let what = format!(
                    "lies {kind}, where the state's database is unsafe; add `--state DIR` with a folder on a disk of this \
                     machine"
                );
                Err(Failure::new(Exit::Usage, folder.display(), what))
            }
        };
    };
    fs::create_dir_all(state).map_err(|error| cannot("make", state, &error))?;
    let state = canonical(state)?;
    let refuse = |what: &str| Err(Failure::new(Exit::Usage, state.display(), what));
    if state.starts_with(folder) || folder.starts_with(&state) {
        return refuse("the state and the files must not lie in each other; choose another place for the state");
    }
    if address::store_path(&args.url).is_some_and(|store| state.starts_with(address::resolved(&store))) {
        return refuse("the state must not lie in the store; choose another place for the state");
    }
    if let Some(kind) = mounts::shared_otherwise(&state) {
        return refuse(&format!("lies {kind}, where the state's database is unsafe; choose a disk of this machine"));
    }
    if attached::has_state(&state) {
        return refuse("holds the state of another folder; choose an empty place");
    }
    Ok(Some(state))
}
