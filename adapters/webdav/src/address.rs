//! `webdavs://host/path` addresses.

use longshore_core::Result;
use longshore_http::{HttpOptions, read_certificates};
use url::Url;

use crate::builder::{WebDavBuilder, hides_password, password_cut};
use crate::place::invalid;

/// The schemes, and what they stand for.
const SCHEMES: [(&str, &str); 4] =
    [("webdavs", "https"), ("webdav+https", "https"), ("webdav", "http"), ("webdav+http", "http")];

/// The settings that an address gives.
pub(crate) fn parse(address: &str) -> Result<WebDavBuilder> {
    let (scheme, rest) =
        address.split_once("://").ok_or_else(|| invalid("it is malformed: write webdavs://host/path"))?;
    // Read as an http address, the first part of such a path would be taken for the host.
    if rest.starts_with(['/', '\\']) {
        return Err(invalid("it names no host: write webdavs://host/path"));
    }
    if hides_password(address) {
        return Err(password_cut());
    }
    let (typed, http) = SCHEMES
        .iter()
        .find(|(name, _)| *name == scheme)
        .ok_or_else(|| invalid("its scheme is not webdavs or webdav"))?;
    let mut url =
        Url::parse(&format!("{http}://{rest}")).map_err(|_| invalid("it is malformed: write webdavs://host/path"))?;
    let mut options = HttpOptions::default();
    for (name, value) in url.query_pairs() {
        match &*name {
            "ca" => options = options.with_root_certificate(read_certificates(&value)?),
            // The name may be a secret in the wrong place.
            _ => return Err(invalid("it has a parameter that is not known; known is ca")),
        }
    }
    url.set_query(None);
    // Its password is taken from it when it is built, and not kept in any address.
    Ok(WebDavBuilder::new(url.into()).with_http(options).typed_as(typed))
}

#[cfg(test)]
mod tests {
    use longshore_core::ErrorKind;

    use super::*;

    #[test]
    fn all_four_schemes_are_known() {
        for (scheme, http) in SCHEMES {
            let storage = parse(&format!("{scheme}://me:sesame@host:8080/my%20notes")).unwrap().build().unwrap();
            assert_eq!(storage.address(), format!("{http}://host:8080/my%20notes/"));
            assert!(!format!("{storage:?}").contains("sesame"));
        }
    }

    #[test]
    fn malformed_addresses_are_refused_and_not_repeated() {
        for address in [
            "webdav",
            "webdav:sesame",
            "webdav://",
            "webdav:///sesame",
            "webdavs://host:sesame/",
            "webdavs://host/?sesame=1",
            "webdavs://host/#sesame",
            "webdavs://me%3Ayou:sesame@host/",
            "webdavs://host/a//sesame",
            // Passwords that begin with what ends a host.
            "webdavs://me:/sesame@host/",
            "webdavs://me:\\sesame@host/",
            "webdavs://me:?sesame@host/",
            "webdavs://me:#sesame@host/",
            "sesame://host/",
        ] {
            let error = parse(address).and_then(WebDavBuilder::build).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{address}: {error}");
            assert!(!format!("{error} {error:?}").contains("sesame"), "{address}: {error:?}");
        }
    }
}
