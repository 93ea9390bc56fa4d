//! `longshore sync --dry-run`: what a sync would do. Nothing is written: no file, no state, nothing in the store.

use super::forecast::{Forecast, Here};
use crate::args::Sync;
use crate::attached::Attached;
use crate::commands::text::print_json;
use crate::exit::{Exit, Result};
use crate::output::say;

pub(super) async fn run(at: &Attached, args: &Sync, here: Here, json: bool) -> Result<Exit> {
    let forecast = Forecast::make(at, here, args.conflict).await?;
    let exit = forecast.exit(args.allow_mass_delete);
    if json {
        print_json(&forecast.as_json(exit));
        return Ok(exit);
    }
    for line in forecast.lines(&[], args.conflict) {
        say!("{line}");
    }
    forecast.print_skipped();
    if exit == Exit::Guard {
        let lost = forecast.lost.len();
        say!("{lost} files would be deleted, more than half of all: a sync would stop and ask for --allow-mass-delete");
    }
    say!("{}", forecast.summary());
    Ok(exit)
}
