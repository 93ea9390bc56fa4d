//! A folder whose creates are decided by a lock that binds one process.

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, Result, Storage,
};
use longshore_fs::Fs;
use tokio::sync::Mutex;

/// Its name among the mistakes, of which the engine knows nothing.
pub(crate) const MISTAKE: &str = "one-process-lock";

static LOCK: Mutex<()> = Mutex::const_new(());

#[derive(Debug)]
pub(crate) struct OneProcess(pub(crate) Fs);

#[async_trait]
impl Storage for OneProcess {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let _one = LOCK.lock().await;
        let there = self.0.get(key, ByteRange::ALL).await?;
        if there.value.is_some() {
            return Ok(there.map(|_| Created::Exists));
        }
        // Whatever came between; and the folder says if it was disturbed again.
        loop {
            let deleted = self.0.delete(key).await;
            let created = self.0.create(key, bytes.clone()).await;
            if let (Ok(_), Ok(created)) = (deleted, created) {
                return Ok(created.map(|_| Created::Created));
            }
        }
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.0.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.0.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.0.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.0.delete(key).await
    }
}
