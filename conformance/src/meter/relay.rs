//! One connection: bytes to and fro, unchanged, with an eye on where messages begin and end.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{Either, select};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::Book;
use super::message::{Body, Messages, Seen};

/// Bytes of one read.
const BUFFER: usize = 64 << 10;

/// The numbers of requests whose answers have not ended, with their methods.
#[derive(Default)]
struct Open(Mutex<VecDeque<(usize, String)>>);

impl Open {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(usize, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes bytes on until the server's side ends.
pub(super) async fn run(client: TcpStream, server: TcpStream, book: &Book) -> io::Result<()> {
    // A packet that waits for the other side's delayed acknowledgement would make every exchange slow.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let open = Open::default();
    let up = pin!(requests(from_client, to_server, book, &open));
    let down = pin!(answers(from_server, to_client, book, &open));
    match select(up, down).await {
        Either::Left((Ok(()), down)) => down.await,
        Either::Left((Err(error), _)) => Err(error),
        Either::Right((ended, _)) => ended,
    }
}

async fn requests(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, book: &Book, open: &Open) -> io::Result<()> {
    let (mut buffer, mut messages) = (vec![0; BUFFER], Messages::default());
    let mut number = 0;
    loop {
        let read = client.read(&mut buffer).await?;
        if read == 0 {
            return server.shutdown().await;
        }
        let mut bytes = &buffer[..read];
        while !bytes.is_empty() {
            if messages.is_between() {
                number = book.begin();
                open.lock().push_back((number, String::new()));
            }
            let (taken, seen) = messages.take(bytes);
            bytes = &bytes[taken..];
            book.note(number, |exchange| exchange.up += taken as u64);
            if let Seen::Head(head) = seen {
                messages.expect(Body::of_request(&head));
                let (method, target) = (head.word(0).to_owned(), head.word(1).to_owned());
                if let Some(last) = open.lock().back_mut() {
                    last.1.clone_from(&method);
                }
                book.note(number, |exchange| (exchange.method, exchange.target) = (method, target));
            }
        }
        server.write_all(&buffer[..read]).await?;
    }
}

async fn answers(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, book: &Book, open: &Open) -> io::Result<()> {
    let (mut buffer, mut messages) = (vec![0; BUFFER], Messages::default());
    loop {
        let read = server.read(&mut buffer).await?;
        let number = open.lock().front().map(|(number, _)| *number);
        if let Some(number) = number {
            book.gathered(number).await;
        }
        if read == 0 {
            // An answer without a length ends here.
            if let Some((number, _)) = open.lock().pop_front().filter(|_| !messages.is_between()) {
                book.end(number);
            }
            return client.shutdown().await;
        }
        let mut bytes = &buffer[..read];
        while !bytes.is_empty() {
            let (taken, seen) = messages.take(bytes);
            bytes = &bytes[taken..];
            let Some((number, method)) = open.lock().front().cloned() else { continue };
            book.note(number, |exchange| exchange.down += taken as u64);
            let interim = match seen {
                Seen::Head(head) => {
                    messages.expect(Body::of_answer(&head, &method));
                    book.note(number, |exchange| exchange.status = head.status());
                    (100..200).contains(&head.status())
                }
                _ => false,
            };
            // It is over before the client can know.
            if messages.is_between() && !interim {
                open.lock().pop_front();
                book.end(number);
            }
        }
        client.write_all(&buffer[..read]).await?;
    }
}
