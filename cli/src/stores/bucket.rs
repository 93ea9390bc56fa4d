//! A bucket of an S3-compatible service.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use longshore::{Error, ErrorKind, Result, S3, S3Builder, Storage};
use longshore_conformance::doctor::{Finding, Health};

use super::{Kind, plain_http};
use crate::hint;

/// An access key that no server knows.
const NO_SUCH_KEY: &str = "LONGSHORENOSUCHKEY00";

/// A store in a bucket.
pub(super) struct Bucket {
    url: String,
}

impl Bucket {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// A client with the address' settings, altered.
    fn altered(&self, alter: impl Fn(S3Builder) -> Result<S3Builder>) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(alter(S3::builder_from(&self.url)?)?.build()?))
    }

    /// The endpoint that the address, or the environment, gives; none for AWS itself.
    fn endpoint(&self) -> Option<String> {
        S3::builder_from(&self.url).ok()?.endpoint()
    }

    /// Whether the address' settings are so; no for an address that is wrong.
    fn is(&self, so: impl Fn(&S3Builder) -> bool) -> bool {
        S3::builder_from(&self.url).is_ok_and(|builder| so(&builder))
    }
}

impl Kind for Bucket {
    fn open(&self) -> Result<Arc<dyn Storage>> {
        longshore::open_storage(&self.url)
    }

    /// The same server has no bucket of a random name. One that is reached at its own host cannot be replaced by another.
    fn open_missing_root(&self) -> Option<Result<Arc<dyn Storage>>> {
        let missing = || self.altered(|builder| Ok(builder.with_bucket(no_such_bucket()?)));
        (!self.is(S3Builder::is_host_of_bucket)).then(missing)
    }

    fn open_with_wrong_credentials(&self) -> Option<Result<Arc<dyn Storage>>> {
        let wrong = || self.altered(|builder| Ok(builder.with_credentials(NO_SUCH_KEY, "no-such-secret", None)));
        (!self.is(S3Builder::is_anonymous)).then(wrong)
    }

    /// The proxy is asked under its own address, which takes a host's name with it.
    fn server(&self) -> std::result::Result<SocketAddr, String> {
        if self.is(S3Builder::is_host_of_bucket) {
            return Err("its endpoint names the bucket, and through a proxy it would have another name".to_owned());
        }
        plain_http::listens(&self.endpoint().unwrap_or_default())
    }

    fn open_via(&self, proxy: SocketAddr) -> Result<Arc<dyn Storage>> {
        let endpoint = plain_http::at(&self.endpoint().unwrap_or_default(), proxy);
        self.altered(|builder| {
            Ok(builder.with_endpoint(&endpoint).with_allow_http(true).with_http(plain_http::options()))
        })
    }

    fn look(&self) -> Vec<Finding> {
        if !self.endpoint().is_some_and(|endpoint| is_open_to_all(&endpoint)) {
            return Vec::new();
        }
        let text = "requests go to another machine without TLS: everyone on the way can read and change the documents; \
                    use https";
        vec![Finding { topic: "endpoint", health: Health::Warning, text: text.to_owned() }]
    }

    fn removal(&self, names: &[String]) -> Option<String> {
        let address = self.url.split('?').next()?.trim_end_matches('/');
        let endpoint = self.endpoint().map(|endpoint| format!(" --endpoint-url {}", hint::quoted(&endpoint)));
        let places: Vec<String> = names.iter().map(|name| format!("--include '{name}/*'")).collect();
        let places = places.join(" ");
        let from = hint::quoted(&format!("{address}/"));
        Some(format!("aws s3 rm {from} --recursive --exclude '*' {places}{}", endpoint.unwrap_or_default()))
    }

    fn next_step(&self, error: &Error) -> Option<String> {
        // Some messages say it already: they name what to set, or ask what may be wrong.
        if error.message().contains("AWS_") || error.message().ends_with('?') {
            return None;
        }
        let step = match error.kind() {
            ErrorKind::Denied => {
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do in this bucket"
            }
            ErrorKind::Missing => "check the bucket's name, and the endpoint",
            ErrorKind::Full => "make room there, then try again; nothing is lost",
            ErrorKind::Unavailable if error.throttled() => "try again later; nothing is lost",
            ErrorKind::Unavailable => {
                let server = self
                    .endpoint()
                    .map_or_else(|| "the region".to_owned(), |endpoint| format!("the endpoint {endpoint}"));
                return Some(format!("check the network and {server}, or try again later; nothing is lost"));
            }
            _ => return None,
        };
        Some(step.to_owned())
    }
}

/// All buckets of AWS share one space of names, so a fixed one might be taken.
fn no_such_bucket() -> Result<String> {
    Ok(format!("longshore-none-{}", super::random()?))
}

/// Whether an endpoint is on another machine, and reached without TLS.
fn is_open_to_all(endpoint: &str) -> bool {
    let Some(rest) = endpoint.strip_prefix("http://") else { return false };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let here =
        name == "localhost" || name.ends_with(".localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    !here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_to_another_machine_is_open_to_all() {
        for here in ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost", "http://s3.localhost:1/x"] {
            assert!(!is_open_to_all(here), "{here}");
        }
        for far in ["http://10.0.0.1:9000", "http://[2001:db8::1]", "http://localhost.example.org", "http://nas"] {
            assert!(is_open_to_all(far), "{far}");
        }
        assert!(!is_open_to_all("https://10.0.0.1"));
    }

    #[test]
    fn what_is_open_to_all_is_a_warning() {
        let looked = |endpoint| Bucket::new(&format!("s3://b/?allow_http=true&endpoint={endpoint}")).look();
        assert_eq!(looked("http://nas:9000").first().map(|finding| finding.health), Some(Health::Warning));
        assert!(looked("http://127.0.0.1:9000").is_empty() && looked("https://nas:9000").is_empty());
    }

    #[test]
    fn a_next_step_is_said_once() {
        let next = |kind, message: &'static str| Bucket::new("s3://b").next_step(&Error::new(kind, message));
        assert!(next(ErrorKind::Denied, "the server does not know the access key").is_some());
        assert_eq!(next(ErrorKind::Denied, "no credentials were found: set AWS_ACCESS_KEY_ID"), None);
        assert_eq!(next(ErrorKind::Denied, "the signature does not match: is the secret key right?"), None);
    }

    #[test]
    fn scratch_places_are_removed_by_one_command() {
        let bucket = Bucket::new("s3://b/notes/?endpoint=https://example.org");
        assert_eq!(
            bucket.removal(&["doctor-1".to_owned(), "doctor-2".to_owned()]).unwrap(),
            "aws s3 rm s3://b/notes/ --recursive --exclude '*' --include 'doctor-1/*' --include 'doctor-2/*' \
             --endpoint-url https://example.org"
        );
    }

    #[test]
    fn what_cannot_be_altered_is_not_claimed() {
        let own_host = Bucket::new("s3://b/?endpoint=https://b.example.org&virtual_hosted_style=true");
        assert!(own_host.open_missing_root().is_none() && own_host.open_with_wrong_credentials().is_some());
        let anonymous = Bucket::new("s3://b/?anonymous=true&endpoint=https://example.org");
        assert!(anonymous.open_missing_root().is_some() && anonymous.open_with_wrong_credentials().is_none());
        let wrong = Bucket::new("s3://b/?colour=blue").open_missing_root().unwrap();
        assert!(wrong.is_err_and(|error| error.kind() == ErrorKind::Invalid));
    }
}
