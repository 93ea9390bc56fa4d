//! Between columns and the model's types.

use longshore_core::{Base, Digest, DocumentId, Hash, Revision, RowNumber, Sequence};
use rusqlite::Row;

use crate::errors::{Result, damaged};

pub(crate) fn column(number: u64) -> i64 {
    number.cast_signed()
}

pub(crate) fn row_number(value: i64) -> Result<RowNumber> {
    RowNumber::new(value.cast_unsigned()).map_err(|_| damaged())
}

pub(crate) fn sequence(value: i64) -> Result<Sequence> {
    Sequence::new(value.cast_unsigned()).map_err(|_| damaged())
}

pub(crate) fn length(row: &Row<'_>, at: usize) -> Result<u64> {
    u64::try_from(row.get::<_, i64>(at)?).map_err(|_| damaged())
}

pub(crate) fn id(row: &Row<'_>, at: usize) -> Result<DocumentId> {
    DocumentId::new(row.get::<_, String>(at)?).map_err(|_| damaged())
}

pub(crate) fn revision(row: &Row<'_>, at: usize) -> Result<Option<Revision>> {
    let text: Option<String> = row.get(at)?;
    text.map(Revision::new).transpose().map_err(|_| damaged())
}

pub(crate) fn hash(row: &Row<'_>, at: usize) -> Result<Option<Hash>> {
    let bytes: Option<[u8; 32]> = row.get(at)?;
    Ok(bytes.map(Hash::from_bytes))
}

pub(crate) fn digest(row: &Row<'_>, at: usize) -> Result<Digest> {
    Ok(hash(row, at)?.map_or(Digest::Delete, Digest::Put))
}

/// The base in two columns: sequence number and revision.
pub(crate) fn base(row: &Row<'_>, at: usize) -> Result<Option<Base>> {
    let Some(number) = row.get(at)? else { return Ok(None) };
    Ok(Some(Base { sequence: sequence(number)?, revision: revision(row, at + 1)? }))
}

/// The text of a revision, as a parameter.
pub(crate) fn text(revision: Option<&Revision>) -> Option<&str> {
    revision.map(Revision::as_str)
}
