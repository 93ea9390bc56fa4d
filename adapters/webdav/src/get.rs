//! `get`, whole or in part, also from servers that know no parts.

use futures::stream::{self, StreamExt as _};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http_body_util::BodyExt as _;
use longshore_core::{ByteRange, ByteStream, Error, ErrorKind, Object, ObjectKey, Reply, Result};
use longshore_http::Incoming;

use crate::client::{Answer, Ask};
use crate::multistatus::{PROPFIND, members};
use crate::place::Place;
use crate::storage::Inner;
use crate::upload::Upload;

impl Inner {
    pub(crate) async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let place = Place::from(key);
        if range.is_empty() {
            let reply = self.len_of(&place).await?;
            return Ok(reply.map(|len| len.map(nothing_of)));
        }
        let mut ask = Ask::new("GET", self.client.file(&place)).with("accept-encoding", "identity");
        if !range.is_all() {
            ask = ask.with("range", asked(range));
        }
        let awaited = self.client.root.awaited();
        let answer = self.client.send(ask).await?;
        if answer.status == 200 || answer.status == 206 {
            self.client.root.seen();
            if !answer.is_page() {
                self.folders.note(&folder_of(key));
            }
        }
        drop(awaited);
        let time = answer.time;
        let object = match answer.status {
            200 => Some(self.whole(&place, answer, range).await?),
            206 if !range.is_all() => Some(part(answer, range)?),
            404 | 410 => {
                answer.finish().await;
                self.client.check_root().await?;
                None
            }
            416 => {
                let size = answer.header(CONTENT_RANGE).and_then(size_of);
                answer.finish().await;
                match size {
                    Some(size) => Some(nothing_of(size)),
                    None => self.len_of(&place).await?.value.map(nothing_of),
                }
            }
            _ => return Err(answer.error()),
        };
        Ok(Reply { value: object, time })
    }

    /// Of an answer with the whole object, the range.
    async fn whole(&self, place: &Place, answer: Answer, range: ByteRange) -> Result<Object> {
        if answer.is_encoded() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the server, or a proxy, compresses what it serves; turn that off for this folder",
            ));
        }
        let told: Option<u64> = answer.header(CONTENT_LENGTH).and_then(|text| text.parse().ok());
        let size = if answer.is_page() {
            // A page for people, or an object that the server takes for one.
            let there = self.properties(place).await?.value;
            match (there, told) {
                (Some(there), Some(told)) if there != told => return Err(answer.error()),
                (Some(there), _) => there,
                (None, _) => return Err(answer.error()),
            }
        } else if let Some(told) = told {
            told
        } else {
            self.properties(place).await?.value.ok_or_else(gone)?
        };
        let within = range.within(size);
        let len = within.end - within.start;
        let stream = bytes_of(answer.body);
        Ok(Object::new(size, len, if len == size { stream } else { skip(stream, within.start, len) }))
    }

    /// The size of a file; none if there is none.
    pub(crate) async fn len_of(&self, place: &Place) -> Result<Reply<Option<u64>>> {
        let ask = Ask::new("HEAD", self.client.file(place)).with("accept-encoding", "identity");
        let awaited = self.client.root.awaited();
        let answer = self.client.send(ask).await?;
        if answer.status == 200 {
            self.client.root.seen();
        }
        drop(awaited);
        let time = answer.time;
        let len: Option<u64> = answer.header(CONTENT_LENGTH).and_then(|text| text.parse().ok());
        let value = match (answer.status, len) {
            (200, Some(len)) if !answer.is_page() => Some(len),
            (200, _) => return self.properties(place).await,
            (404 | 410, _) => {
                self.client.check_root().await?;
                None
            }
            _ => return Err(answer.error()),
        };
        Ok(Reply { value, time })
    }

    /// The size as the properties give it.
    async fn properties(&self, place: &Place) -> Result<Reply<Option<u64>>> {
        let ask = Ask::new("PROPFIND", self.client.file(place))
            .with("depth", "0")
            .with("content-type", "application/xml; charset=utf-8")
            .with_upload(Upload::Bytes(PROPFIND.into()));
        let answer = self.client.send(ask).await?;
        let time = answer.time;
        let value = match answer.status {
            207 => {
                self.client.root.seen();
                let members = members(bytes_of(answer.body)).await?;
                members.into_iter().find(|member| !member.gone && !member.collection).and_then(|member| member.len)
            }
            404 | 410 => {
                answer.finish().await;
                self.client.check_root().await?;
                None
            }
            _ => return Err(answer.error()),
        };
        Ok(Reply { value, time })
    }
}

/// The collection that others like this object are created in.
fn folder_of(key: &ObjectKey) -> Place {
    let within = Place::from(key).parent();
    if key.is_record() { within.parent() } else { within }
}

/// The value of `Range`. A last byte beyond what a server counts with is left out: some take it for a mistake.
fn asked(range: ByteRange) -> String {
    let last = range.start().saturating_add(range.len()).saturating_sub(1);
    if last < i64::MAX as u64 { format!("bytes={}-{last}", range.start()) } else { format!("bytes={}-", range.start()) }
}

/// Of an answer with a part of the object, what was asked for: one server sends all of it for the first byte.
fn part(answer: Answer, range: ByteRange) -> Result<Object> {
    let told = answer.header(CONTENT_RANGE).and_then(range_of);
    if let Some((first, last, size)) = told {
        let wanted = range.within(size);
        if wanted.is_empty() {
            return Ok(nothing_of(size));
        }
        if first <= wanted.start && wanted.end <= last + 1 && last < size {
            let len = wanted.end - wanted.start;
            let stream = bytes_of(answer.body);
            let exact = first == wanted.start && last + 1 == wanted.end;
            let stream = if exact { stream } else { skip(stream, wanted.start - first, len) };
            return Ok(Object::new(size, len, stream));
        }
    }
    Err(Error::new(ErrorKind::Unavailable, "the server sent another part of the object than was asked for")
        .with_expected(asked(range), answer.header(CONTENT_RANGE).unwrap_or("none")))
}

/// First and last byte, and the size of the whole, of `bytes 0-9/100`.
fn range_of(text: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    last.checked_add(1)?;
    Some((first, last, size.trim().parse().ok()?))
}

/// The size of `bytes */100`.
fn size_of(text: &str) -> Option<u64> {
    text.rsplit_once('/')?.1.trim().parse().ok()
}

fn nothing_of(size: u64) -> Object {
    Object::new(size, 0, stream::empty().boxed())
}

fn gone() -> Error {
    Error::new(ErrorKind::Unavailable, "the object was deleted while it was read")
}

pub(crate) fn bytes_of(body: Incoming) -> ByteStream {
    stream::try_unfold(body, |mut body| async move {
        loop {
            let Some(frame) = body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|failure| failure.to_error())?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some((bytes, body)));
            }
        }
    })
    .boxed()
}

/// The bytes of a stream from `start` on, `len` of them; what comes after is not read.
fn skip(stream: ByteStream, start: u64, len: u64) -> ByteStream {
    use futures::TryStreamExt as _;
    stream::try_unfold((stream, start, len), |(mut stream, mut before, left)| async move {
        loop {
            if left == 0 {
                return Ok(None);
            }
            let Some(mut bytes) = stream.try_next().await? else { return Ok(None) };
            let skipped = usize::try_from(before).unwrap_or(usize::MAX).min(bytes.len());
            let _ = bytes.split_to(skipped);
            before -= skipped as u64;
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            if !bytes.is_empty() {
                let left = left - bytes.len() as u64;
                return Ok(Some((bytes, (stream, before, left))));
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_asked_for_as_servers_count() {
        assert_eq!(asked(ByteRange::new(5, 10)), "bytes=5-14");
        assert_eq!(asked(ByteRange::new(5, u64::MAX)), "bytes=5-");
    }

    #[test]
    fn content_ranges_are_read() {
        assert_eq!(range_of("bytes 0-9/100"), Some((0, 9, 100)));
        assert_eq!(size_of("bytes */100"), Some(100));
        for text in ["", "bytes", "bytes 0-9/*", "bytes x-y/z", "lines 0-9/10", "bytes 0-18446744073709551615/1"] {
            assert_eq!(range_of(text), None, "{text}");
        }
    }
}
