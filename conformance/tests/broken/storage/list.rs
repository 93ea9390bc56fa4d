//! Listings that are not complete, not in order, or not of that folder.

use longshore_conformance::Size;
use longshore_core::{Error, ErrorKind};

use super::broken;
use super::folder::{Beginning, Counted, Deep, FewFolders, ObjectsOnly};
use super::hooked::{Page, hooked, later};
use crate::broken::runs::Broken;
use crate::broken::wrong::server;

/// How many names a page has.
const PAGE: usize = 25;

pub(crate) fn table() -> Vec<Broken> {
    let mut table = pages();
    table.extend(ends());
    table.extend(orders());
    table.extend(folders());
    table
}

fn pages() -> Vec<Broken> {
    vec![
        broken(
            "a listing ends after its first page",
            hooked!(page: |names, after| Ok(first_page(names, after))),
            &["storage::list::is_complete_over_many_pages", "storage::list::of_many_folders_is_complete"],
        ),
        broken(
            "a listing leaves out its last page",
            hooked!(page: |names, after| Ok(no_last_page(names, after))),
            &["storage::list::is_complete_over_many_pages"],
        ),
        broken(
            "each page leaves out its last name",
            hooked!(page: |names, after| Ok(gaps(names, after))),
            &["storage::list::is_complete_over_many_pages"],
        ),
        broken(
            "the next page repeats the last name",
            hooked!(page: |names, after| Ok(overlapping(names, after))),
            &["storage::list::is_complete_over_many_pages", "storage::list::goes_on_after_any_name"],
        ),
        broken(
            "a listing goes on after names that are there only",
            hooked!(page: |names, after| Ok(known_marker(names, after))),
            &["storage::list::goes_on_after_any_name"],
        ),
        broken(
            "a listing says for ever that more follows",
            hooked!(page: |names, after| Ok((later(names, after), true))),
            &["storage::list::an_empty_folder_is_empty", "storage::list::is_complete_over_many_pages"],
        ),
        Broken {
            // Other cases would read thousands of its pages, too, each as often as it lists.
            only: "storage::list::an_empty_folder_is_empty",
            ..broken(
                "a listing has always another name",
                hooked!(page: |_, after| Ok((vec![another(after)], true))),
                &["storage::list::an_empty_folder_is_empty"],
            )
        },
        broken(
            "a listing counts the names it has given",
            || server(Counted::new),
            &["storage::list::loses_no_name_while_others_come_and_go"],
        ),
        broken(
            "a listing goes on from the start",
            hooked!(page: |names, after| Ok((if after.is_some() { Vec::new() } else { names }, false))),
            &["storage::list::goes_on_after_any_name", "storage::list::goes_on_after_any_folder"],
        ),
        broken(
            "a listing gives some names twice",
            hooked!(page: |names, after| {
                Ok((later(names, after).into_iter().flat_map(twice_if_seven).collect(), false))
            }),
            &["storage::list::is_complete_over_many_pages"],
        ),
    ]
}

/// Listings that are complete until there are thousands of names.
fn ends() -> Vec<Broken> {
    let among_thousands = |case: &'static [&'static str], name, harness| Broken {
        only: case[0],
        size: Size::Ci,
        ..broken(name, harness, case)
    };
    vec![
        among_thousands(
            &["storage::list::is_complete_over_many_pages"],
            "a listing ends after 5,000 names",
            hooked!(page: |names, after| {
                let mut names = later(names, after);
                names.truncate(5_000);
                Ok((names, false))
            }),
        ),
        among_thousands(&["storage::list::of_many_folders_is_complete"], "a listing ends after 1,000 folders", || {
            server(FewFolders)
        }),
    ]
}

fn orders() -> Vec<Broken> {
    vec![
        broken(
            "a listing has the order of its hashes",
            hooked!(page: |names, after| Ok(sorted(names, after, |name| name.bytes().rev().map(char::from).collect()))),
            &["storage::list::rises_by_bytes"],
        ),
        broken(
            "a listing has the order of numbers",
            hooked!(page: |names, after| Ok(numeric(names, after))),
            &["storage::list::rises_by_bytes"],
        ),
        broken(
            "a listing has the order of words",
            hooked!(page: |names, after| Ok(sorted(names, after, |name| name.replace(['-', '_'], "")))),
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
            hooked!(page: |names, after| Ok(without(names, after, |name| name.starts_with('-')))),
            &["storage::names::are_listed_as_they_were_given"],
        ),
        broken(
            "names that begin with a digit are not listed",
            hooked!(page: |names, after| {
                Ok(without(names, after, |name| name.starts_with(|first: char| first.is_ascii_digit())))
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
    (names, false)
}

fn another(after: Option<&str>) -> String {
    let number = after.and_then(|after| after.parse::<u64>().ok()).map_or(0, |number| number + 1);
    format!("{number:020}")
}

fn no_last_page(names: Vec<String>, after: Option<&str>) -> Page {
    let mut names = later(names, after);
    let more = names.len() > 2 * PAGE;
    names.truncate(PAGE);
    (names, more)
}

fn gaps(names: Vec<String>, after: Option<&str>) -> Page {
    let mut names = later(names, after);
    let more = names.len() > PAGE;
    names.truncate(PAGE);
    if more {
        names.remove(PAGE - 2);
    }
    (names, more)
}

fn overlapping(mut names: Vec<String>, after: Option<&str>) -> Page {
    names.retain(|name| after.is_none_or(|after| name.as_str() >= after));
    let more = names.len() > PAGE;
    names.truncate(PAGE);
    (names, more)
}

/// Finds the place by the name itself, and starts over where that is gone.
fn known_marker(names: Vec<String>, after: Option<&str>) -> Page {
    let known = after.filter(|after| names.iter().any(|name| name == after));
    (later(names, known), false)
}

fn sorted(names: Vec<String>, after: Option<&str>, key: fn(&String) -> String) -> Page {
    let mut names = later(names, after);
    names.sort_by_key(key);
    (names, false)
}

fn numeric(names: Vec<String>, after: Option<&str>) -> Page {
    let mut names = later(names, after);
    names.sort_by_key(|name| (name.parse::<u64>().is_err(), name.parse::<u64>().unwrap_or(0)));
    (names, false)
}

fn without(names: Vec<String>, after: Option<&str>, left_out: fn(&str) -> bool) -> Page {
    let mut names = later(names, after);
    names.retain(|name| !left_out(name));
    (names, false)
}

fn twice_if_seven(name: String) -> Vec<String> {
    let times = if name.ends_with('7') { 2 } else { 1 };
    vec![name; times]
}
