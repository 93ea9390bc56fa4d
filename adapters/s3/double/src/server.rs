//! The socket, and the thread behind it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use longshore_http_script::{HttpServer, Scheme};

use crate::objects::{Kind, Objects};
use crate::request;

/// A running server.
#[derive(Debug)]
pub struct Double {
    objects: Arc<Objects>,
    http: HttpServer,
}

impl Double {
    /// The only bucket.
    pub const BUCKET: &'static str = "test";
    /// The only access key. Its secret may be anything: no signature is checked.
    pub const ACCESS_KEY: &'static str = "double";
    /// Where the bucket is, as it says when it refuses with `PermanentRedirect`.
    pub const OTHER_REGION: &'static str = "eu-west-3";
    /// The authority, in PEM, that signed the certificate of those with TLS. No machine trusts it.
    pub const AUTHORITY: &'static str = HttpServer::AUTHORITY;

    /// Starts one on a free port.
    pub fn start(kind: Kind) -> io::Result<Self> {
        Self::begin(kind, Scheme::Http)
    }

    /// Starts one on a free port, which speaks TLS only.
    pub fn start_with_tls(kind: Kind) -> io::Result<Self> {
        Self::begin(kind, Scheme::Https)
    }

    fn begin(kind: Kind, scheme: Scheme) -> io::Result<Self> {
        let objects = Arc::new(Objects::new(kind));
        let served = Arc::clone(&objects);
        let answer = move |request| {
            let objects = Arc::clone(&served);
            async move { request::answer(&objects, request).await }
        };
        Ok(Self { objects, http: HttpServer::start(scheme, answer)? })
    }

    /// Answers this many more requests, and then its bucket is gone, with all that was in it.
    pub fn drop_bucket_after(&self, requests: u64) {
        self.objects.trouble().bucket_left = Some(requests);
    }

    /// Its bucket is there again, and empty if it was gone.
    pub fn make_bucket(&self) {
        self.objects.trouble().bucket_left = None;
    }

    /// Refuses each write with this status and, unless it is empty, this code, and applies none: a server that is full, or
    /// does not let us write.
    pub fn fail_writes(&self, status: u16, code: &str) {
        self.objects.trouble().writes = Some((status, code.to_owned()));
    }

    /// Takes writes again.
    pub fn take_writes(&self) {
        self.objects.trouble().writes = None;
    }

    /// Refuses each request with this status and this code.
    pub fn fail_all(&self, status: u16, code: &str) {
        self.objects.trouble().all = Some((status, code.to_owned()));
    }

    /// Answers requests again.
    pub fn fail_none(&self) {
        self.objects.trouble().all = None;
    }

    /// Keeps nothing of the parts of uploads from now on, which may be of any size then: their objects are empty.
    pub fn forget_parts(&self) {
        self.objects.trouble().forgets_parts = true;
    }

    /// How many bytes of bodies have come.
    pub fn received(&self) -> u64 {
        self.objects.received()
    }

    /// The keys of all objects, ascending.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        self.objects.keys("", "", |key, _| {
            keys.push(key.to_owned());
            true
        });
        keys
    }

    /// Stores an object, as another program would.
    pub fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.objects.store(key, bytes.into());
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.http.address()
    }

    /// How many uploads in parts have begun, and are neither complete nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.objects.open_uploads()
    }

    /// Its endpoint, as `http://127.0.0.1:port`, or `https` if it speaks TLS.
    pub fn endpoint(&self) -> String {
        self.http.origin()
    }
}
