//! Answers of those between the client and the server: gateways that fail, and limits of the rate.

use std::time::Duration;

use longshore_core::{Error, ErrorKind};

use super::deed::Deed;
use super::wire::{Wire, proxy};
use crate::cases::oracle;
use crate::cases::server::history::{Writer, put};
use crate::context::Context;
use crate::proxy::{Cut, Response};
use crate::verdict::{Failure, ensure};

/// What a gateway says when it lost the server behind it, or the server itself when something failed behind the write.
const FAILURES: [u16; 4] = [500, 502, 503, 504];

/// An error that says nothing of the write: it landed, or it did not. So its outcome is unknown, and nothing is missing.
pub(super) async fn error_after_landing(cx: Context) -> Result<(), Failure> {
    let mut wire = Wire::new(&cx).await?;
    for deed in Deed::ALL {
        for at in 0..wire.lengths(deed).await?.len() {
            for status in FAILURES {
                for cut in [Cut::Instead, Cut::Refuse].map(|cut| cut(Response::new(status))) {
                    let ended = wire.disturbed(deed, at, &cut).await?;
                    let Err(error) = ended else { continue };
                    ensure!(
                        error.kind() == ErrorKind::Unavailable,
                        "{deed}: the server answered {status}, and the caller is not told to try again: {error}"
                    );
                }
            }
        }
    }
    wire.end().await
}

/// The same under a commit: each of its requests in turn is answered with an error although it was carried out, and the one that
/// the core sends then goes through. The commit is ours, and there is one.
pub(super) async fn commit_after_errors(cx: Context) -> Result<(), Failure> {
    let straight = cx.ready_server().await?;
    let proxy = proxy(&cx).await?;
    let mut writer = Writer::new(cx.via(proxy.address()).server().await?, 1).await?;
    writer.append(vec![put("doc", "warm")?]).await?;
    let before = proxy.requests();
    writer.append(vec![put("doc", "undisturbed")?]).await?;
    let (requests, mut commits) = (proxy.requests() - before, 2);
    for status in FAILURES {
        for at in 0..requests {
            let told =
                |failure: Failure| failure.within(format!("request {} of a commit is answered {status}", at + 1));
            (0..at).for_each(|_| proxy.plan(Cut::None));
            proxy.plan(Cut::Instead(Response::new(status)));
            let next = writer.tip.next()?;
            let number = writer.append(vec![put("doc", format!("{status} {at}"))?]).await.map_err(told)?;
            proxy.clear();
            ensure!(
                number == next,
                "request {} of a commit was answered {status}: it was tried as entry {}, and came in as entry {}",
                at + 1,
                next.get(),
                number.get()
            );
            commits += 1;
        }
    }
    let log = oracle::log(&*straight).await?;
    oracle::committed_once(&log)?;
    ensure!(log.len() == commits, "{commits} changes were committed, and {} are in the log", log.len());
    Ok(())
}

/// How long the server asks to wait, and the most that it may be taken for.
const ASKED: [(Duration, Duration); 2] =
    [(Duration::from_secs(7), Duration::from_secs(60)), (Duration::from_secs(30), Duration::from_secs(90))];

/// A server that is busy, and says for how long in either form that HTTP knows (RFC 9110, section 10.2.3). Nothing was done.
///
/// A date counts from the server's own `Date`, which here lies decades back.
pub(super) async fn busy(cx: Context) -> Result<(), Failure> {
    let mut wire = Wire::new(&cx).await?;
    let seconds = |status| Response::new(status).with_retry_after("7");
    let date = |status| {
        let busy = Response::new(status).with_date("Sun, 06 Nov 1994 08:49:37 GMT");
        busy.with_retry_after("Sun, 06 Nov 1994 08:50:07 GMT")
    };
    for deed in Deed::ALL {
        wire.lengths(deed).await?;
        for status in [429, 503] {
            for (answer, (asked, most)) in [seconds(status), date(status)].into_iter().zip(ASKED) {
                let form = answer.retry_after.clone().unwrap_or_default();
                let told =
                    |failure: Failure| failure.within(format!("{deed} is answered {status} with Retry-After: {form}"));
                let Err(error) = wire.disturbed(deed, 0, &Cut::Refuse(answer)).await? else {
                    // A call that may be repeated has been.
                    ensure!(deed != Deed::Create, "create is answered {status}, and has succeeded");
                    continue;
                };
                waits(&error, asked, most).map_err(told)?;
            }
        }
    }
    wire.end().await
}

fn waits(error: &Error, asked: Duration, most: Duration) -> Result<(), Failure> {
    ensure!(error.kind() == ErrorKind::Unavailable, "the caller is not told to come again: {error}");
    ensure!(error.throttled(), "the caller is not told that its rate is limited: {error}");
    let after = error.retry_after();
    let within = after.is_some_and(|after| (asked..=most).contains(&after));
    ensure!(within, "the server asks to wait {asked:?}, and the caller is told {after:?}");
    Ok(())
}
