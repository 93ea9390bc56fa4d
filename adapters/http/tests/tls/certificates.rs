//! Made for these tests only: a certificate of `127.0.0.1` and `localhost`, and the authority that signed it.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) const AUTHORITY: &str = include_str!("authority.pem");
const SERVER: &str = include_str!("server.pem");
const KEY: &str = include_str!("server-key.pem");

/// The server's end of a connection, which offers these protocols.
pub(crate) fn serve(stream: TcpStream, protocols: &[&str]) -> StreamOwned<ServerConnection, TcpStream> {
    let chain = vec![CertificateDer::from_pem_slice(SERVER.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}
