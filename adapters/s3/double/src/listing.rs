//! Pages of keys, as `ListObjectsV2` gives them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::objects::Objects;

/// The most names on one page.
const PAGE: usize = 1000;

/// The XML of one page.
pub(crate) fn page(objects: &Objects, query: &BTreeMap<String, String>) -> String {
    let text = |name: &str| query.get(name).map_or("", String::as_str);
    let (prefix, delimiter) = (text("prefix"), text("delimiter"));
    // A token is the last name of the page before it.
    let after = text("start-after").max(text("continuation-token"));
    let most = text("max-keys").parse().unwrap_or(PAGE).min(PAGE);
    let mut found = Found::default();
    let mut last = String::new();
    let mut more = false;
    objects.keys(prefix, after, |key, size| {
        let below = key[prefix.len()..].split_once(delimiter).filter(|_| !delimiter.is_empty());
        let folder = below.map(|(name, _)| format!("{prefix}{name}{delimiter}"));
        // Of a folder all keys stand for one name; one that ended the page before is not told again.
        if folder.as_ref().is_some_and(|folder| found.folders.contains(folder) || folder.as_str() == after) {
            return true;
        }
        if found.len() == most {
            more = true;
            return false;
        }
        if let Some(folder) = folder {
            last.clone_from(&folder);
            found.folders.push(folder);
        } else {
            key.clone_into(&mut last);
            found.keys.push((key.to_owned(), size));
        }
        true
    });
    found.xml(more.then_some(last.as_str()))
}

#[derive(Default)]
struct Found {
    keys: Vec<(String, usize)>,
    folders: Vec<String>,
}

impl Found {
    fn len(&self) -> usize {
        self.keys.len() + self.folders.len()
    }

    fn xml(&self, token: Option<&str>) -> String {
        let mut xml = String::from(r#"<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>"#);
        let _ = write!(xml, "<KeyCount>{}</KeyCount><IsTruncated>{}</IsTruncated>", self.len(), token.is_some());
        if let Some(token) = token {
            let _ = write!(xml, "<NextContinuationToken>{token}</NextContinuationToken>");
        }
        for (key, size) in &self.keys {
            let _ = write!(
                xml,
                "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>&quot;0&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            );
        }
        for folder in &self.folders {
            let _ = write!(xml, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
        }
        xml.push_str("</ListBucketResult>");
        xml
    }
}
