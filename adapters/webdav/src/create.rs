//! `create`: publish a collection, and read it back.
//!
//! A temporary collection beside the final one is made, and filled with its one file `data`; then it is moved to its name with
//! `Overwrite: F`. A rename onto a collection that is not empty fails in the server's kernel, however the server checks. So at most
//! one of any number of racing creators succeeds, and **what is read back under the name decides who**: servers tell losers 201,
//! 207, 405, 409, 412, 423 and 500, and winners whatever their connection made of it.
//!
//! Some servers show a moved collection late or empty, those that keep files in a cache of their own. There a file is moved instead, into a
//! collection that may be there already, with all the rest alike ([`Temporary`]). The probe of a new store chooses, and the store's `format`
//! keeps it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longshore_core::{Created, Error, ErrorKind, ObjectKey, Outcome, Reply, Result};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::client::{Answer, Ask, BROKEN, is_lost};
use crate::folders::Made;
use crate::place::Place;
use crate::storage::Inner;
use crate::temporary::Temporary;
use crate::upload::Upload;

/// How often a published collection is looked at whose member is not shown yet.
const LOOKS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(30);
/// After how many looks a shorter object is whole, where the server says that mine is not there.
const SETTLED: u32 = 2;

/// What the server said to a publication.
enum Told {
    /// That it is done.
    Done,
    /// That it is not; the error that says so.
    Refused(Error),
    /// Nothing: the connection broke, or stood still.
    Lost(Error),
}

/// What became of a publication, as far as the server said it.
struct Published {
    told: Told,
    /// A request may be on its way still whose answer was lost: until it has come, the temporary stays as it is.
    open: bool,
}

/// What lies under the name.
enum Found {
    Mine,
    Another,
    /// The beginning of what I published: it is being shown, or another's that is like it.
    Part,
    /// Nothing yet.
    Nothing,
}

impl Inner {
    pub(crate) async fn create(self: &Arc<Self>, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let decided = self.decide(key, &bytes).await?;
        let record = Place::from(key).parent();
        if record.is_numbered() && !self.moves_files() {
            self.make_ahead(&record.parent());
        }
        Ok(decided)
    }

    /// Makes the temporary collection of the next `create` in this one.
    fn make_ahead(self: &Arc<Self>, parent: &Place) {
        let Ok(runtime) = Handle::try_current() else { return };
        self.spares.keep_one(parent, || {
            let (inner, parent) = (Arc::clone(self), parent.clone());
            runtime.spawn(async move { inner.temporary_in(&parent).await })
        });
    }

    async fn decide(&self, key: &ObjectKey, bytes: &Bytes) -> Result<Reply<Created>> {
        let record = Place::from(key).parent();
        let temporary = if self.moves_files() {
            self.filled_file(&record, bytes).await.map(Temporary::File)
        } else {
            self.filled(&record.parent(), bytes).await.map(Temporary::Collection)
        };
        let temporary = temporary.map_err(|error| error.with_outcome(Outcome::NotApplied))?;
        // From here on, a dropped future or a lost answer leaves the temporary as it is: the server may still be moving it, and a
        // collection that is emptied meanwhile would be published empty.
        let Published { mut told, mut open } = self.publish(&temporary, key).await?;
        let mut again = false;
        for look in 0..LOOKS {
            let (found, reply) = self.look(key, bytes).await?;
            match (found, &told) {
                (Found::Mine, Told::Done) => return Ok(reply.map(|()| Created::Created)),
                // The same bytes may lie there since an earlier call.
                (Found::Mine, Told::Refused(_) | Told::Lost(_)) => {
                    let created = self.was_moved(&temporary, open).await?;
                    return Ok(reply.map(|()| created));
                }
                (Found::Part, Told::Refused(_)) if look < SETTLED => sleep(FIRST_PAUSE * (1 << look)).await,
                (Found::Another, _) | (Found::Part, Told::Refused(_)) => {
                    if !open {
                        self.drop_temporary(&temporary).await;
                    }
                    return Ok(reply.map(|()| Created::Exists));
                }
                // Where it is not the first refusal, the first may have been of a proxy, and the server still at it.
                (Found::Nothing, Told::Refused(error)) if is_final(error) && !again && !open => {
                    self.drop_temporary(&temporary).await;
                    let Told::Refused(error) = told else { break };
                    return Err(error.with_outcome(Outcome::NotApplied));
                }
                (Found::Nothing, Told::Lost(_)) => break,
                (Found::Nothing | Found::Part, _) => sleep(FIRST_PAUSE * (1 << look)).await,
            }
            if look == LOOKS / 2 && matches!(told, Told::Refused(_)) {
                // Nothing is there, and the refusal may have been of a moment: two requests met.
                again = true;
                let now = self.publish(&temporary, key).await;
                let now = now.map_err(|error| error.with_outcome(Outcome::Unknown))?;
                (told, open) = (now.told, open || now.open);
            }
        }
        Err(match told {
            Told::Done => unknown("the server says that it is done, and does not show the object"),
            Told::Refused(error) | Told::Lost(error) => error.with_outcome(Outcome::Unknown),
        })
    }

    /// A temporary collection with its one file.
    async fn filled(&self, parent: &Place, bytes: &Bytes) -> Result<Place> {
        let ahead = self.spares.take(parent).await;
        let mut fresh = ahead.is_none();
        let mut temporary = match ahead {
            Some(place) => place,
            None => self.temporary_in(parent).await?,
        };
        let mut broken = 0;
        loop {
            let Err(error) = self.send_small(&temporary.join(ObjectKey::DATA), bytes, broken > 0).await else {
                return Ok(temporary);
            };
            self.discard(&temporary).await;
            // One that was made long ago may have been taken for a leftover, and a kept-alive connection may break.
            let taken_away = !fresh && error.kind() != ErrorKind::Denied;
            if broken == BROKEN || !(taken_away || is_lost(&error)) {
                return Err(error);
            }
            broken += usize::from(is_lost(&error));
            fresh = true;
            temporary = self.temporary_in(parent).await?;
        }
    }

    /// A file whose name nobody else knows.
    pub(crate) async fn send_small(&self, file: &Place, bytes: &Bytes, anew: bool) -> Result<()> {
        // Sent again to the same name, it could meet its own first try, cut and late.
        let ask = Ask::new("PUT", self.client.file(file)).with_upload(Upload::Bytes(bytes.clone())).once();
        let answer = self.client.send(if anew { ask.anew() } else { ask }).await?;
        if !answer.is_done() {
            return Err(answer.error());
        }
        answer.finish().await;
        Ok(())
    }

    /// Makes a temporary collection in this one, and this one too if need be.
    pub(crate) async fn temporary_in(&self, parent: &Place) -> Result<Place> {
        let temporary = parent.temporary()?;
        let refusal = match self.client.make(&temporary).await? {
            Made::Yes => return Ok(temporary),
            Made::No(answer) => answer,
        };
        if !matches!(refusal.status, 403 | 404 | 405 | 409 | 500 | 502 | 504) {
            return Err(refusal.error());
        }
        // A server that met it twice at once may have refused the one whose answer came.
        let maybe_made = refusal.repeated || refusal.status >= 500;
        refusal.finish().await;
        if parent.is_root() {
            self.client.check_root().await?;
        }
        self.folders.forget(parent);
        self.client.make_all(&self.folders, parent).await?;
        match self.client.make(&temporary).await? {
            Made::Yes => Ok(temporary),
            // Nobody else knows its name: the first request made it, whatever its answer said.
            Made::No(answer) if answer.status == 405 && maybe_made => {
                answer.finish().await;
                Ok(temporary)
            }
            Made::No(answer) => Err(answer.error()),
        }
    }

    /// A request whose connection broke is sent again: the temporary can be moved once, so of all tries one does it at the most, and
    /// one that comes late finds it gone.
    async fn publish(&self, temporary: &Temporary, key: &ObjectKey) -> Result<Published> {
        let ask = Ask::new("MOVE", temporary.address(&self.client))
            .with("destination", temporary.destination(&self.client, key))
            .with("overwrite", "F");
        let answer = match self.client.send(ask).await {
            Ok(answer) => answer,
            Err(error) if error.outcome() == Outcome::Unknown => {
                return Ok(Published { told: Told::Lost(error), open: true });
            }
            Err(error) => return Err(error),
        };
        let (done, open) = (answer.is_done(), answer.repeated);
        let told = if done { Told::Done } else { Told::Refused(answer.error()) };
        answer.finish().await;
        Ok(Published { told, open })
    }

    /// Reads what was published, and compares.
    async fn look(&self, key: &ObjectKey, mine: &Bytes) -> Result<(Found, Reply<()>)> {
        let looked = async {
            let ask = Ask::new("GET", self.client.file(&Place::from(key))).with("accept-encoding", "identity");
            let answer = self.client.send(ask).await?;
            self.compare(answer, mine).await
        };
        looked.await.map_err(|error| error.with_outcome(Outcome::Unknown))
    }

    async fn compare(&self, answer: Answer, mine: &Bytes) -> Result<(Found, Reply<()>)> {
        let reply = Reply { value: (), time: answer.time };
        match answer.status {
            200 => {}
            403 | 404 | 409 | 410 => {
                answer.finish().await;
                return Ok((Found::Nothing, reply));
            }
            _ => return Err(answer.error()),
        }
        // A page for people, or bytes that were compressed on the way, show no object.
        let no_object = (answer.is_page() || answer.is_encoded()).then(|| answer.error());
        // What is longer than mine is another's.
        let theirs = answer.bytes(LARGEST).await?;
        if let Some(error) = no_object.filter(|_| theirs != mine) {
            return Err(error);
        }
        let found = if theirs == mine {
            Found::Mine
        } else if theirs.len() < mine.len() && mine.starts_with(&theirs) {
            Found::Part
        } else {
            Found::Another
        };
        Ok((found, reply))
    }

    /// Whose bytes are read back that are like mine, when the server refused me or said nothing: mine, if my temporary is not there any more.
    async fn was_moved(&self, temporary: &Temporary, open: bool) -> Result<Created> {
        let ask = Ask::new("GET", temporary.data(&self.client));
        let answer = self.client.send(ask).await.map_err(|error| error.with_outcome(Outcome::Unknown))?;
        let there = answer.status == 200;
        if !there && !matches!(answer.status, 404 | 409 | 410) {
            return Err(answer.error().with_outcome(Outcome::Unknown));
        }
        answer.finish().await;
        if there && !open {
            self.drop_temporary(temporary).await;
        }
        Ok(if there { Created::Exists } else { Created::Created })
    }
}

/// The largest object of another's that may stand where mine should: what is larger is no object of ours.
const LARGEST: usize = 64 * 1024 * 1024;

/// Whether a refusal stays one however often it is asked: of who we are, or for want of room.
fn is_final(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::Full | ErrorKind::Invalid | ErrorKind::Unsupported)
}

fn unknown(what: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, what).with_outcome(Outcome::Unknown)
}
