//! The trait's methods, passed on.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, DomainName, Folder, Listing, Object, ObjectKey, Payload, Reply, Result, Runtime,
    Storage, StoredServer,
};
use longshore_object::ObjectStorage;

use crate::builder::S3Builder;

/// A bucket, or a prefix in one. Its clones share the connections.
///
/// Its futures need a tokio runtime with time and I/O.
#[derive(Clone, Debug)]
pub struct S3 {
    pub(crate) objects: ObjectStorage,
    pub(crate) address: String,
}

impl S3 {
    /// Settings for this bucket, with the environment's where none are given.
    pub fn builder(bucket: impl Into<String>) -> S3Builder {
        S3Builder::new(bucket.into())
    }

    /// The storage at an `s3://bucket/prefix` address. Nothing is sent yet.
    ///
    /// | parameter | what it sets |
    /// | --- | --- |
    /// | `region` | [`with_region`](S3Builder::with_region) |
    /// | `endpoint` | [`with_endpoint`](S3Builder::with_endpoint) |
    /// | `allow_http=true` | [`with_allow_http`](S3Builder::with_allow_http) |
    /// | `virtual_hosted_style=true` | [`with_virtual_hosted_style`](S3Builder::with_virtual_hosted_style) |
    /// | `anonymous=true` | [`with_anonymous`](S3Builder::with_anonymous) |
    /// | `storage_class` | [`with_storage_class`](S3Builder::with_storage_class) |
    /// | `sse=AES256`, `sse=aws:kms` with `kms_key_id` | [`with_encryption`](S3Builder::with_encryption) |
    /// | `ca` | a file with a [certificate authority](S3Builder::with_root_certificate) in PEM |
    ///
    /// Errors: `Invalid` for a malformed address, an unknown parameter, or one that carries credentials, which it does not repeat.
    ///
    /// ```
    /// use longshore_s3::S3;
    ///
    /// let storage = S3::open("s3://bucket/a/b?endpoint=https://s3.example.org&region=eu-west-1")?;
    /// assert_eq!(storage.address(), "s3://bucket/a/b");
    /// assert!(S3::open("s3://key:secret@bucket/").is_err());
    /// assert!(S3::open("s3://bucket/?colour=blue").is_err());
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub fn open(address: &str) -> Result<Self> {
        crate::address::parse(address)?.build()
    }

    /// The settings of an address, as [`open`](Self::open) takes it, to be altered.
    ///
    /// Errors: as of [`open`](Self::open).
    ///
    /// ```
    /// use longshore_s3::S3;
    ///
    /// let builder = S3::builder_from("s3://bucket/a?endpoint=https://s3.example.org")?;
    /// assert_eq!(builder.endpoint().as_deref(), Some("https://s3.example.org"));
    /// assert_eq!(builder.with_bucket("other").build()?.address(), "s3://other/a");
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub fn builder_from(address: &str) -> Result<S3Builder> {
        crate::address::parse(address)
    }

    /// The bucket and the prefix, as `s3://bucket/prefix`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A complete server on this bucket, for one domain: lease, log and metadata.
    pub fn server(self, runtime: Arc<dyn Runtime>, domain: &DomainName) -> Result<StoredServer> {
        StoredServer::new(Arc::new(self), runtime, domain)
    }
}

#[async_trait]
impl Storage for S3 {
    fn capabilities(&self) -> Capabilities {
        self.objects.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.objects.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.objects.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.objects.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.objects.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.objects.delete(key).await
    }
}
