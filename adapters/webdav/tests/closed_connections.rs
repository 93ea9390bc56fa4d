//! A busy server closes all connections that it kept, at any moment. Whoever comes then meets one after another of them.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longshore_core::{ByteRange, Created, Error, ErrorKind, ObjectKey, Outcome, Payload, Storage as _};
use longshore_http_script::{Answer, Script, response};
use longshore_webdav::WebDav;
use longshore_webdav_double::Double;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};

/// What is read of a server that closes so many connections before it answers.
async fn read(closed: usize) -> Result<String, Error> {
    let answers = std::iter::repeat_n(Answer::Close(Vec::new()), closed).chain([response(200, "", "here")]);
    let server = Script::new(answers).unwrap();
    let storage = WebDav::builder(format!("http://{}/dav", server.address())).with_anonymous().build().unwrap();
    let key = ObjectKey::new("segments/one").unwrap();
    let object = storage.get(&key, ByteRange::ALL).await?.value.unwrap();
    Ok(String::from_utf8(object.read(100).await?.to_vec()).unwrap())
}

#[tokio::test]
async fn three_of_them_are_borne() {
    for closed in 0..=3 {
        assert_eq!(read(closed).await.unwrap(), "here", "{closed}");
    }
}

#[tokio::test]
async fn a_server_that_closes_all_is_left() {
    let error = read(4).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    assert!(error.to_string().contains("the connection broke"), "{error}");
}

/// The way to a server, on which all connections that are there can be closed at once: each at the next byte of a request.
#[derive(Clone)]
struct Way {
    address: SocketAddr,
    /// Connections that were made before this one are closed.
    closed: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
}

impl Way {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (closed, made) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let way = Self { address: listener.local_addr().unwrap(), closed, made };
        let listening = way.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = listening.made.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(listening.clone().carry(client, server, number));
            }
        });
        way
    }

    async fn carry(self, client: TcpStream, server: SocketAddr, number: usize) {
        let (mut from, mut to) = client.into_split();
        let (mut answers, mut requests) = TcpStream::connect(server).await.unwrap().into_split();
        let back = tokio::spawn(async move { copy(&mut answers, &mut to).await.map(drop) });
        let mut bytes = vec![0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            if number < self.closed.load(Ordering::SeqCst) || requests.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
        back.abort();
    }

    fn close_all(&self) {
        self.closed.store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// As many were kept as there were requests at once: more than any request is tried.
#[tokio::test]
async fn all_of_many_are_borne() {
    let double = Double::start().unwrap();
    let way = Way::to(double.address()).await;
    let url = format!("http://{}/store", way.address);
    let storage = WebDav::builder(url).with_password(Double::USER, Double::PASSWORD).build().unwrap();
    let blob = |number: usize| ObjectKey::new(format!("segments/{number}")).unwrap();
    let record = |number: usize| ObjectKey::new(format!("records/{number:016}/data")).unwrap();
    // The folders, and the login, are known from now on.
    storage.put(&blob(1000), Payload::from("x")).await.unwrap();
    storage.create(&record(1000), "x".into()).await.unwrap();
    for round in 0..4 {
        let blobs: Vec<ObjectKey> = (0..24).map(blob).collect();
        futures::future::try_join_all(blobs.iter().map(|blob| storage.get(blob, ByteRange::ALL))).await.unwrap();
        way.close_all();
        match round {
            0 => drop(storage.put(&blob(round), Payload::from("x")).await.unwrap()),
            1 => assert_eq!(storage.create(&record(round), "x".into()).await.unwrap().value, Created::Created),
            2 => assert!(storage.get(&blob(0), ByteRange::ALL).await.unwrap().value.is_some()),
            _ => drop(storage.delete(&blob(0)).await.unwrap()),
        }
    }
}
