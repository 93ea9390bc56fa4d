//! Connections that are cut, stand still, or carry what no server of ours says: for adapters that speak HTTP.
//!
//! Each client of these cases reaches the server through a proxy of the suite's; what came of its calls, another client reads that
//! does not. At `Size::Full` a connection is cut after every byte.

#[cfg(feature = "network")]
mod answers;
#[cfg(feature = "network")]
mod cut;
#[cfg(feature = "network")]
mod deed;
#[cfg(feature = "network")]
mod garbage;
#[cfg(feature = "network")]
mod held;
#[cfg(feature = "network")]
mod stalled;
#[cfg(feature = "network")]
mod sync;
#[cfg(feature = "network")]
mod wire;

use std::time::Duration;

use futures::future::FutureExt as _;

use crate::case::{Case, CaseFn, Group, Need, Rule};

/// Much longer than any client may wait for a server that says nothing.
const STALLED: Duration = Duration::from_secs(60);

/// A case whose function is built with the feature `network` only.
macro_rules! case {
    ($name:literal, $rule:expr, $run:path) => {{
        #[cfg(feature = "network")]
        let run: CaseFn = |cx| $run(cx).boxed();
        #[cfg(not(feature = "network"))]
        let run: CaseFn = |_| std::future::ready(Ok(())).boxed();
        Case::new($name, Group::Network, $rule, run).needs(&[Need::Storage, Need::Network])
    }};
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case!("network::request_cut", Rule::Storage(1), cut::request_cut),
        case!("network::response_cut", Rule::Storage(4), cut::response_cut),
        case!("network::stalled", Rule::Storage(4), stalled::stalled).deadline(STALLED),
        case!("network::error_after_landing", Rule::Storage(4), answers::error_after_landing),
        case!("network::commit_after_errors", Rule::Invariant(3), answers::commit_after_errors),
        case!("network::busy", Rule::Storage(4), answers::busy),
        case!("network::held_creators", Rule::Storage(3), held::held_creators),
        case!("network::garbage", Rule::Storage(4), garbage::garbage),
        case!("network::a_page_instead", Rule::Storage(6), garbage::a_page_instead),
        case!("network::sync_through_cuts", Rule::Invariant(2), sync::sync_through_cuts),
    ]
}
