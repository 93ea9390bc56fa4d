//! Two devices edit the same JSON document; a three-way merge keeps both edits.
//!
//! `cargo run --example resolve_conflict`

use std::collections::BTreeSet;
use std::sync::Arc;

use longshore::{Answer, BaseVersion, Client, Conflict, Document, DocumentId, Result, SqliteReplica, Version};
use serde_json::{Map, Value, json};

/// A body's fields; none for what is no JSON object.
fn fields(document: Option<&Document>) -> Map<String, Value> {
    document.and_then(|document| serde_json::from_slice(&document.body).ok()).unwrap_or_default()
}

/// Each field takes the side that changed it. Where both did, this app prefers what was committed first: the remote.
fn merge(base: &Map<String, Value>, local: &Map<String, Value>, remote: &Map<String, Value>) -> Map<String, Value> {
    let names: BTreeSet<&String> = base.keys().chain(local.keys()).chain(remote.keys()).collect();
    let pick = |name: &String| {
        let remote_changed = remote.get(name) != base.get(name);
        if remote_changed { remote.get(name) } else { local.get(name) }.cloned()
    };
    names.into_iter().filter_map(|name| Some((name.clone(), pick(name)?))).collect()
}

fn resolve(conflict: &Conflict) -> Answer {
    let (Version::Present(local), Version::Present(remote)) = (&conflict.local, &conflict.remote) else {
        // An edit survives a deletion.
        return if conflict.local == Version::Deleted { Answer::TakeRemote } else { Answer::KeepLocal };
    };
    let base = match &conflict.base {
        BaseVersion::Known(base) => Some(base),
        BaseVersion::New | BaseVersion::NotKept => None,
    };
    let merged = merge(&fields(base), &fields(Some(local)), &fields(Some(remote)));
    println!("conflict in {}: merged to {}", conflict.id, Value::Object(merged.clone()));
    Answer::Merge { revision: None, body: Value::Object(merged).to_string().into() }
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let url = longshore::file_url(&folder.path().join("store"));
    let mut devices = Vec::new();
    for name in ["laptop.db", "phone.db"] {
        let replica = Arc::new(SqliteReplica::open(folder.path().join(name)).await?);
        let client = Client::builder(longshore::create(&url)?, replica.clone()).resolver(resolve).build();
        devices.push((replica, client));
    }
    let [(laptop, laptop_client), (phone, phone_client)] = &devices[..] else { unreachable!("two devices were made") };
    let write = |value: Value| Document::new("contact", value.to_string());

    laptop.put(write(json!({ "name": "Ada", "phone": "1", "city": "London" }))?).await?;
    laptop_client.sync().await?;
    phone_client.sync().await?;

    laptop.put(write(json!({ "name": "Ada", "phone": "2", "city": "London" }))?).await?;
    phone.put(write(json!({ "name": "Ada", "phone": "1", "city": "Paris" }))?).await?;
    laptop_client.sync().await?;
    let report = phone_client.sync().await?;
    laptop_client.sync().await?;
    assert_eq!((report.conflicts, report.resolved, report.unresolved), (1, 1, 0));

    let id = DocumentId::new("contact")?;
    for replica in [laptop, phone] {
        let stored: Value = serde_json::from_slice(&replica.get(&id).await?.expect("it is there").body).expect("JSON");
        assert_eq!(stored, json!({ "name": "Ada", "phone": "2", "city": "Paris" }));
    }
    Ok(())
}
