//! Listings that are not complete, not in order, or not of that folder.

use async_trait::async_trait;
use longshore_core::{Error, ErrorKind, Folder, Listing, MemoryStorage, Reply, Result, Storage as _};

use super::broken;
use super::hooked::{hooked, later};
use crate::broken::matrix::Broken;
use crate::broken::wrong::{Wrong, reply, server};

/// How many names a page has.
const PAGE: usize = 100;

type Page = Result<(Vec<String>, bool)>;

pub(crate) fn table() -> Vec<Broken> {
    let mut table = pages();
    table.extend(orders());
    table.extend(folders());
    table
}

fn pages() -> Vec<Broken> {
    vec![
        broken(
            "a listing ends after its first page",
            hooked!(page: first_page),
            &["storage::list::is_complete_over_many_pages", "storage::list::of_many_folders_is_complete"],
        ),
        broken(
            "a listing leaves out its last page",
            hooked!(page: no_last_page),
            &["storage::list::is_complete_over_many_pages"],
        ),
        broken(
            "each page leaves out its last name",
            hooked!(page: gaps),
            &["storage::list::is_complete_over_many_pages"],
        ),
        broken(
            "the next page repeats the last name",
            hooked!(page: overlapping),
            &["storage::list::is_complete_over_many_pages", "storage::list::goes_on_after_any_name"],
        ),
        broken(
            "a listing goes on after names that are there only",
            hooked!(page: known_marker),
            &["storage::list::goes_on_after_any_name"],
        ),
        broken(
            "a listing says for ever that more follows",
            hooked!(page: |names, after| Ok((later(names, after), true))),
            &["storage::list::an_empty_folder_is_empty", "storage::list::is_complete_over_many_pages"],
        ),
        broken(
            "a listing goes on from the start",
            hooked!(page: |names, after| Ok((if after.is_some() { Vec::new() } else { names }, false))),
            &["storage::list::goes_on_after_any_name", "storage::list::goes_on_after_any_folder"],
        ),
        broken(
            "a listing gives some names twice",
            hooked!(page: |names, after| {
                Ok((later(names, after).into_iter().flat_map(|name| twice_if_seven(name)).collect(), false))
            }),
            &["storage::list::is_complete_over_many_pages"],
        ),
    ]
}

fn orders() -> Vec<Broken> {
    vec![
        broken(
            "a listing has the order of its hashes",
            hooked!(page: |names, after| sorted(names, after, |name| {
                name.bytes().rev().map(char::from).collect()
            })),
            &["storage::list::rises_by_bytes"],
        ),
        broken("a listing has the order of numbers", hooked!(page: numeric), &["storage::list::rises_by_bytes"]),
        broken(
            "a listing has the order of words",
            hooked!(page: |names, after| sorted(names, after, |name| {
                name.replace(['-', '_'], "")
            })),
            &["storage::list::rises_by_bytes"],
        ),
        broken(
            "a listing has the order of paths",
            hooked!(page: |names, after| {
                let mut names = later(names, after);
                names.sort_by_key(|name| format!("{name}/"));
                Ok((names, false))
            }),
            &["storage::list::rises_by_bytes"],
        ),
        broken(
            "a listing goes on after paths, not names",
            hooked!(page: |names, after| {
                let mut names = names;
                names.retain(|name| after.is_none_or(|after| format!("{name}/").as_str() > after));
                Ok((names, false))
            }),
            &["storage::list::goes_on_after_any_folder"],
        ),
    ]
}

fn folders() -> Vec<Broken> {
    vec![
        broken(
            "names that begin with - are not listed",
            hooked!(page: |names, after| without(names, after, |name| name.starts_with('-'))),
            &["storage::names::are_listed_as_they_were_given"],
        ),
        broken(
            "names that begin with a digit are not listed",
            hooked!(page: |names, after| {
                without(names, after, |name| name.starts_with(|first: char| first.is_ascii_digit()))
            }),
            &["storage::names::are_listed_as_they_were_given", "storage::list::shows_one_level"],
        ),
        broken(
            "an empty folder is an error",
            hooked!(page: |names, after| {
                if names.is_empty() { Err(Error::new(ErrorKind::Missing, "404")) } else { Ok((later(names, after), false)) }
            }),
            &["storage::list::an_empty_folder_is_empty"],
        ),
        broken("a listing shows what lies beneath, too", || server(Deep), &["storage::list::shows_one_level"]),
        broken(
            "a listing shows folders with that beginning",
            || server(Beginning),
            &["storage::list::an_empty_folder_is_empty"],
        ),
        broken(
            "a listing shows no folders beside objects",
            || server(ObjectsOnly),
            &["storage::list::shows_folders_beside_objects"],
        ),
    ]
}

fn first_page(names: Vec<String>, after: Option<&str>) -> Page {
    let mut names = later(names, after);
    names.truncate(PAGE);
    Ok((names, false))
}

fn no_last_page(names: Vec<String>, after: Option<&str>) -> Page {
    let mut names = later(names, after);
    let more = names.len() > 2 * PAGE;
    names.truncate(PAGE);
    Ok((names, more))
}

fn gaps(names: Vec<String>, after: Option<&str>) -> Page {
    let mut names = later(names, after);
    let more = names.len() > PAGE;
    names.truncate(PAGE);
    if more {
        names.remove(PAGE - 2);
    }
    Ok((names, more))
}

fn overlapping(mut names: Vec<String>, after: Option<&str>) -> Page {
    names.retain(|name| after.is_none_or(|after| name.as_str() >= after));
    let more = names.len() > PAGE;
    names.truncate(PAGE);
    Ok((names, more))
}

/// Finds the place by the name itself, and starts over where that is gone.
fn known_marker(names: Vec<String>, after: Option<&str>) -> Page {
    let known = after.filter(|after| names.iter().any(|name| name == after));
    Ok((later(names, known), false))
}

fn sorted(names: Vec<String>, after: Option<&str>, key: fn(&String) -> String) -> Page {
    let mut names = later(names, after);
    names.sort_by_key(key);
    Ok((names, false))
}

fn numeric(names: Vec<String>, after: Option<&str>) -> Page {
    let mut names = later(names, after);
    names.sort_by_key(|name| (name.parse::<u64>().is_err(), name.parse::<u64>().unwrap_or(0)));
    Ok((names, false))
}

fn without(names: Vec<String>, after: Option<&str>, left_out: fn(&str) -> bool) -> Page {
    let mut names = later(names, after);
    names.retain(|name| !left_out(name));
    Ok((names, false))
}

#[derive(Debug)]
struct Deep(MemoryStorage);

#[async_trait]
impl Wrong for Deep {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let inside = format!("{folder}/");
        let mut names: Vec<String> = Vec::new();
        for key in self.0.objects().keys() {
            let parts = key.as_str().strip_prefix(&inside).into_iter().flat_map(|rest| rest.split('/'));
            names.extend(parts.filter(|part| after.is_none_or(|after| *part > after)).map(str::to_owned));
        }
        names.sort();
        names.dedup();
        reply(&self.0, Listing { names, more: false }).await
    }
}

#[derive(Debug)]
struct Beginning(MemoryStorage);

#[async_trait]
impl Wrong for Beginning {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut names: Vec<String> = Vec::new();
        for key in self.0.objects().keys() {
            let rest = key.as_str().strip_prefix(folder.as_str());
            names.extend(rest.and_then(|rest| rest.trim_start_matches('/').split('/').next()).map(str::to_owned));
        }
        names.sort();
        names.dedup();
        reply(&self.0, Listing { names: later(names, after), more: false }).await
    }
}

/// Where objects and folders lie together, only the objects.
#[derive(Debug)]
struct ObjectsOnly(MemoryStorage);

#[async_trait]
impl Wrong for ObjectsOnly {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut page = self.0.list(folder, after).await?;
        let objects = self.0.objects();
        let is_object = |name: &String| folder.object(name).is_ok_and(|key| objects.contains_key(&key));
        if page.value.names.iter().any(is_object) {
            page.value.names.retain(is_object);
        }
        Ok(page)
    }
}

fn twice_if_seven(name: String) -> Vec<String> {
    let times = if name.ends_with('7') { 2 } else { 1 };
    vec![name; times]
}
