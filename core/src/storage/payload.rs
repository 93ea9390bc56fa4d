//! Bytes on their way to and from a storage: streams of known length.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::error::{Error, ErrorKind, Result};

/// The most bytes that are made room for before they come.
const LIKELY: usize = 16 << 20;

/// Bytes in pieces.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// An object's bytes on their way up: a stream of known length.
///
/// ```
/// use longshore_core::Payload;
///
/// let payload = Payload::from("ten bytes!");
/// assert_eq!(payload.len(), 10);
/// ```
pub struct Payload {
    len: u64,
    stream: ByteStream,
}

impl Payload {
    /// A stream that gives exactly `len` bytes.
    pub fn new(len: u64, stream: ByteStream) -> Self {
        Self { len, stream }
    }

    /// Bytes that are in memory in several pieces.
    pub fn from_parts(parts: Vec<Bytes>) -> Self {
        let len = parts.iter().map(|part| part.len() as u64).sum();
        Self::new(len, stream::iter(parts.into_iter().map(Ok)).boxed())
    }

    /// How many bytes the stream gives.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it gives none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The stream. It ends with an error (`Invalid`) if it would give more or fewer bytes than promised.
    pub fn into_stream(self) -> ByteStream {
        exact(self.len, self.stream, ErrorKind::Invalid)
    }
}

impl<B: Into<Bytes>> From<B> for Payload {
    fn from(bytes: B) -> Self {
        Self::from_parts(vec![bytes.into()])
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("len", &self.len).finish_non_exhaustive()
    }
}

/// An object's bytes on their way down.
pub struct Object {
    size: u64,
    len: u64,
    stream: ByteStream,
}

impl Object {
    /// An object of `size` bytes, of which the stream gives `len`.
    pub fn new(size: u64, len: u64, stream: ByteStream) -> Self {
        Self { size, len, stream }
    }

    /// The size of the whole object in bytes, also where a range was asked for.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes the stream gives.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the stream gives none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The stream. It ends with an error (`Unavailable`) if the connection gives more or fewer bytes than it promised.
    pub fn into_stream(self) -> ByteStream {
        exact(self.len, self.stream, ErrorKind::Unavailable)
    }

    /// All bytes; `Corrupt` if there are more than `limit`, before any is fetched.
    pub async fn read(self, limit: u64) -> Result<Bytes> {
        if self.len > limit {
            return Err(Error::new(ErrorKind::Corrupt, "the object is larger than any that belongs there")
                .with_expected(format_args!("at most {limit} bytes"), self.len));
        }
        let promised = usize::try_from(self.len).unwrap_or(usize::MAX);
        let mut stream = self.into_stream();
        let first = stream.try_next().await?.unwrap_or_default();
        let Some(second) = stream.try_next().await? else {
            return Ok(first);
        };
        // Room for all of it, up to where a promise alone should not be believed.
        let mut all = BytesMut::with_capacity(promised.min(LIKELY));
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(bytes) = stream.try_next().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("size", &self.size).field("len", &self.len).finish_non_exhaustive()
    }
}

/// Passes a stream on, and turns a length that is not `len` into an error of this kind.
fn exact(len: u64, stream: ByteStream, kind: ErrorKind) -> ByteStream {
    let wrong = move || Error::new(kind, "the stream does not have the length it promised");
    stream::try_unfold((stream, len), move |(mut stream, left)| async move {
        match stream.try_next().await? {
            Some(bytes) => {
                let left = left.checked_sub(bytes.len() as u64).ok_or_else(wrong)?;
                Ok(Some((bytes, (stream, left))))
            }
            None if left == 0 => Ok(None),
            None => Err(wrong()),
        }
    })
    .boxed()
}

/// Which bytes of an object to read.
///
/// ```
/// use longshore_core::ByteRange;
///
/// assert_eq!(ByteRange::ALL.within(10), 0..10);
/// assert_eq!(ByteRange::new(4, 100).within(10), 4..10);
/// assert_eq!(ByteRange::new(20, 5).within(10), 10..10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    start: u64,
    len: u64,
}

impl ByteRange {
    /// All of them.
    pub const ALL: Self = Self { start: 0, len: u64::MAX };

    /// `len` bytes from `start` on, or as many as there are.
    pub const fn new(start: u64, len: u64) -> Self {
        Self { start, len }
    }

    /// Whether it is the whole object, whatever its size.
    pub fn is_all(self) -> bool {
        self == Self::ALL
    }

    /// The first byte.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The most bytes to read.
    pub const fn len(self) -> u64 {
        self.len
    }

    /// Whether it asks for no byte.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The range within an object of this size.
    pub fn within(self, size: u64) -> Range<u64> {
        let start = self.start.min(size);
        start..start.saturating_add(self.len).min(size)
    }
}
