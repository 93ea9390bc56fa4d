//! One connection: bytes to and fro, until a plan says otherwise.

use std::io;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Cut, Plan, Response};

/// Bytes of one read.
const BUFFER: usize = 16 << 10;
/// A request that says no more for so long is whole: the proxy does not read lengths.
const WHOLE: Duration = Duration::from_millis(60);

/// Whose turn it is to speak, and how far it came.
struct Exchange {
    cut: Cut,
    request: u64,
    response: u64,
}

impl Exchange {
    fn begin(plan: &Plan) -> Self {
        Self { cut: plan.next(), request: 0, response: 0 }
    }
}

/// Passes bytes on until either end closes or a plan ends the connection.
pub(super) async fn run(mut client: TcpStream, mut server: TcpStream, plan: &Plan) -> io::Result<()> {
    let (mut from_client, mut from_server) = (vec![0; BUFFER], vec![0; BUFFER]);
    let mut exchange: Option<Exchange> = None;
    loop {
        match next(&mut client, &mut from_client, &mut server, &mut from_server).await? {
            Spoke::Client(0) => return server.shutdown().await,
            Spoke::Server(0) => return client.shutdown().await,
            Spoke::Client(read) => {
                let mut now = exchange.take().filter(|now| now.response == 0).unwrap_or_else(|| Exchange::begin(plan));
                if request(&mut now, &from_client[..read], &mut client, &mut server, plan).await?.is_end() {
                    return Ok(());
                }
                exchange = Some(now);
            }
            Spoke::Server(read) => {
                let Some(now) = &mut exchange else { continue };
                if response(now, &from_server[..read], &mut client).await?.is_end() {
                    return Ok(());
                }
            }
        }
    }
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
    match now.cut.clone() {
        Cut::RequestAfter(most) => {
            let room = usize::try_from(most - now.request).unwrap_or(usize::MAX).min(bytes.len());
            server.write_all(&bytes[..room]).await?;
            now.request += room as u64;
            if now.request == most {
                return Ok(Then::End);
            }
        }
        Cut::Refuse(answer) => return refuse(&answer, client).await,
        Cut::Hold => return hold(bytes, client, server, plan).await.map(|()| Then::GoOn),
        _ => server.write_all(bytes).await?,
    }
    Ok(Then::GoOn)
}

async fn response(now: &mut Exchange, bytes: &[u8], client: &mut TcpStream) -> io::Result<Then> {
    let before = now.response;
    now.response += bytes.len() as u64;
    let left = |most: u64| usize::try_from(most.saturating_sub(before)).unwrap_or(usize::MAX).min(bytes.len());
    match &now.cut {
        Cut::Stall => {}
        Cut::Instead(answer) => return refuse(answer, client).await,
        Cut::ResponseAfter(most) | Cut::ResetAfter(most) | Cut::HalfCloseAfter(most) => {
            let room = left(*most);
            client.write_all(&bytes[..room]).await?;
            if now.response >= *most {
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
            // What the client still sends is read, and goes nowhere.
            let mut rest = vec![0; BUFFER];
            while client.read(&mut rest).await? > 0 {}
        }
        _ => {}
    }
    Ok(Then::End)
}

/// Reads the request to its end, so that closing does not reset what was answered.
async fn refuse(answer: &Response, client: &mut TcpStream) -> io::Result<Then> {
    let mut rest = vec![0; BUFFER];
    while let Ok(Ok(1..)) = tokio::time::timeout(WHOLE, client.read(&mut rest)).await {}
    client.write_all(&answer.bytes()).await?;
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
    released.await;
    server.write_all(&[*last]).await
}
