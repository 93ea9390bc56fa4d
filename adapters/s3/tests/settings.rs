//! What a setting promises is in the requests: an object is stored as its owner asked, and nobody's keys go where none are wanted.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

#[allow(dead_code, reason = "other tests use the rest")]
mod support;

use bytes::Bytes;
use longshore_core::{Payload, Storage as _};
use longshore_http_script::{Answer, Script, response};
use longshore_s3::{HttpOptions, S3, S3Builder};
use support::{record, script, segment};

const TAG: &str = "ETag: \"0\"\r\n";

/// A bucket on this server.
fn bucket(server: &Script) -> S3Builder {
    let builder = S3::builder("test").with_endpoint(format!("http://{}", server.address())).with_allow_http(true);
    builder.with_credentials("key", "secret", None).with_http(HttpOptions::default())
}

/// The heads of the requests of a `create`, in lower case.
async fn creates(server: &Script, bucket: S3Builder) -> Vec<String> {
    bucket.build().unwrap().create(&record(), "mine".into()).await.unwrap();
    heads(server)
}

fn heads(server: &Script) -> Vec<String> {
    server.requests().iter().map(|head| head.to_lowercase()).collect()
}

fn stored() -> Script {
    script([response(200, TAG, "")])
}

/// The answers to an upload in three parts.
fn stored_in_parts() -> Vec<Answer> {
    let part = response(200, TAG, "");
    let begun = "<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>";
    let ended = "<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>";
    vec![response(200, "", begun), part.clone(), part.clone(), part, response(200, "", ended)]
}

/// The heads that decide how an object is kept: of a small one, and of one that goes up in parts.
async fn kept(alter: impl Fn(S3Builder) -> S3Builder) -> [String; 2] {
    let (one, parts) = (stored(), script(stored_in_parts()));
    let single = creates(&one, alter(bucket(&one))).await.remove(0);
    let large = Payload::from(Bytes::from(vec![7; (16 << 20) + 1]));
    alter(bucket(&parts)).build().unwrap().put(&segment(), large).await.unwrap();
    let multipart = heads(&parts).remove(0);
    assert!(single.starts_with("put ") && multipart.starts_with("post /test/domains/main/segments/one?uploads"));
    assert_eq!(parts.left(), 0);
    [single, multipart]
}

#[tokio::test]
async fn the_storage_class_is_sent_with_every_object() {
    for head in kept(|bucket| bucket.with_storage_class("STANDARD_IA")).await {
        assert!(head.contains("\r\nx-amz-storage-class: standard_ia\r\n"), "{head}");
    }
    for head in kept(|bucket| bucket).await {
        assert!(!head.contains("x-amz-storage-class") && !head.contains("x-amz-server-side-encryption"), "{head}");
    }
}

#[tokio::test]
async fn the_encryption_is_sent_with_every_object() {
    for (kind, key) in
        [("AES256", None), ("aws:kms", None), ("aws:kms", Some("our-key")), ("aws:kms:dsse", Some("our-key"))]
    {
        for head in kept(|bucket| bucket.with_encryption(kind, key.map(str::to_owned))).await {
            let asked = format!("\r\nx-amz-server-side-encryption: {}\r\n", kind.to_lowercase());
            assert!(head.contains(&asked), "{kind}: {head}");
            let with_key = head.contains("\r\nx-amz-server-side-encryption-aws-kms-key-id: our-key\r\n");
            assert_eq!(with_key, key.is_some(), "{kind}: {head}");
        }
    }
}

#[tokio::test]
async fn what_is_anonymous_is_not_signed() {
    let (open, signed) = (stored(), stored());
    let head = creates(&open, bucket(&open).with_anonymous(true)).await.remove(0);
    assert!(!head.contains("\r\nauthorization:") && !head.contains("x-amz-security-token"), "{head}");
    let head = creates(&signed, bucket(&signed)).await.remove(0);
    assert!(head.contains("\r\nauthorization: aws4-hmac-sha256 credential=key/"), "{head}");
}

#[tokio::test]
async fn a_session_token_is_sent_and_signed() {
    let server = stored();
    let token = Some("our-token".to_owned());
    let head = creates(&server, bucket(&server).with_credentials("key", "secret", token)).await.remove(0);
    assert!(head.contains("\r\nx-amz-security-token: our-token\r\n"), "{head}");
    let signed = head.lines().find(|line| line.starts_with("authorization:")).unwrap();
    assert!(signed.contains(";x-amz-security-token"), "{head}");
}

/// The bucket is in the host's name, of AWS and of another server, and not in the path. A proxy hears both without any name looked up.
#[tokio::test]
async fn a_virtual_host_holds_the_bucket() {
    let through = |proxy: &Script| HttpOptions::default().with_proxy(format!("http://{}", proxy.address()));
    let proxy = stored();
    let own_host = bucket(&proxy).with_endpoint("http://test.s3.invalid").with_virtual_hosted_style(true);
    let head = creates(&proxy, own_host.with_http(through(&proxy))).await.remove(0);
    assert!(head.starts_with("put http://test.s3.invalid/domains/"), "{head}");
    assert!(head.contains("\r\nhost: test.s3.invalid\r\n"), "{head}");

    let proxy = script([response(403, "", "")]);
    let aws = S3::builder("test").with_region("eu-west-1").with_credentials("key", "secret", None);
    let aws = aws.with_virtual_hosted_style(true).with_http(through(&proxy)).build().unwrap();
    aws.create(&record(), "mine".into()).await.unwrap_err();
    let head = heads(&proxy).remove(0);
    assert!(head.starts_with("connect test.s3.eu-west-1.amazonaws.com:443 "), "{head}");
}
