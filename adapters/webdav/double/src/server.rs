//! The socket, and the thread behind it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use longshore_http_script::{HttpServer, Scheme};
use tempfile::TempDir;

use crate::answer::Served;
use crate::moves::Moves;

/// A running server.
pub struct Double {
    served: Arc<Served>,
    // It ends before its folder goes.
    http: HttpServer,
    folder: TempDir,
}

impl Double {
    /// The only user.
    pub const USER: &'static str = "dav";
    /// The user's password.
    pub const PASSWORD: &'static str = "dav-pass-1";
    /// The authority, in PEM, that signed the certificate of those with TLS. No machine trusts it.
    pub const AUTHORITY: &'static str = HttpServer::AUTHORITY;

    /// Starts one on a free port.
    pub fn start() -> io::Result<Self> {
        Self::begin(Scheme::Http)
    }

    /// Starts one on a free port, which speaks TLS only.
    pub fn start_with_tls() -> io::Result<Self> {
        Self::begin(Scheme::Https)
    }

    fn begin(scheme: Scheme) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("store"))?;
        let served = Arc::new(Served::new(folder.path()));
        let answering = Arc::clone(&served);
        let answer = move |request| {
            let served = Arc::clone(&answering);
            async move { Ok::<_, Infallible>(served.answer(request).await) }
        };
        Ok(Self { served, http: HttpServer::start(scheme, answer)?, folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.http.address()
    }

    /// The address of something in the folder that it serves.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.http.origin())
    }

    /// The folder that it serves.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Answers every request with this status and this page for people, as a login form does in a server's place.
    pub fn show_page(&self, status: u16, page: &str) {
        self.served.trouble().page = Some((status, page.to_owned()));
    }

    /// Answers every request that would alter something with this status, and alters nothing.
    pub fn refuse_writes(&self, status: u16) {
        self.served.trouble().writes = Some(status);
    }

    /// Moves so from now on.
    pub fn move_so(&self, moves: Moves) {
        self.served.trouble().moves = moves;
    }

    /// How many requests showed a password that is not the user's.
    pub fn wrong_logins(&self) -> usize {
        self.served.wrong_logins()
    }

    /// Does again what it is asked.
    pub fn recover(&self) {
        *self.served.trouble() = crate::answer::Trouble::default();
    }
}
