//! One connection: bytes to and fro, until a plan says otherwise.

use std::io;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Cut, Passed, Plan};

/// Bytes of one read.
const BUFFER: usize = 16 << 10;
/// A request that says no more for so long is whole: the proxy does not read lengths.
const WHOLE: Duration = Duration::from_millis(60);

/// What HTTP never begins with.
const BABBLE: &[u8] = b"220 this is no web server\r\n";

/// Whose turn it is to speak, and how far it came.
struct Exchange {
    cut: Cut,
    number: usize,
    passed: Passed,
}

impl Exchange {
    fn begin(plan: &Plan) -> Self {
        let (cut, number) = plan.next();
        Self { cut, number, passed: Passed::default() }
    }

    /// Whether the client is to get nothing more, and no end either.
    fn is_stalled(&self) -> bool {
        self.cut == Cut::Stall || matches!(self.cut, Cut::StallAfter(most) if self.passed.response >= most)
    }
}

/// How many of these bytes may pass, of `most` in all.
fn room(most: u64, before: u64, bytes: &[u8]) -> usize {
    usize::try_from(most.saturating_sub(before)).unwrap_or(usize::MAX).min(bytes.len())
}

/// Passes bytes on until either end closes or a plan ends the connection.
pub(super) async fn run(mut client: TcpStream, mut server: TcpStream, plan: &Plan) -> io::Result<()> {
    server.set_nodelay(true)?;
    let (mut from_client, mut from_server) = (vec![0; BUFFER], vec![0; BUFFER]);
    let mut exchange: Option<Exchange> = None;
    loop {
        match next(&mut client, &mut from_client, &mut server, &mut from_server).await? {
            Spoke::Client(0) => return server.shutdown().await,
            Spoke::Server(0) => {
                if exchange.is_some_and(|now| now.is_stalled()) {
                    return drain(&mut client).await;
                }
                return client.shutdown().await;
            }
            Spoke::Client(read) => {
                let same = exchange.take().filter(|now| now.passed.response == 0);
                let mut now = same.unwrap_or_else(|| Exchange::begin(plan));
                if request(&mut now, &from_client[..read], &mut client, &mut server, plan).await?.is_end() {
                    return Ok(());
                }
                exchange = Some(now);
            }
            Spoke::Server(read) => {
                let Some(now) = &mut exchange else { continue };
                let then = response(now, &from_server[..read], &mut client).await;
                plan.saw(now.number, now.passed);
                if then?.is_end() {
                    return Ok(());
                }
            }
        }
    }
}

/// What is still sent is read, and goes nowhere.
async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut rest = vec![0; BUFFER];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Who spoke, and how many bytes; none at the end.
enum Spoke {
    Client(usize),
    Server(usize),
}

async fn next(client: &mut TcpStream, one: &mut [u8], server: &mut TcpStream, two: &mut [u8]) -> io::Result<Spoke> {
    let (from_client, from_server) = (pin!(client.read(one)), pin!(server.read(two)));
    match select(from_client, from_server).await {
        Either::Left((read, _)) => read.map(Spoke::Client),
        Either::Right((read, _)) => read.map(Spoke::Server),
    }
}

/// Whether the connection goes on.
enum Then {
    GoOn,
    End,
}

impl Then {
    fn is_end(&self) -> bool {
        matches!(self, Self::End)
    }
}

async fn request(
    now: &mut Exchange,
    bytes: &[u8],
    client: &mut TcpStream,
    server: &mut TcpStream,
    plan: &Plan,
) -> io::Result<Then> {
    let before = now.passed.request;
    now.passed.request += bytes.len() as u64;
    plan.saw(now.number, now.passed);
    match now.cut.clone() {
        Cut::RequestAfter(most) | Cut::ResetRequestAfter(most) | Cut::HalfCloseRequestAfter(most) => {
            server.write_all(&bytes[..room(most, before, bytes)]).await?;
            let first = before == 0 || before < most;
            if now.passed.request >= most && first {
                return end_of_request(&now.cut, server).await;
            }
        }
        Cut::Refuse(answer) => return refuse(&answer.bytes(), client).await,
        Cut::Babble => return refuse(BABBLE, client).await,
        Cut::Hold => {
            hold(bytes, client, server, plan).await?;
            // Whatever the client took its time to say is not held once more.
            now.cut = Cut::None;
        }
        _ => server.write_all(bytes).await?,
    }
    Ok(Then::GoOn)
}

async fn end_of_request(cut: &Cut, server: &mut TcpStream) -> io::Result<Then> {
    match cut {
        Cut::HalfCloseRequestAfter(_) => return server.shutdown().await.map(|()| Then::GoOn),
        Cut::ResetRequestAfter(_) => server.set_zero_linger()?,
        _ => {}
    }
    Ok(Then::End)
}

async fn response(now: &mut Exchange, bytes: &[u8], client: &mut TcpStream) -> io::Result<Then> {
    let before = now.passed.response;
    now.passed.response += bytes.len() as u64;
    match &now.cut {
        Cut::Stall => {}
        Cut::StallAfter(most) => client.write_all(&bytes[..room(*most, before, bytes)]).await?,
        Cut::Instead(answer) => return refuse(&answer.bytes(), client).await,
        Cut::ResponseAfter(most) | Cut::ResetAfter(most) | Cut::HalfCloseAfter(most) => {
            client.write_all(&bytes[..room(*most, before, bytes)]).await?;
            if now.passed.response >= *most {
                return end(&now.cut, client).await;
            }
        }
        _ => client.write_all(bytes).await?,
    }
    Ok(Then::GoOn)
}

async fn end(cut: &Cut, client: &mut TcpStream) -> io::Result<Then> {
    match cut {
        Cut::ResetAfter(_) => client.set_zero_linger()?,
        Cut::HalfCloseAfter(_) => {
            client.shutdown().await?;
            drain(client).await?;
        }
        _ => {}
    }
    Ok(Then::End)
}

/// Reads the request to its end, so that closing does not reset what was answered.
async fn refuse(answer: &[u8], client: &mut TcpStream) -> io::Result<Then> {
    let mut rest = vec![0; BUFFER];
    while let Ok(Ok(1..)) = tokio::time::timeout(WHOLE, client.read(&mut rest)).await {}
    client.write_all(answer).await?;
    client.shutdown().await?;
    Ok(Then::End)
}

/// Gathers the request, sends all of it but one byte, and that one when it is released.
async fn hold(first: &[u8], client: &mut TcpStream, server: &mut TcpStream, plan: &Plan) -> io::Result<()> {
    let released = plan.released.notified();
    tokio::pin!(released);
    released.as_mut().enable();
    let (mut whole, mut more) = (first.to_vec(), vec![0; BUFFER]);
    while let Ok(read @ 1..) = tokio::time::timeout(WHOLE, client.read(&mut more)).await.unwrap_or(Ok(0)) {
        whole.extend_from_slice(&more[..read]);
    }
    let (last, before) = whole.split_last().unwrap_or((&0, &[]));
    server.write_all(before).await?;
    plan.held.send_modify(|held| *held += 1);
    released.await;
    server.write_all(&[*last]).await
}
