//! The way to a store's server, led through the suite's proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use longshore::Folder;
use longshore_conformance::proxy::Proxy;
use longshore_conformance::{Harness, Scratch};

use crate::replica::blocking;
use crate::stores::Kind;

/// How long a first answer through a proxy may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The harness with clients through a proxy, or with the reason why there are none.
pub(super) async fn with(harness: Harness, kind: &Arc<dyn Kind>) -> Harness {
    match reached(kind).await {
        Err(why) => harness.not_over_network(why),
        Ok(server) => {
            let kind = Arc::clone(kind);
            harness.over_network(server, move |_: Scratch, proxy| std::future::ready(kind.open_via(proxy)))
        }
    }
}

/// Where the server listens, once it answered through a proxy: many know who is asked for by the name alone.
async fn reached(kind: &Arc<dyn Kind>) -> Result<SocketAddr, String> {
    let asked = Arc::clone(kind);
    let server = blocking(move || asked.server()).await.map_err(|failure| failure.to_string())??;
    let proxy = Proxy::start(server).await.map_err(|error| format!("no proxy could be started ({error})"))?;
    let otherwise = |why: String| format!("asked at the address of a proxy, its server answers otherwise: {why}");
    let storage = kind.open_via(proxy.address()).map_err(|error| otherwise(error.to_string()))?;
    match tokio::time::timeout(PATIENCE, storage.list(&Folder::ROOT, None)).await {
        Err(_) => Err(otherwise(format!("not within {PATIENCE:?}"))),
        Ok(Err(error)) => Err(otherwise(error.to_string())),
        Ok(Ok(_)) if proxy.requests() == 0 => Err("its clients go through a proxy of their own".to_owned()),
        Ok(Ok(_)) => Ok(server),
    }
}
