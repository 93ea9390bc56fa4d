//! The words of longshore as types: documents, changes, numbers and identities.

mod document;
mod identity;
mod number;
mod text;

pub use document::{Action, Base, Change, Document};
pub use identity::{ClientId, Hash, Nonce, StoreId};
pub use number::{AttemptNumber, FencingToken, MetadataVersion, RowNumber, Sequence};
pub use text::{DocumentId, DomainName, MetadataName, Revision};
