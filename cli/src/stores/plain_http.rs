//! Servers that are reached without TLS: their connections can be led through a proxy that cuts them.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use longshore::HttpOptions;

/// How long a server has to take a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// After how long without a byte the suite wants a client to give up: at most a second.
const IDLE: Duration = Duration::from_millis(800);
const SCHEME: &str = "http://";

/// Where the server at this address takes connections, or why none can be cut. It blocks.
pub(super) fn listens(address: &str) -> Result<SocketAddr, String> {
    let Some(rest) = address.strip_prefix(SCHEME) else {
        return Err(
            "its connections are within TLS, where a proxy can neither see what it cuts nor be the server".into()
        );
    };
    let (host, _) = split(rest);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = if has_port { host.to_owned() } else { format!("{host}:80") };
    let found = host.to_socket_addrs().map_err(|error| format!("{host} cannot be found ({error})"))?;
    // A name may have addresses at which nobody listens.
    let takes = |address: &SocketAddr| TcpStream::connect_timeout(address, PATIENCE).is_ok();
    found.into_iter().find(takes).ok_or_else(|| format!("{host} takes no connections"))
}

/// The same address at another server.
pub(super) fn at(address: &str, server: SocketAddr) -> String {
    let (_, path) = split(address.strip_prefix(SCHEME).unwrap_or(address));
    format!("{SCHEME}{server}{path}")
}

/// The host with its port, and what follows.
fn split(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

pub(super) fn options() -> HttpOptions {
    HttpOptions::default().with_idle_timeout(IDLE)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_server_is_found_by_its_name_or_number() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let port = there.port();
        for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
            for path in ["", "/", "/dav/store/?x=1"] {
                assert_eq!(listens(&format!("http://{host}{path}")), Ok(there), "{host}{path}");
            }
        }
        drop(listener);
        assert!(listens(&format!("http://{there}/")).unwrap_err().ends_with("takes no connections"));
        assert!(listens(&format!("https://{there}/")).unwrap_err().contains("TLS"));
    }

    #[test]
    fn only_the_server_is_another() {
        let proxy = SocketAddr::from(([127, 0, 0, 1], 4000));
        assert_eq!(at("http://nas", proxy), "http://127.0.0.1:4000");
        assert_eq!(at("http://[::1]:80/dav/a%20b/", proxy), "http://127.0.0.1:4000/dav/a%20b/");
    }
}
