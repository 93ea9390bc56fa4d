//! `list`: one `PROPFIND` of depth 1.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use longshore_core::{Error, ErrorKind, Folder, Listing, ObjectKey, Reply, Result, ServerTime};
use tokio::time::sleep;

use crate::client::{Answer, Ask};
use crate::get::bytes_of;
use crate::multistatus::{Member, PROPFIND, members};
use crate::place::{Place, is_temporary};
use crate::storage::Inner;
use crate::upload::Upload;

/// How often a listing is asked for that fails because a member went while the server looked at it, as a temporary does.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(30);

impl Inner {
    pub(crate) async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let place = Place::from(folder);
        let Reply { value, time } = self.members(&place).await?;
        self.sweep(&place, &value, time).await;
        let is_ours = |name: &str| ObjectKey::new(name).is_ok() && after.is_none_or(|after| name > after);
        let ours: Vec<Member> = value.into_iter().filter(|member| is_ours(member.name())).collect();
        let mut names: Vec<String> = if self.moves_files() {
            let full: Vec<_> = ours.into_iter().map(|member| self.if_full(&place, member)).collect();
            stream::iter(full).buffered(self.claims.parallelism).try_filter_map(future::ok).try_collect().await?
        } else {
            ours.iter().map(|member| member.name().to_owned()).collect()
        };
        names.sort_unstable();
        names.dedup();
        Ok(Reply { value: Listing { names, more: false }, time })
    }

    /// Its name, unless it is a collection with nothing in it: one whose creator was killed before it moved the file there.
    async fn if_full(&self, folder: &Place, member: Member) -> Result<Option<String>> {
        let place = folder.join(member.name());
        if member.collection && !self.full.knows(&place) {
            let within = self.members(&place).await?.value;
            if !within.iter().any(|member| ObjectKey::new(member.name()).is_ok()) {
                return Ok(None);
            }
            self.full.note(&place);
        }
        Ok(Some(member.name().to_owned()))
    }

    /// What lies in a collection; nothing, if it is not there.
    pub(crate) async fn members(&self, place: &Place) -> Result<Reply<Vec<Member>>> {
        let mut tried = 0;
        loop {
            let answer = self.propfind(place, "1").await?;
            let time: Option<ServerTime> = answer.time;
            let failed = match answer.status {
                207 => {
                    let all = members(bytes_of(answer.body)).await?;
                    return Ok(Reply { value: below(all, &self.client.base.path(place)), time });
                }
                404 | 410 if place.is_root() => return Err(answer.error()),
                404 | 409 | 410 => {
                    answer.finish().await;
                    if !self.is_collection(place).await? {
                        self.client.check_root().await?;
                        return Ok(Reply { value: Vec::new(), time });
                    }
                    Error::new(ErrorKind::Unavailable, "the server lists no folder while others write in it")
                }
                500 => {
                    let error = answer.error();
                    answer.finish().await;
                    error
                }
                _ => return Err(answer.error()),
            };
            tried += 1;
            if tried == TRIES {
                return Err(failed);
            }
            sleep(FIRST_PAUSE * (1 << tried)).await;
        }
    }

    /// Whether the collection itself is there: "not found" of a listing may be said of one of its members.
    pub(crate) async fn is_collection(&self, place: &Place) -> Result<bool> {
        let answer = self.propfind(place, "0").await?;
        match answer.status {
            207 => {
                answer.finish().await;
                Ok(true)
            }
            404 | 409 | 410 => {
                answer.finish().await;
                Ok(false)
            }
            _ => Err(answer.error()),
        }
    }

    async fn propfind(&self, place: &Place, depth: &str) -> Result<Answer> {
        let ask = Ask::new("PROPFIND", self.client.collection(place))
            .with("depth", depth)
            .with("content-type", "application/xml; charset=utf-8")
            .with_upload(Upload::Bytes(PROPFIND.into()));
        let _awaited = self.client.root.awaited();
        let answer = self.client.send(ask).await?;
        if answer.status == 207 {
            self.client.root.seen();
        }
        Ok(answer)
    }
}

/// The members directly below the collection that was asked for. Where a proxy shows the server under another path than the server
/// knows, it is the one that the others lie below.
fn below(members: Vec<Member>, asked: &str) -> Vec<Member> {
    let own = if members.iter().any(|member| member.path == asked || member.parent() == asked) {
        asked.to_owned()
    } else {
        members.iter().map(|member| member.path.as_str()).min_by_key(|path| path.len()).unwrap_or_default().to_owned()
    };
    members.into_iter().filter(|member| !member.gone && member.path != own && member.parent() == own).collect()
}

/// Whether a member is a temporary, and how old it is by the server's clock.
pub(crate) fn age_of_temporary(member: &Member, now: Option<ServerTime>) -> Option<std::time::Duration> {
    if !is_temporary(member.name()) {
        return None;
    }
    Some(now?.since(member.modified?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[&str], asked: &str) -> Vec<String> {
        let members = paths.iter().map(|path| Member { path: (*path).to_owned(), ..Member::default() }).collect();
        below(members, asked).iter().map(|member| member.name().to_owned()).collect()
    }

    #[test]
    fn the_collection_itself_and_what_lies_deeper_are_left_out() {
        assert_eq!(names(&["/dav/log", "/dav/log/1", "/dav/log/1/data", "/dav/log/2"], "/dav/log"), ["1", "2"]);
        assert_eq!(names(&["/dav/log/1", "/dav/log/2"], "/dav/log"), ["1", "2"]);
        assert_eq!(names(&["/dav/log"], "/dav/log"), [""; 0]);
        assert_eq!(names(&[""], ""), [""; 0]);
        assert_eq!(names(&["", "/1"], ""), ["1"]);
    }

    #[test]
    fn a_proxy_may_show_another_path() {
        assert_eq!(names(&["/remote.php/dav/log", "/remote.php/dav/log/1"], "/cloud/dav/log"), ["1"]);
        assert_eq!(names(&["/remote.php/dav/log"], "/cloud/dav/log"), [""; 0]);
    }
}
