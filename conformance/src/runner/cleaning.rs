//! Cleaning up after a case.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use longshore_core::DomainName;

use super::limit::within;
use crate::context::Context;
use crate::harness::{Killable, RemoveStore, Site, Subject};
use crate::litter;
use crate::verdict::Failure;

/// Removes what the case left; first the server starts, if the case may have left it dead.
pub(super) async fn clean(context: &Context, killed: Option<&dyn Killable>, grace: Duration) -> Result<(), Failure> {
    if let Some(server) = killed {
        let dead = |error| Failure::silence(format!("the harness could not start the server: {error}"));
        server.start().await.map_err(dead)?;
    }
    match (&context.harness.subject, &context.harness.removing) {
        (Subject::Storage(_), _) => {
            let context = context.clone();
            within(grace, async move { remove_objects(&context).await }).await
        }
        (Subject::Server(_), Some(remove)) => remove_stores(context, remove, grace).await,
        (Subject::Server(_), None) => Ok(()),
    }
}

async fn remove_objects(context: &Context) -> Result<(), Failure> {
    let storage = context.outer().await?;
    let used = context.next.load(Ordering::SeqCst);
    for slot in context.slot..used {
        let place = Context { slot, ..context.clone() };
        litter::clean(&*storage, &place.prefix()?, context.at_once(litter::AT_ONCE)).await?;
    }
    Ok(())
}

/// Every store that the case opened is tried, all within this time; the first trouble is told. A hook that hangs is not called again.
async fn remove_stores(context: &Context, remove: &RemoveStore, limit: Duration) -> Result<(), Failure> {
    let opened = std::mem::take(&mut *context.opened.lock().unwrap_or_else(PoisonError::into_inner));
    let (end, mut ended) = (tokio::time::Instant::now() + limit, Ok(()));
    for store in opened {
        let (domain, runtime) = (DomainName::default(), context.clock.runtime());
        let site = Site { scratch: context.scratch.clone(), store: store.clone(), domain, runtime };
        let remove = Arc::clone(remove);
        let removing = async move { remove(site).await.map_err(|error| Failure::new(format!("failed: {error}"))) };
        let removed = within(end.saturating_duration_since(tokio::time::Instant::now()), removing).await;
        let Err(trouble) = removed else { continue };
        let hangs = trouble.is_silence();
        let told = trouble.after(format_args!("the harness's hook `removing`, called for store {store},"));
        ended = ended.and(Err(told));
        if hangs {
            break;
        }
    }
    ended
}
