//! One call of each kind, what it may say, and what it may leave.

use std::fmt;

use bytes::Bytes;
use longshore_core::{ByteRange, Created, Error, ErrorKind, Folder, ObjectKey, Outcome, Payload, Storage};

use super::wire::body;
use crate::context::{put, read};
use crate::verdict::{Failure, ensure};

/// The most bytes that a call of these cases reads.
const MOST: u64 = 1 << 20;
/// What is in the folder that is listed.
const LISTED: [&str; 3] = ["a", "b-1", "c"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Create,
    Put,
    Get,
    List,
    Delete,
}

/// What a call said that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Done,
    Exists,
    Bytes(Option<Bytes>),
    Names(Vec<String>),
}

pub(super) type Ended = Result<Said, Error>;

/// What may be there after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Whole,
    Nothing,
    WholeOrNothing,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Put => "put",
            Self::Get => "get",
            Self::List => "list",
            Self::Delete => "delete",
        })
    }
}

impl Deed {
    pub(super) const ALL: [Self; 5] = [Self::Create, Self::Put, Self::Get, Self::List, Self::Delete];

    /// The object that a call with this name is about.
    pub(super) fn key(self, name: &str) -> Result<ObjectKey, Failure> {
        Ok(match self {
            Self::Create => ObjectKey::new(format!("records/{name}/data"))?,
            Self::List => ObjectKey::new(format!("segments/{name}/a"))?,
            _ => ObjectKey::new(format!("segments/0/{name}"))?,
        })
    }

    /// What must be there before.
    pub(super) async fn prepare(self, storage: &dyn Storage, name: &str) -> Result<(), Failure> {
        match self {
            Self::Create | Self::Put => Ok(()),
            Self::Get | Self::Delete => put(storage, &self.key(name)?, body(name)).await,
            Self::List => {
                for listed in LISTED {
                    put(storage, &ObjectKey::new(format!("segments/{name}/{listed}"))?, body(name)).await?;
                }
                Ok(())
            }
        }
    }

    pub(super) async fn act(self, storage: &dyn Storage, name: &str) -> Ended {
        let key = self.key(name).map_err(|failure| Error::new(ErrorKind::Internal, failure.to_string()))?;
        match self {
            Self::Create => Ok(match storage.create(&key, body(name)).await?.value {
                Created::Created => Said::Done,
                Created::Exists => Said::Exists,
            }),
            Self::Put => storage.put(&key, Payload::from(body(name))).await.map(|_| Said::Done),
            Self::Get => Ok(Said::Bytes(match storage.get(&key, ByteRange::ALL).await?.value {
                Some(object) => Some(object.read(MOST).await?),
                None => None,
            })),
            Self::List => list(storage, &Folder::new(format!("segments/{name}"))?).await.map(Said::Names),
            Self::Delete => storage.delete(&key).await.map(|_| Said::Done),
        }
    }

    /// The call did what it does when nobody disturbs it.
    pub(super) fn succeeded(self, ended: &Ended) -> Result<(), Failure> {
        match ended {
            Ok(_) => self.judge(ended).map(drop),
            Err(error) => Err(Failure::new(format!("a call failed that must not: {error}"))),
        }
    }

    /// What may be there after a call that ended so; an answer that is wrong whatever is there is a failure.
    pub(super) fn judge(self, ended: &Ended) -> Result<Left, Failure> {
        match ended {
            Ok(said) => self.judge_answer(said),
            Err(error) => Ok(match (self, error.outcome()) {
                (Self::Get | Self::List, _) | (Self::Delete, Outcome::NotApplied) => Left::Whole,
                (_, Outcome::NotApplied) => Left::Nothing,
                (_, Outcome::Unknown) => Left::WholeOrNothing,
            }),
        }
    }

    fn judge_answer(self, said: &Said) -> Result<Left, Failure> {
        match (self, said) {
            (Self::Create | Self::Put, Said::Done) | (Self::Get, Said::Bytes(Some(_))) => Ok(Left::Whole),
            (Self::Delete, Said::Done) => Ok(Left::Nothing),
            (Self::Create, Said::Exists) => {
                Err(Failure::new("it is answered with Exists, and nobody else created that name"))
            }
            (Self::Get, Said::Bytes(None)) => Err(Failure::new("the object is there, and is said to be missing")),
            (Self::List, Said::Names(names)) => {
                ensure!(*names == LISTED, "the folder holds {LISTED:?}, and lists {names:?}");
                Ok(Left::Whole)
            }
            (_, said) => Err(Failure::new(format!("it is answered with {said:?}"))),
        }
    }

    /// The object is there as it may be: never a part of it.
    pub(super) async fn look(self, storage: &dyn Storage, name: &str, left: Left) -> Result<(), Failure> {
        let key = self.key(name)?;
        match read(storage, &key).await? {
            Some(bytes) => {
                let whole = body(name);
                ensure!(bytes == whole, "{key} has {} bytes, and {} were written", bytes.len(), whole.len());
                ensure!(left != Left::Nothing, "{key} is there, and the call said that nothing of it is");
            }
            None => ensure!(left != Left::Whole, "{key} is not there, and the call said or left otherwise"),
        }
        Ok(())
    }
}

/// All names in a folder.
async fn list(storage: &dyn Storage, folder: &Folder) -> Result<Vec<String>, Error> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let page = storage.list(folder, all.last().map(String::as_str)).await?.value;
        let more = page.more && !page.names.is_empty();
        all.extend(page.names);
        if !more {
            return Ok(all);
        }
    }
}
