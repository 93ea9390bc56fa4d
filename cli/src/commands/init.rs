//! `longshore init`: attaches a folder of files to a store.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore::{Client, Error, ErrorKind, MemoryReplica, Server, Storage, StoreId, StoreOptions, StoredServer};
use serde_json::json;

use super::text::{count, print_json};
use crate::address;
use crate::args::Init;
use crate::attached;
use crate::config::{Config, OURS, cannot, canonical};
use crate::exit::{Exit, Failure, Result};
use crate::folder::names;
use crate::hint;
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
    check_order(&args)?;
    let folder = existing(&args.folder)?;
    refuse_folder(&folder, args.moved)?;
    address::check(&args.url)?;
    if args.moved {
        return moved(&folder, &args.url, json);
    }
    address::refuse_nesting(&folder, &args.url)?;
    address::refuse_strangers(&args.url)?;
    let mut made = Made::default();
    let state = state(&folder, &args, &mut made)?;
    let storage = storage(&args, &mut made)?;
    let store = find_store(&*attached::server(storage.clone())?, storage, &args).await?;
    let device = names::device_name(&args.device.unwrap_or_else(platform::host_name));
    let config = Config::new(args.url, store.id, device, state);
    made.will_make(&folder.join(OURS));
    if let Err(failure) = attach(&folder, &config).await {
        attached::remove_state(&config.state_folder(&folder)).ok();
        return Err(failure);
    }
    made.keep();
    tell(&folder, &store, json);
    Ok(Exit::Done)
}

async fn attach(folder: &Path, config: &Config) -> Result<()> {
    fs::create_dir_all(folder.join(OURS)).map_err(|error| cannot("attach", folder, &error))?;
    attached::make_state(folder, config).await?;
    config.save(folder)
}

/// The folder comes first, then the address.
fn check_order(args: &Init) -> Result<()> {
    let folder = args.folder.to_string_lossy();
    if folder.contains("://") && !args.url.contains("://") {
        address::refuse_password(&folder)?;
        let (first, second) = (hint::quoted(&args.url), hint::quoted(&folder));
        let what = format!("the folder comes first, then the address; run `longshore init {first} {second}`");
        return Err(Failure::new(Exit::Usage, "init", what));
    }
    Ok(())
}

/// Refuses folders that are not the user's files alone.
fn refuse_folder(folder: &Path, moved: bool) -> Result<()> {
    let refuse = |what: String| Err(Failure::new(Exit::Usage, folder.display(), what));
    if address::holds_store(folder) {
        let url = hint::quoted(&longshore::file_url(folder));
        return refuse(format!("holds a store; give the folder of your files instead: `longshore init FOLDER {url}`"));
    }
    if Config::exists(folder) == moved {
        return match folder.ancestors().skip(1).find(|above| Config::exists(above)) {
            Some(above) if !moved => refuse(format!(
                "lies in {}, which is attached to a store already, so its files would be synced twice; sync that one, or \
                 choose a folder outside",
                above.display()
            )),
            _ => Ok(()),
        };
    }
    let at = hint::path(folder);
    refuse(if moved {
        "is not attached to a store, so there is nothing to follow it; leave out --moved".to_owned()
    } else {
        format!("is attached to a store already; run `longshore detach {at}` first to attach it to another")
    })
}

/// The folder has another path than its state says.
fn moved(folder: &Path, url: &str, json: bool) -> Result<Exit> {
    let config = Config::load(folder)?;
    if config.url != url {
        let what = format!("is attached to {}; give that address", config.url);
        return Err(Failure::new(Exit::Usage, folder.display(), what));
    }
    let before = attached::follow(folder, &config)?;
    if json {
        print_json(&json!({ "folder": folder, "store": config.store, "moved_from": before }));
    } else {
        let at = hint::folder(folder);
        say!("{} goes on as {}; now run `longshore sync{at}`", before.display(), folder.display());
    }
    Ok(Exit::Done)
}

/// Folders that are made on the way. Whatever of them is empty goes again, unless the folder got attached.
#[derive(Debug, Default)]
struct Made(Vec<PathBuf>);

impl Made {
    fn will_make(&mut self, folder: &Path) {
        let missing = folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
        self.0.extend(missing.map(Path::to_owned));
    }

    fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for folder in &self.0 {
            // The system refuses where something is in it, which then stays.
            drop(fs::remove_dir(folder));
        }
    }
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
        return;
    }
    let how =
        if store.created { "created".to_owned() } else { format!("joined ({})", count(store.documents, "document")) };
    say!("{how} the store {}; now run `longshore sync{}`", store.id, hint::folder(folder));
}

/// Opens the place; makes its last folder if it may be made.
fn storage(args: &Init, made: &mut Made) -> Result<Arc<dyn Storage>> {
    if let Some(path) = longshore::file_url_path(&args.url) {
        made.will_make(&path);
    }
    let opened = if args.join { longshore::open_storage(&args.url) } else { longshore::create_storage(&args.url) };
    opened.map_err(|error| {
        let mut failure = Failure::of_store(&error, &args.url, ToOwned::to_owned);
        if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported) {
            failure.exit = Exit::Usage;
        }
        failure
    })
}

/// Finds the store, or creates it if it may be created.
async fn find_store(server: &StoredServer, storage: Arc<dyn Storage>, args: &Init) -> Result<Store> {
    let named = |error: Error| Failure::of_store(&error, &args.url, ToOwned::to_owned);
    let scout = Client::builder(attached::server(storage.clone())?, Arc::new(MemoryReplica::new())).build();
    let plan = scout.plan().await.map_err(named)?;
    if !plan.initialize {
        let found = server.store().await.map_err(named)?.value.map(|info| info.id);
        let id =
            found.ok_or_else(|| Failure::new(Exit::Busy, &args.url, "the store went away meanwhile; try again"))?;
        return Ok(Store { id, created: false, documents: plan.pull.len() as u64 });
    }
    if args.join {
        let what = "there is no store to join; check the address, or create one by leaving out --join";
        return Err(Failure::new(Exit::Failure, &args.url, what));
    }
    if longshore::file_url_path(&args.url).is_none() {
        address::refuse_strange_objects(&*storage, &args.url).await?;
    }
    let id = server.initialize(&StoreOptions::default()).await.map_err(named)?.id;
    Ok(Store { id, created: true, documents: 0 })
}

/// Where the state goes, if not into the folder.
fn state(folder: &Path, args: &Init, made: &mut Made) -> Result<Option<PathBuf>> {
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
    made.will_make(state);
    fs::create_dir_all(state).map_err(|error| cannot("make", state, &error))?;
    let state = canonical(state)?;
    let refuse = |what: &str| Err(Failure::new(Exit::Usage, state.display(), what));
    if state.starts_with(folder) || folder.starts_with(&state) {
        return refuse("the state and the files must not lie in each other; choose another place for the state");
    }
    if longshore::file_url_path(&args.url).is_some_and(|store| state.starts_with(address::resolved(&store))) {
        return refuse("the state must not lie in the store; choose another place for the state");
    }
    if let Some(kind) = mounts::shared_otherwise(&state) {
        return refuse(&format!("lies {kind}, where the state's database is unsafe; choose a disk of this machine"));
    }
    if attached::has_state(&state) {
        return refuse("holds the state of another folder; choose an empty place");
    }
    if fs::read_dir(&state).map_err(|error| cannot("read", &state, &error))?.next().is_some() {
        return refuse("is not empty; choose an empty place for the state, or a name that is not there yet");
    }
    Ok(Some(state))
}
