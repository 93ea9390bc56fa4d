//! `longshore demo`: two devices, one store, a kill and a conflict, with real files in a temporary place.

mod files;
mod stage;

use std::path::Path;

use self::files::{Sample, differences, sample};
use self::stage::{Killed, Stage};
use super::text::{count, size};
use crate::args::Demo;
use crate::exit::{Exit, Failure, Result};
use crate::output::say;

pub(super) async fn run(args: &Demo, json: bool) -> Result<Exit> {
    if json {
        return Err(Failure::new(Exit::Usage, "demo", "tells a story and has no JSON; leave out --json"));
    }
    let sample = sample(args.from.as_deref())?;
    let mut stage = Stage::new(args.url.as_deref()).await?;
    let told = tell(&sample, &mut stage);
    if args.keep {
        say!("\nEverything is still in {}.", stage.keep().display());
        say!("The store is {}.", stage.store());
        return told;
    }
    let cleared = stage.clear().await;
    told.and_then(|exit| cleared.map(|()| exit))
}

fn tell(sample: &Sample, stage: &mut Stage) -> Result<Exit> {
    start(sample, stage)?;
    edit(stage)?;
    kill(stage)?;
    conflict(stage)?;
    compare(stage)
}

fn start(sample: &Sample, stage: &mut Stage) -> Result<()> {
    let laptop = stage.folder("laptop");
    let (files, bytes) = files::copy(sample, &laptop)?;
    say!("1. A folder `laptop` with {} ({}) from {}.", count(files, "real file"), size(bytes), sample.from.display());
    if sample.left_out > 0 {
        say!("   ({} more were left out, to keep this short.)", sample.left_out);
    }
    let store = if stage.is_elsewhere() { stage.store() } else { "a plain folder" };
    say!("   It is attached to a new store, {store}, and everything is committed.");
    stage.init("laptop", &[])?;
    stage.sync("laptop", &[])?;
    say!("2. A second, empty folder `phone` joins the store and gets every file.");
    stage.init("phone", &["--join"])?;
    stage.sync("phone", &[])?;
    Ok(())
}

fn edit(stage: &mut Stage) -> Result<()> {
    say!("3. Both are edited at once: `laptop` gets a new file, `phone` renames one and deletes another.");
    let (laptop, phone) = (stage.folder("laptop"), stage.folder("phone"));
    files::write(&laptop, "new on the laptop.txt", "hello from the laptop\n")?;
    files::rename_and_delete(&phone)?;
    for device in ["laptop", "phone", "laptop"] {
        stage.sync(device, &[])?;
    }
    Ok(())
}

fn kill(stage: &mut Stage) -> Result<()> {
    say!("4. `laptop` writes twenty files, and its sync is killed (SIGKILL) in the middle of the commit.");
    for number in 1..=20 {
        files::write(&stage.folder("laptop"), &format!("batch/{number:02}.txt"), &format!("file {number}\n"))?;
    }
    match stage.sync_and_die("laptop", "create:1+")? {
        Killed::At(place) => {
            say!("   It {place}.\n   The commit landed, but the answer never arrived: `laptop` cannot know.");
        }
        Killed::Not => {
            let what = "the sync that was to be killed came to its end; please report this";
            return Err(Failure::new(Exit::Failure, "demo", what));
        }
    }
    say!("   The next sync finds out. Nothing is lost, and nothing is committed twice.");
    stage.sync("laptop", &[])?;
    stage.sync("phone", &[])?;
    Ok(())
}

fn conflict(stage: &mut Stage) -> Result<()> {
    say!("5. Both edit the same file before they sync. Neither edit is lost: one is kept beside the other.");
    for device in ["laptop", "phone"] {
        files::write(&stage.folder(device), "new on the laptop.txt", &format!("edited on the {device}\n"))?;
        stage.sync(device, &[])?;
    }
    stage.sync("laptop", &[])?;
    for name in files::names(&stage.folder("laptop"), "new on the laptop")? {
        say!("   - {name}");
    }
    Ok(())
}

fn compare(stage: &Stage) -> Result<Exit> {
    let (files, differences) = differences(&stage.folder("laptop"), &stage.folder("phone"))?;
    say!("6. Both folders are compared byte by byte: {}, {} differ.", count(files, "file"), differences.len());
    say!("   {} were used in {}.", count(stage.requests, "storage request"), count(stage.syncs, "sync"));
    judge(&differences)
}

/// The demo has failed if anything differs.
fn judge(differences: &[String]) -> Result<Exit> {
    if differences.is_empty() {
        return Ok(Exit::Done);
    }
    let named: Vec<String> = differences.iter().map(|path: &String| format!("`{path}`")).collect();
    let what = format!("the folders differ in {}; please report this", named.join(", "));
    Err(Failure::new(Exit::Failure, "demo", what))
}

/// A failure of a file operation of the demo.
fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.to_owned();
    move |error| crate::config::cannot("use", &path, &error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_a_failure_that_names_it() {
        assert_eq!(judge(&[]).unwrap(), Exit::Done);
        let failure = judge(&["a.txt".to_owned()]).unwrap_err();
        assert!(failure.exit == Exit::Failure && failure.to_string().contains("`a.txt`"), "{failure}");
    }
}
