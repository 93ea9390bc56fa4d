//! Bodies: immutable, numbered, in parts where one blob could not hold them.

use bytes::{Bytes, BytesMut};
use rusqlite::{Connection, OptionalExtension};

use crate::errors::{Result, damaged};
use crate::values::column;

/// The most bytes in one blob: SQLite refuses a blob of 1,000,000,000 bytes, and a document may have more.
pub(crate) const PART: u64 = PART_LEN as u64;

const PART_LEN: usize = 64 << 20;

/// Where a body lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyAt {
    /// The number of its first part.
    pub(crate) number: i64,
    /// All its bytes.
    pub(crate) length: u64,
}

impl BodyAt {
    /// The number of its last part.
    fn last(self) -> i64 {
        self.number + column(self.length.div_ceil(PART).max(1)) - 1
    }
}

/// Stores a body.
pub(crate) fn insert(connection: &Connection, body: &Bytes) -> Result<BodyAt> {
    let mut statement = connection.prepare_cached("INSERT INTO body (bytes) VALUES (?1)")?;
    let first = body.len().min(PART_LEN);
    let number = statement.insert([&body[..first]])?;
    for part in body[first..].chunks(PART_LEN) {
        // The number after the greatest one, so the parts are consecutive.
        statement.insert([part])?;
    }
    Ok(BodyAt { number, length: body.len() as u64 })
}

/// Reads a body.
pub(crate) fn read(connection: &Connection, at: BodyAt) -> Result<Bytes> {
    if at.number == at.last() {
        return part(connection, at.number, Bytes::copy_from_slice);
    }
    let mut body = BytesMut::with_capacity(usize::try_from(at.length).map_err(|_| damaged())?);
    for number in at.number..=at.last() {
        part(connection, number, |bytes| body.extend_from_slice(bytes))?;
    }
    Ok(body.freeze())
}

fn part<T>(connection: &Connection, number: i64, mut take: impl FnMut(&[u8]) -> T) -> Result<T> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM body WHERE number = ?1")?;
    let taken = statement.query_row([number], |row| Ok(take(row.get_ref(0)?.as_blob()?))).optional()?;
    taken.ok_or_else(damaged)
}

/// Removes a body.
pub(crate) fn remove(connection: &Connection, at: BodyAt) -> Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM body WHERE number BETWEEN ?1 AND ?2")?;
    statement.execute([at.number, at.last()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM body", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_large_body_lies_in_parts() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE body (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL)").unwrap();
        let bodies = [PART_LEN + 1, 0, PART_LEN].map(|length| {
            let mut body = vec![0; length];
            body.iter_mut().rev().take(2).for_each(|byte| *byte = 9);
            Bytes::from(body)
        });
        let places = bodies.each_ref().map(|body| insert(&connection, body).unwrap());
        assert_eq!(count(&connection), 4);
        for (body, at) in bodies.iter().zip(places) {
            assert!(read(&connection, at).unwrap() == body);
        }
        remove(&connection, places[0]).unwrap();
        assert_eq!(count(&connection), 2);
        assert!(read(&connection, places[1]).unwrap().is_empty());
    }
}
