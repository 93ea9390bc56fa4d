//! What a `create` moves to its name: a collection with its one file, or the file alone.

use bytes::Bytes;
use longshore_core::{ErrorKind, ObjectKey, Result};

use crate::client::{Ask, BROKEN, Client, is_lost};
use crate::folders::Made;
use crate::place::Place;
use crate::storage::Inner;

/// The name of the method that moves files, as a store's `format` requires it.
pub(crate) const MOVES_FILES: &str = "webdav-moved-files";

/// Filled, and under a name that nobody else has.
pub(crate) enum Temporary {
    /// It is moved to the record's place: the server's kernel refuses that once something is in there.
    Collection(Place),
    /// It is moved into the record's collection, which anybody may have made before.
    File(Place),
}

impl Temporary {
    pub(crate) fn address(&self, client: &Client) -> String {
        match self {
            Self::Collection(place) => client.collection(place),
            Self::File(place) => client.file(place),
        }
    }

    /// Where it is moved to.
    pub(crate) fn destination(&self, client: &Client, key: &ObjectKey) -> String {
        let file = Place::from(key);
        match self {
            Self::Collection(_) => client.collection(&file.parent()),
            Self::File(_) => client.file(&file),
        }
    }

    /// The address of its bytes.
    pub(crate) fn data(&self, client: &Client) -> String {
        match self {
            Self::Collection(place) => client.file(&place.join(ObjectKey::DATA)),
            Self::File(place) => client.file(place),
        }
    }
}

impl Inner {
    pub(crate) async fn drop_temporary(&self, temporary: &Temporary) {
        self.client.remove(temporary.address(&self.client)).await;
    }

    /// A temporary file beside the record's collection, and that collection.
    pub(crate) async fn filled_file(&self, record: &Place, bytes: &Bytes) -> Result<Place> {
        let parent = record.parent();
        let known = self.folders.knows(&parent);
        self.folder(&parent).await?;
        match self.file_beside(record, bytes).await {
            // One that was there once may be gone, and servers have four ways to say so.
            Err(error) if known && error.kind() != ErrorKind::Denied => {
                self.folders.forget(&parent);
                self.folder(&parent).await?;
                self.file_beside(record, bytes).await
            }
            done => done,
        }
    }

    async fn file_beside(&self, record: &Place, bytes: &Bytes) -> Result<Place> {
        // Looked at each time: a record may have been deleted, with its collection.
        if !self.is_collection(record).await? {
            self.make_by_move(record).await?;
        }
        let mut broken = 0;
        loop {
            let file = record.parent().temporary()?;
            let Err(error) = self.send_small(&file, bytes, broken > 0).await else { return Ok(file) };
            self.discard_file(&file).await;
            if broken == BROKEN || !is_lost(&error) {
                return Err(error);
            }
            broken += 1;
        }
    }

    /// This collection is there, and all above it.
    ///
    /// Where files are moved, each is made under a name of its own and then moved: made twice at once, one that a cache keeps may lose what
    /// lies in it (seen of rclone).
    pub(crate) async fn folder(&self, place: &Place) -> Result<()> {
        if !self.moves_files() {
            return self.client.make_all(&self.folders, place).await;
        }
        let (mut missing, mut next) = (Vec::new(), place.clone());
        while !self.folders.knows(&next) && !self.is_collection(&next).await? {
            missing.push(next.clone());
            next = next.parent();
        }
        self.folders.note(&next);
        for place in missing.into_iter().rev() {
            self.make_by_move(&place).await?;
            self.folders.note(&place);
        }
        Ok(())
    }

    async fn make_by_move(&self, place: &Place) -> Result<()> {
        let temporary = place.parent().temporary()?;
        if let Made::No(answer) = self.client.make(&temporary).await? {
            let error = answer.error();
            answer.finish().await;
            self.client.check_root().await?;
            return Err(error);
        }
        let ask = Ask::new("MOVE", self.client.collection(&temporary))
            .with("destination", self.client.collection(place))
            .with("overwrite", "F");
        let answer = self.client.send(ask).await?;
        let (done, error) = (answer.is_done(), answer.error());
        answer.finish().await;
        if done {
            return Ok(());
        }
        self.discard(&temporary).await;
        // Another's may have come first.
        if self.is_collection(place).await? { Ok(()) } else { Err(error) }
    }
}
