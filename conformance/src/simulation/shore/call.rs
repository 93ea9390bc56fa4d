//! Storage calls and their answers, as they are kept, delivered and told.

use std::fmt;

use bytes::Bytes;
use longshore_core::{ByteRange, Created, Folder, Listing, ObjectKey, Reply, Result};

use super::super::fault::Kind;

/// A storage call, complete, so that it can be delivered later or again.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Create(ObjectKey, Bytes),
    Put(ObjectKey, Bytes),
    Get(ObjectKey, ByteRange),
    List(Folder, Option<String>),
    Delete(ObjectKey),
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Created(Created),
    Done,
    Object(Option<Bytes>),
    /// An object whose reading ends in the middle.
    Cut(Bytes),
    Listing(Listing),
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::Create, Self::Put, Self::Get, Self::List, Self::Delete];
}

impl Call {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Create(..) => Kind::Create,
            Self::Put(..) => Kind::Put,
            Self::Get(..) => Kind::Get,
            Self::List(..) => Kind::List,
            Self::Delete(..) => Kind::Delete,
        }
    }
}

/// What came of a call, in a trace.
pub(super) fn outcome(result: &Result<Reply<Answer>>) -> String {
    match result {
        Err(error) => format!("{} ({:?})", error.message(), error.outcome()),
        Ok(Reply { value: Answer::Created(created), .. }) => format!("{created:?}"),
        Ok(Reply { value: Answer::Done, .. }) => "done".to_owned(),
        Ok(Reply { value: Answer::Object(found), .. }) => {
            found.as_ref().map_or_else(|| "nothing".to_owned(), |bytes| format!("{} bytes", bytes.len()))
        }
        Ok(Reply { value: Answer::Cut(bytes), .. }) => format!("a part of {} bytes", bytes.len()),
        Ok(Reply { value: Answer::Listing(listing), .. }) => format!("{:?}", listing.names),
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(key, bytes) => write!(f, "create {key} ({} bytes)", bytes.len()),
            Self::Put(key, bytes) => write!(f, "put {key} ({} bytes)", bytes.len()),
            Self::Get(key, _) => write!(f, "get {key}"),
            Self::List(folder, _) => write!(f, "list {folder}"),
            Self::Delete(key) => write!(f, "delete {key}"),
        }
    }
}
