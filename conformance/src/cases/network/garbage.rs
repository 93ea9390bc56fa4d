//! Answers that are none of a server of ours.

use super::deed::{Deed, Said};
use super::wire::Wire;
use crate::context::Context;
use crate::proxy::{Cut, Response};
use crate::verdict::{Failure, ensure};

/// What a hotel's network answers, whatever it is asked.
const PAGE: &str = "<html><head><title>Welcome</title></head><body><p>Sign in to use the network.</p></body></html>";

/// What listens there speaks no HTTP: no call has succeeded, and none has found out anything.
pub(super) async fn garbage(cx: Context) -> Result<(), Failure> {
    let mut wire = Wire::new(&cx).await?;
    for deed in Deed::ALL {
        wire.lengths(deed).await?;
        for _ in 0..cx.size().pick(1, 2, 10) {
            let ended = wire.disturbed(deed, 0, &Cut::Babble).await?;
            ensure!(ended.is_err(), "{deed} was answered with no HTTP at all, and succeeded: {ended:?}");
        }
    }
    wire.end().await
}

/// A page of HTML with status 200, whatever is asked.
///
/// What cannot be told is not asked for: where a bare 200 is how a protocol says that a write was done, or how it gives an object,
/// the page is such an answer. (The core reads what it must be sure of, and checks its hash.) But a page says of no object that it
/// is missing or exists, and it is no listing: taken for an empty one, it makes a full store look empty.
pub(super) async fn a_page_instead(cx: Context) -> Result<(), Failure> {
    let mut wire = Wire::new(&cx).await?;
    for deed in Deed::ALL {
        wire.lengths(deed).await?;
        let (_, ended) = wire.call(deed, 0, &Cut::Refuse(Response::new(200).with_page(PAGE))).await?;
        let Ok(said) = ended else { continue };
        let wrong = matches!(said, Said::Exists | Said::Bytes(None) | Said::Names(_));
        ensure!(!wrong, "{deed} was answered with a page of HTML, and says {said:?}");
    }
    Ok(())
}
