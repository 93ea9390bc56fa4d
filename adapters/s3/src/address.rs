//! `s3://bucket/prefix?parameter=value` addresses.

use longshore_core::{Error, ErrorKind, Result};
use longshore_http::read_certificates;
use url::Url;

use crate::builder::S3Builder;

/// The settings that an address gives.
pub(crate) fn parse(address: &str) -> Result<S3Builder> {
    let url = Url::parse(address).map_err(|_| invalid("it is malformed: write s3://bucket/prefix"))?;
    if url.scheme() != "s3" {
        return Err(invalid("its scheme is not s3"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(
            "credentials do not belong into an address; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ));
    }
    if url.port().is_some() || url.fragment().is_some() {
        return Err(invalid("it names a bucket, not a host: write s3://bucket/prefix?endpoint=https://host:port"));
    }
    let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| invalid("it names no bucket"))?;
    let path = url.path().trim_matches('/');
    if path.contains('%') {
        return Err(invalid("its prefix has characters that need an escape; use plain letters, digits, - . and _"));
    }
    let mut builder = S3Builder::new(bucket.to_owned()).with_prefix(path);
    let (mut encryption, mut kms_key) = (None, None);
    for (name, value) in url.query_pairs() {
        let value = value.into_owned();
        builder = match &*name {
            "region" => builder.with_region(value),
            "endpoint" => builder.with_endpoint(value),
            "allow_http" => builder.with_allow_http(truth(&value)?),
            "virtual_hosted_style" => builder.with_virtual_hosted_style(truth(&value)?),
            "anonymous" => builder.with_anonymous(truth(&value)?),
            "storage_class" => builder.with_storage_class(value),
            "sse" => {
                encryption = Some(value);
                builder
            }
            "kms_key_id" => {
                kms_key = Some(value);
                builder
            }
            "ca" => builder.with_root_certificate(read_certificates(&value)?),
            // The name may be a secret in the wrong place.
            _ => {
                return Err(invalid(
                    "it has a parameter that is not known; known are region, endpoint, allow_http, \
                 virtual_hosted_style, anonymous, storage_class, sse, kms_key_id and ca",
                ));
            }
        };
    }
    match encryption {
        Some(kind) => Ok(builder.with_encryption(kind, kms_key)),
        None if kms_key.is_some() => Err(invalid("kms_key_id needs sse=aws:kms")),
        None => Ok(builder),
    }
}

fn truth(text: &str) -> Result<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid("allow_http, virtual_hosted_style and anonymous are true or false")),
    }
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, what).with_operation("open").with_key("the store's address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_addresses_are_refused_and_not_repeated() {
        for address in [
            "s3://",
            "s3:///prefix",
            "s3://key:sesame@bucket/",
            "s3://sesame@bucket/",
            "s3://bucket:9000/",
            "s3://bucket/#sesame",
            "s3://bucket/a%20b",
            "s3://bucket/?secret=sesame",
            "s3://bucket/?anonymous=sesame",
            "s3://bucket/?kms_key_id=sesame",
            "s3://bucket/?endpoint=http://host&allow_http=false",
            "s3://bucket/?endpoint=ftp://host&allow_http=true",
            "s3://bucket/?endpoint=https://user:sesame@host",
            "s3://bucket/?endpoint=sesame",
            "s3://bucket/a//b",
        ] {
            let error = parse(address).and_then(S3Builder::build).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{address}: {error}");
            assert!(!format!("{error} {error:?}").contains("sesame"), "{address}: {error:?}");
        }
    }
}
