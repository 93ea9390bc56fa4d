//! Puts of objects that go up in more than one request.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{FuturesUnordered, StreamExt, TryStreamExt};
use longshore_core::{ByteStream, Error, ErrorKind, Outcome};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions, PutPayload};
use tokio::runtime::Handle;

use crate::exchange::Exchange;

/// Parts that are under way at once: with the one that is being filled, this bounds the memory.
const AT_ONCE: usize = 4;
/// S3 takes at most 10,000 parts; every part but the last at least 5 MiB.
const MOST_PARTS: u64 = 9_000;
const PART: u64 = 8 * 1024 * 1024;

/// Why an upload failed: by what it was to send, or by the store.
pub(crate) enum Failed {
    Source(Error),
    Store(object_store::Error),
}

impl From<object_store::Error> for Failed {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

/// Sends the stream in parts, a few at a time. A failed upload is aborted.
pub(crate) async fn in_parts(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    len: u64,
    options: PutMultipartOptions,
    stream: ByteStream,
) -> Result<(), Failed> {
    let mut upload = begin(Arc::clone(store), path.clone(), options).await?;
    let part = PART.max(len.div_ceil(MOST_PARTS));
    match upload.send(stream, part).await {
        Ok(()) => {
            upload.0 = None;
            Ok(())
        }
        Err(failed) => {
            if let Some(mut left) = upload.0.take() {
                // It failed already: what the abort says is nothing new, and what it leaves is found later.
                drop(left.abort().await);
            }
            Err(failed)
        }
    }
}

/// Begins an upload, in a task of its own: of one that is dropped before the server has answered, nobody would know the name, and
/// it would stay for good. The task hears the answer, and drops the upload.
async fn begin(store: Arc<dyn ObjectStore>, path: Path, options: PutMultipartOptions) -> Result<Upload, Failed> {
    let call = async move { store.put_multipart_opts(&path, options).await.map(|upload| Upload(Some(upload))) };
    let Ok(runtime) = Handle::try_current() else { return Ok(call.await?) };
    let (result, seen) = runtime.spawn(Exchange::watch(call)).await.map_err(|error| {
        Failed::Source(Error::new(ErrorKind::Internal, "the beginning of an upload broke off").with_source(error))
    })?;
    if let Some(seen) = seen {
        Exchange::note(seen);
    }
    Ok(result?)
}

/// An upload that has begun. Dropped on the way, it is aborted in the background.
struct Upload(Option<Box<dyn MultipartUpload>>);

impl Upload {
    async fn send(&mut self, mut stream: ByteStream, part: u64) -> Result<(), Failed> {
        let Some(upload) = self.0.as_mut() else { return Ok(()) };
        let mut under_way = FuturesUnordered::new();
        let mut filling = Filling::default();
        loop {
            let next =
                stream.try_next().await.map_err(|error| Failed::Source(error.with_outcome(Outcome::NotApplied)))?;
            let Some(bytes) = next else { break };
            for full in filling.add(bytes, part) {
                while under_way.len() >= AT_ONCE {
                    under_way.next().await.transpose()?;
                }
                under_way.push(upload.put_part(full));
            }
        }
        let rest = filling.take();
        if rest.content_length() > 0 {
            under_way.push(upload.put_part(rest));
        }
        while under_way.next().await.transpose()?.is_some() {}
        upload.complete().await?;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(mut upload), Ok(runtime)) = (self.0.take(), Handle::try_current()) else { return };
        runtime.spawn(async move { drop(upload.abort().await) });
    }
}

/// Pieces that together make the next part.
#[derive(Default)]
struct Filling {
    pieces: Vec<Bytes>,
    len: u64,
}

impl Filling {
    /// Adds bytes, and gives the parts that are full.
    fn add(&mut self, mut bytes: Bytes, part: u64) -> Vec<PutPayload> {
        let mut full = Vec::new();
        while self.len + bytes.len() as u64 >= part {
            let missing = usize::try_from(part - self.len).unwrap_or(usize::MAX).min(bytes.len());
            self.push(bytes.split_to(missing));
            full.push(self.take());
        }
        self.push(bytes);
        full
    }

    fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len() as u64;
        if !bytes.is_empty() {
            self.pieces.push(bytes);
        }
    }

    fn take(&mut self) -> PutPayload {
        self.len = 0;
        std::mem::take(&mut self.pieces).into_iter().collect()
    }
}

/// All of a small object.
pub(crate) async fn gather(mut stream: ByteStream) -> Result<PutPayload, Error> {
    let mut pieces = Vec::new();
    let mut small = BytesMut::new();
    while let Some(bytes) = stream.try_next().await? {
        // Many crumbs in one write are cheaper than many writes.
        if bytes.len() < 4096 {
            small.extend_from_slice(&bytes);
            continue;
        }
        if !small.is_empty() {
            pieces.push(small.split().freeze());
        }
        pieces.push(bytes);
    }
    if !small.is_empty() {
        pieces.push(small.freeze());
    }
    Ok(pieces.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_filled_exactly() {
        let mut filling = Filling::default();
        let mut parts: Vec<usize> = Vec::new();
        for piece in ["a", "bcdefghij", "", "klmnopqrstuvw"] {
            parts.extend(filling.add(Bytes::from(piece), 5).iter().map(PutPayload::content_length));
        }
        assert_eq!(parts, [5, 5, 5, 5]);
        assert_eq!(filling.take().content_length(), 3);
    }

    #[test]
    fn crumbs_are_joined_in_order() {
        let large = "x".repeat(5000);
        let pieces = ["ab", "cd", &large, "e"].map(|text| Ok(Bytes::copy_from_slice(text.as_bytes())));
        let stream = futures::stream::iter(pieces).boxed();
        let payload = futures::executor::block_on(gather(stream)).unwrap();
        assert_eq!(payload.iter().count(), 3);
        assert_eq!(Bytes::from(payload), format!("abcd{large}e"));
    }
}
