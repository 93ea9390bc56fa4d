//! `delete`: take away, then remove.

use longshore_core::{Error, ErrorKind, ObjectKey, Reply, Result, ServerTime};

use crate::client::Ask;
use crate::place::Place;
use crate::storage::Inner;

impl Inner {
    pub(crate) async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        if key.is_record() {
            let time = self.take_away(&Place::from(key).parent()).await?;
            return Ok(Reply { value: (), time });
        }
        let file = Place::from(key);
        let answer = self.client.send(Ask::new("DELETE", self.client.file(&file))).await?;
        let (time, status, error) = (answer.time, answer.status, answer.error());
        let done = answer.is_done();
        answer.finish().await;
        match status {
            _ if done => {}
            404 | 410 => self.client.check_root().await?,
            401 | 403 | 429 | 503 => return Err(error),
            // It may not be done yet, or somebody else did it at the same time, which gives a few servers a fright.
            _ if self.len_of(&file).await?.value.is_some() => return Err(error),
            _ => {}
        }
        Ok(Reply { value: (), time })
    }

    /// Renames a collection away, and then removes it: a `DELETE` removes file by file, and could meet the late publication of a
    /// slow client half-way, so that an empty collection stays.
    pub(crate) async fn take_away(&self, collection: &Place) -> Result<Option<ServerTime>> {
        let away = collection.parent().temporary()?;
        let ask = Ask::new("MOVE", self.client.collection(collection))
            .with("destination", self.client.collection(&away))
            .with("overwrite", "F");
        let answer = self.client.send(ask).await?;
        let (done, error, time) = (answer.is_done() || answer.repeated, answer.error(), answer.time);
        answer.finish().await;
        // Servers tell that there is nothing in five ways, and some that they moved what they did not.
        let file = collection.join(ObjectKey::DATA);
        if self.len_of(&file).await?.value.is_some() {
            return Err(if done {
                Error::new(ErrorKind::Unavailable, "the server says that it is deleted, and shows it still")
            } else {
                error
            });
        }
        if done {
            self.discard(&away).await;
        }
        Ok(time)
    }
}
