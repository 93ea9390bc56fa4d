//! Two devices keep their notes in step through a folder.
//!
//! `cargo run --example two_devices`

use std::path::Path;
use std::sync::Arc;

use longshore::{Client, Document, DocumentId, Result, SqliteReplica};

/// One device: its database, and its way to the store.
struct Device {
    replica: Arc<SqliteReplica>,
    client: Client,
}

impl Device {
    async fn new(database: &Path, store: &str) -> Result<Self> {
        let replica = Arc::new(SqliteReplica::open(database).await?);
        let client = Client::builder(longshore::open(store)?, replica.clone()).build();
        Ok(Self { replica, client })
    }

    async fn read(&self, id: &str) -> Result<Option<String>> {
        let document = self.replica.get(&DocumentId::new(id)?).await?;
        Ok(document.map(|document| String::from_utf8_lossy(&document.body).into_owned()))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let store = folder.path().join("store");
    std::fs::create_dir(&store).expect("a folder can be made");
    let url = longshore::file_url(&store);
    let laptop = Device::new(&folder.path().join("laptop.db"), &url).await?;
    let phone = Device::new(&folder.path().join("phone.db"), &url).await?;

    laptop.replica.put(Document::new("shopping", "milk")?).await?;
    println!("laptop: {:?}", laptop.client.sync().await?);
    println!("phone:  {:?}", phone.client.sync().await?);
    assert_eq!(phone.read("shopping").await?.as_deref(), Some("milk"));

    phone.replica.put(Document::new("shopping", "milk, bread")?).await?;
    phone.client.sync().await?;
    laptop.client.sync().await?;
    assert_eq!(laptop.read("shopping").await?.as_deref(), Some("milk, bread"));

    laptop.replica.delete(DocumentId::new("shopping")?).await?;
    laptop.client.sync().await?;
    phone.client.sync().await?;
    assert_eq!(phone.read("shopping").await?, None);
    println!("both devices agree: the shopping is done");
    Ok(())
}
