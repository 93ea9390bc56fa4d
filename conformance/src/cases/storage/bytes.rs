//! Bytes come back exactly, whatever they look like.

use bytes::Bytes;
use futures::future::FutureExt as _;
use longshore_core::{ObjectKey, Storage};

use super::case;
use super::look::{created, holds, pattern, two};
use crate::case::Case;
use crate::context::{Context, put};
use crate::verdict::Failure;

pub(super) const CASES: &[Case] = &[
    case("storage::bytes::come_back_exactly", 1, |cx| come_back_exactly(cx).boxed()),
    case("storage::bytes::none_are_an_object_too", 1, |cx| none_are_an_object_too(cx).boxed()),
    case("storage::bytes::of_every_length_come_back", 1, |cx| of_every_length_come_back(cx).boxed()),
    case("storage::bytes::a_record_has_up_to_one_mebibyte", 1, |cx| a_record_has_up_to_one_mebibyte(cx).boxed()),
];

/// `longshore longshore`, compressed: a client or a proxy must not unpack it on its way.
const GZIP: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 201, 207, 75, 47, 206, 200, 47, 74, 85, 200, 129, 177, 0, 182, 114, 87, 207,
    19, 0, 0, 0,
];

/// Bytes that something on the way may take for more than bytes.
fn specimens() -> Vec<(&'static str, Bytes)> {
    vec![
        ("every-byte", (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect()),
        ("gzip", Bytes::from_static(GZIP)),
        ("gzip-cut", Bytes::from_static(&GZIP[..12])),
        ("zstd", Bytes::from_static(b"\x28\xb5\x2f\xfd\x00\x00\x01\x00\x00")),
        ("line-ends", Bytes::from_static(b"one\r\ntwo\nthree\rfour\n\r\n\n")),
        ("trailing-nuls", Bytes::from_static(b"text\0\0\0\0")),
        ("only-nuls", Bytes::from(vec![0; 70_000])),
        ("trailing-blanks", Bytes::from_static(b"  text \t\n ")),
        ("byte-order-mark", Bytes::from_static(b"\xef\xbb\xbftext")),
        ("utf-16", Bytes::from_static(b"\xff\xfet\0e\0x\0t\0")),
        ("not-utf-8", Bytes::from_static(b"\xc3\x28\xa0\xa1\xed\xa0\x80\xf0\x28")),
        ("decomposed", Bytes::from_static("u\u{308} u\u{fc}".as_bytes())),
        ("html", Bytes::from_static(b"<!DOCTYPE html><html><body><h1>404 Not Found</h1></body></html>\n")),
        ("xml", Bytes::from_static(b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>")),
        ("json", Bytes::from_static(b"{\"error\":\"not found\",\"status\":404}")),
        ("chunked", Bytes::from_static(b"5\r\nhello\r\n0\r\n\r\n")),
        ("http", Bytes::from_static(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
        ("control-z", Bytes::from_static(b"before\x1aafter\x04end")),
        ("escapes", Bytes::from_static(b"%2F+&amp;\\u0000\\n?x=%00#")),
    ]
}

async fn come_back_exactly(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for (name, bytes) in specimens() {
        both(&cx, &*mine, &*yours, name, bytes).await?;
    }
    Ok(())
}

async fn none_are_an_object_too(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    both(&cx, &*mine, &*yours, "none", Bytes::new()).await
}

async fn of_every_length_come_back(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for power in [0, 3, 9, 12, 13, 16, 18] {
        for len in [(1 << power) - 1, 1 << power, (1 << power) + 1] {
            both(&cx, &*mine, &*yours, &format!("length-{power}-{len}"), pattern(len, cx.seed())).await?;
        }
    }
    Ok(())
}

async fn a_record_has_up_to_one_mebibyte(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for len in [(1 << 20) - 1, 1 << 20] {
        let key = cx.record(&format!("full-{len}"))?;
        let bytes = pattern(len, cx.seed());
        created(&*mine, &key, bytes.clone()).await?;
        holds(&*yours, &key, &bytes).await?;
    }
    Ok(())
}

/// The same bytes, created and put, come back to another client.
async fn both(cx: &Context, mine: &dyn Storage, yours: &dyn Storage, name: &str, bytes: Bytes) -> Result<(), Failure> {
    let (record, blob): (ObjectKey, ObjectKey) = (cx.record(name)?, cx.blob(name)?);
    created(mine, &record, bytes.clone()).await?;
    put(mine, &blob, bytes.clone()).await?;
    holds(yours, &record, &bytes).await?;
    holds(yours, &blob, &bytes).await
}
