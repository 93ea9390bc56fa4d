//! Creates that are not decided once.

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{Created, Error, ErrorKind, Folder, MemoryStorage, ObjectKey, Reply, Result, Storage as _};

use super::broken;
use super::creator::{Crowd, Crowded, Indexed, Locking, Reserving, Retrying, Wary};
use crate::broken::runs::Broken;
use crate::broken::wrong::{Wrong, client, listed, overwrite, pause, reply, server, stored};

pub(crate) fn table() -> Vec<Broken> {
    [by_whom_it_is_decided(), what_is_seen_of_it()].into_iter().flatten().collect()
}

fn by_whom_it_is_decided() -> Vec<Broken> {
    vec![
        broken(
            "create checks, then writes",
            || server(|right| Decides { right, how: How::CheckThenWrite }),
            &["storage::create::of_many_at_once_one_wins", "storage::create::of_one_clients_calls_one_wins"],
        ),
        broken(
            "create checks, then writes, and bears one call at once",
            || server(|right| Decides { right, how: How::CheckThenWrite }).with_parallelism(1),
            &["storage::create::of_many_at_once_one_wins", "storage::create::of_one_clients_calls_one_wins"],
        ),
        broken(
            "create of more than 64 KiB checks, then writes",
            || server(|right| Decides { right, how: How::LargeCheckThenWrite }),
            &["storage::create::of_many_at_once_one_wins"],
        ),
        broken(
            "create takes an object without bytes for none",
            || server(|right| Decides { right, how: How::EmptyIsFree }),
            &["storage::create::a_second_one_changes_nothing"],
        ),
        broken(
            "create overwrites",
            || server(|right| Decides { right, how: How::Overwrite }),
            &["storage::create::a_second_one_changes_nothing", "storage::create::its_own_client_is_told_too"],
        ),
        broken(
            "create tells losers that they won",
            || server(|right| Decides { right, how: How::TellSuccess }),
            &["storage::create::a_second_one_changes_nothing", "storage::create::of_many_at_once_one_wins"],
        ),
        broken(
            "create tells losers so, and keeps their bytes",
            || server(|right| Decides { right, how: How::KeepLast }),
            &["storage::create::a_second_one_changes_nothing", "storage::create::of_many_at_once_one_wins"],
        ),
        broken(
            "create of a taken name is an error",
            || server(|right| Decides { right, how: How::Conflict }),
            &["storage::create::a_second_one_changes_nothing"],
        ),
        broken(
            "create of equal bytes succeeds again",
            || server(|right| Decides { right, how: How::EqualIsMine }),
            &["storage::create::the_same_bytes_are_taken_too"],
        ),
        broken(
            "create says at times that a free name is taken",
            || server(Wary::new),
            &["storage::visible::every_acknowledged_write", "storage::at_once::each_write_is_kept"],
        ),
    ]
}

fn what_is_seen_of_it() -> Vec<Broken> {
    vec![
        broken(
            "a client's create succeeds again, as a retry",
            || client(Retrying::new),
            &["storage::create::its_own_client_is_told_too", "storage::create::of_one_clients_calls_one_wins"],
        ),
        broken(
            "create locks within a client only",
            || client(Locking::new),
            &["storage::create::of_many_at_once_one_wins"],
        ),
        broken(
            "create is decided by an index that deletions reset",
            || server(Indexed::new),
            &["storage::create::a_name_outlasts_the_deletion_of_another"],
        ),
        broken(
            "create makes an empty object first",
            || server(|right| Decides { right, how: How::EmptyFirst }),
            &[
                "storage::hunt::no_half_between_the_steps_of_a_create",
                "storage::dropped::a_create_leaves_nothing_or_all",
                "storage::hunt::no_half_of_a_record",
            ],
        ),
        broken(
            "create lists the name before its bytes are there",
            || server(Reserving::new),
            &["storage::hunt::no_half_between_the_steps_of_a_create"],
        ),
        broken(
            "create makes the folder anew beside other writers",
            || server(|right| Decides { right, how: How::NewFolder }),
            &["storage::at_once::the_first_into_a_folder_all_come_in"],
        ),
        broken(
            "create says of every name that it is taken",
            || server(|right| Decides { right, how: How::NeverCreated }),
            &["storage::create::of_many_at_once_one_wins", "storage::visible::every_acknowledged_write"],
        ),
        broken(
            "create of many at once tells nobody that it won",
            || server(|right| Crowded::new(right, Crowd::NobodyWins)),
            &["storage::create::of_many_at_once_one_wins"],
        ),
        broken(
            "create of many at once keeps another's bytes",
            || server(|right| Crowded::new(right, Crowd::AnotherIsKept)),
            &["storage::create::of_many_at_once_one_wins"],
        ),
        broken(
            "create bears 512 KiB",
            || server(|right| Decides { right, how: How::Small }),
            &["storage::bytes::a_record_has_up_to_one_mebibyte"],
        ),
    ]
}

#[derive(Debug, PartialEq)]
enum How {
    CheckThenWrite,
    LargeCheckThenWrite,
    EmptyIsFree,
    Overwrite,
    TellSuccess,
    KeepLast,
    Conflict,
    EqualIsMine,
    EmptyFirst,
    NewFolder,
    NeverCreated,
    Small,
}

#[derive(Debug)]
struct Decides {
    right: MemoryStorage,
    how: How,
}

#[async_trait]
impl Wrong for Decides {
    fn right(&self) -> &MemoryStorage {
        &self.right
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let right = &self.right;
        let store = |bytes: Bytes| async move { Ok(overwrite(right, key, bytes).await?.map(|()| Created::Created)) };
        match self.how {
            How::LargeCheckThenWrite if bytes.len() <= 64 << 10 => right.create(key, bytes).await,
            How::CheckThenWrite | How::LargeCheckThenWrite => {
                if stored(right, key).await?.is_some() {
                    return reply(right, Created::Exists).await;
                }
                pause().await;
                store(bytes).await
            }
            How::EmptyIsFree => match right.create(key, bytes.clone()).await? {
                Reply { value: Created::Exists, .. } if stored(right, key).await? == Some(Bytes::new()) => {
                    store(bytes).await
                }
                answer => Ok(answer),
            },
            How::Overwrite => store(bytes).await,
            How::TellSuccess => Ok(right.create(key, bytes).await?.map(|_| Created::Created)),
            How::KeepLast => {
                let answer = right.create(key, bytes.clone()).await?;
                pause().await;
                store(bytes).await?;
                Ok(answer)
            }
            How::Conflict => match right.create(key, bytes).await? {
                Reply { value: Created::Exists, .. } => Err(Error::new(ErrorKind::Conflict, "409")),
                created => Ok(created),
            },
            How::EqualIsMine => match right.create(key, bytes.clone()).await? {
                Reply { value: Created::Exists, .. } if stored(right, key).await? == Some(bytes) => {
                    reply(right, Created::Created).await
                }
                answer => Ok(answer),
            },
            How::EmptyFirst => match right.create(key, Bytes::new()).await? {
                Reply { value: Created::Created, .. } => {
                    pause().await;
                    store(bytes).await
                }
                taken => Ok(taken),
            },
            How::NewFolder => {
                let folder =
                    key.folder().unwrap().as_str().rsplit_once('/').map(|(above, _)| above.to_owned()).unwrap();
                let above = Folder::new(folder)?;
                let new = listed(right, &above).await?.is_empty();
                pause().await;
                for name in if new { listed(right, &above).await? } else { Vec::new() } {
                    right.delete(&above.join(name)?.object(ObjectKey::DATA)?).await?;
                }
                right.create(key, bytes).await
            }
            How::NeverCreated => Ok(right.create(key, bytes).await?.map(|_| Created::Exists)),
            How::Small if bytes.len() > 512 << 10 => Err(Error::new(ErrorKind::Full, "413")),
            How::Small => right.create(key, bytes).await,
        }
    }
}
