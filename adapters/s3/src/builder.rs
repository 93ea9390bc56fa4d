//! All settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Capabilities, Error, ErrorKind, Result};
use longshore_http::HttpOptions;
use longshore_object::{Connector, ObjectStorage, WatchedCredentials, fits_in_header, is_true};
use object_store::aws::{
    AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider, S3ConditionalPut,
};
use object_store::{Attribute, Attributes, ClientConfigKey, RetryConfig, StaticCredentialProvider};
use url::Url;

use crate::storage::S3;

/// The longest wait for a connection to this machine's metadata service: outside of a cloud nobody is there, and nothing refuses.
const METADATA_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How to reach a bucket. What is not set comes from the environment, in the names of the AWS tools.
///
/// ```
/// use longshore_s3::S3;
///
/// let builder = S3::builder("bucket").with_credentials("key", "sesame", None);
/// assert!(!format!("{builder:?}").contains("sesame"));
/// let error = S3::builder("bucket").with_endpoint("http://host").with_allow_http(false).build().unwrap_err();
/// assert!(error.to_string().contains("allow_http"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct S3Builder {
    theirs: AmazonS3Builder,
    bucket: String,
    prefix: String,
    endpoint: Option<String>,
    keys: Option<Keys>,
    allow_http: Option<bool>,
    storage_class: Option<String>,
    encryption: Option<(String, Option<String>)>,
    http: Option<HttpOptions>,
    roots: Vec<Vec<u8>>,
    parallelism: usize,
}

/// Keys that were given here. What shows a builder does not show them.
#[derive(Clone)]
struct Keys {
    id: String,
    secret: String,
    token: Option<String>,
}

impl Keys {
    fn provider(self) -> AwsCredentialProvider {
        let credential = AwsCredential { key_id: self.id, secret_key: self.secret, token: self.token };
        Arc::new(StaticCredentialProvider::new(credential))
    }
}

impl S3Builder {
    pub(crate) fn new(bucket: String) -> Self {
        Self {
            theirs: AmazonS3Builder::from_env(),
            bucket,
            prefix: String::new(),
            endpoint: None,
            keys: None,
            allow_http: None,
            storage_class: None,
            encryption: None,
            http: None,
            roots: Vec::new(),
            parallelism: 16,
        }
    }

    /// Another bucket, with all other settings as they are. An endpoint that is the old bucket's [own host](Self::is_host_of_bucket)
    /// still leads to the old one.
    pub fn with_bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = bucket.into();
        self
    }

    /// The store is all objects whose keys begin with this and `/`; the whole bucket by default.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The bucket's region; `AWS_REGION`, else `us-east-1`.
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.theirs = self.theirs.with_region(region);
        self
    }

    /// Another server than AWS: `https://host:port`. With [virtual hosts](Self::with_virtual_hosted_style) it names the bucket's
    /// own host.
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Allows an endpoint without TLS: keys are not sent, but everyone on the way can read and change the documents. For a
    /// server on this machine. `AWS_ALLOW_HTTP`, else no.
    pub fn with_allow_http(mut self, allow: bool) -> Self {
        self.allow_http = Some(allow);
        self
    }

    /// Whether the bucket is in the host's name, not in the path; no by default.
    pub fn with_virtual_hosted_style(mut self, virtual_hosts: bool) -> Self {
        self.theirs = self.theirs.with_virtual_hosted_style_request(virtual_hosts);
        self
    }

    /// An access key, its secret and, for temporary ones, the session token. Of the environment's, which may be another key's, none
    /// is sent then.
    pub fn with_credentials(
        mut self,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
    ) -> Self {
        self.keys = Some(Keys { id: access_key_id.into(), secret: secret_access_key.into(), token: session_token });
        self
    }

    /// Sends no credentials: for a bucket that is open to all.
    pub fn with_anonymous(mut self, anonymous: bool) -> Self {
        self.theirs = self.theirs.with_skip_signature(anonymous);
        self
    }

    /// The storage class of every object, such as `STANDARD_IA`; the bucket's own by default. One that takes hours to read from
    /// is of no use.
    pub fn with_storage_class(mut self, class: impl Into<String>) -> Self {
        self.storage_class = Some(class.into());
        self
    }

    /// Encryption by the server: `AES256`, or `aws:kms` or `aws:kms:dsse` with the id of a key or with
    /// the account's own; the bucket's own setting by default.
    pub fn with_encryption(mut self, kind: impl Into<String>, kms_key_id: Option<String>) -> Self {
        self.encryption = Some((kind.into(), kms_key_id));
        self
    }

    /// Certificates, proxy and timeouts. Without it, the environment names the proxy: `AWS_PROXY_URL` and `AWS_PROXY_EXCLUDES`.
    pub fn with_http(mut self, options: HttpOptions) -> Self {
        self.http = Some(options);
        self
    }

    /// Trusts this certificate authority beside the others: one or more certificates in PEM. Nothing else of
    /// [`with_http`](Self::with_http) or of the environment changes.
    pub fn with_root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// How many requests may be under way at once; 16 by default.
    pub fn with_parallelism(mut self, requests: usize) -> Self {
        self.parallelism = requests.max(1);
        self
    }

    /// The endpoint that was given, here or in the environment, where `AWS_ENDPOINT_URL_S3` goes before `AWS_ENDPOINT`; none for
    /// AWS itself.
    pub fn endpoint(&self) -> Option<String> {
        let asked = |key| self.theirs.get_config_value(&key);
        let given = self.endpoint.clone().or_else(|| asked(AmazonS3ConfigKey::S3Endpoint));
        given.or_else(|| asked(AmazonS3ConfigKey::Endpoint))
    }

    /// Whether no credentials are sent.
    pub fn is_anonymous(&self) -> bool {
        self.is_set(AmazonS3ConfigKey::SkipSignature)
    }

    /// Whether the endpoint is the host of this bucket, not of all buckets.
    ///
    /// ```
    /// use longshore_s3::S3;
    ///
    /// let builder = S3::builder_from("s3://bucket/?endpoint=https://bucket.s3.example.org&virtual_hosted_style=true")?;
    /// assert!(builder.is_host_of_bucket());
    /// assert!(!builder.with_virtual_hosted_style(false).is_host_of_bucket());
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub fn is_host_of_bucket(&self) -> bool {
        self.is_set(AmazonS3ConfigKey::VirtualHostedStyleRequest) && self.endpoint().is_some()
    }

    /// The storage. Nothing is sent yet.
    ///
    /// Errors: `Invalid` for settings that cannot be right.
    pub fn build(self) -> Result<S3> {
        let address = match self.prefix.trim_matches('/') {
            "" => format!("s3://{}", self.bucket),
            prefix => format!("s3://{}/{prefix}", self.bucket),
        };
        let store = self.store().map_err(|error| error.with_operation("open").with_key(&address))?;
        let mut attributes = Attributes::new();
        if let Some(class) = self.storage_class {
            attributes.insert(Attribute::StorageClass, class.into());
        }
        let claims = Capabilities::default().with_read_time(true).with_parallelism(self.parallelism);
        let objects = ObjectStorage::new(store.clone(), self.prefix.trim_matches('/'))?
            .with_pages(store)
            .with_attributes(attributes)
            .with_capabilities(claims)
            .with_address(format!("s3://{}", self.bucket));
        Ok(S3 { objects, address })
    }

    fn store(&self) -> Result<Arc<AmazonS3>> {
        if self.bucket.is_empty() || self.bucket.contains(['/', '?', '#', '@', ':', ' ']) {
            return Err(invalid("this is no bucket's name"));
        }
        let http = self.http_options().build()?;
        let mut theirs = self.theirs.clone().with_bucket_name(&self.bucket).with_allow_http(self.allows_http());
        if let Some(endpoint) = self.checked_endpoint()? {
            // `object_store` takes either, and the environment may hold another one in the first.
            theirs = theirs.with_config(AmazonS3ConfigKey::S3Endpoint, &endpoint).with_endpoint(endpoint);
        }
        if let Some((kind, key)) = &self.encryption {
            theirs = encrypted(theirs, kind, key.as_deref())?;
        }
        let theirs = theirs
            .with_http_connector(Connector::new(http))
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // Not every server knows the bulk request.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig { max_retries: 0, retry_timeout: Duration::ZERO, ..RetryConfig::default() });
        let credentials = self.credentials(theirs.clone())?;
        theirs.with_credentials(credentials).build().map(Arc::new).map_err(|error| mistaken(&error))
    }

    /// Where these settings have credentials from, watched where that is a service.
    fn credentials(&self, mut theirs: AmazonS3Builder) -> Result<AwsCredentialProvider> {
        self.check_keys()?;
        if let Some(keys) = &self.keys {
            return Ok(keys.clone().provider());
        }
        let last_resort = !self.has_credentials();
        if last_resort {
            let http = self.http_options().with_connect_timeout(METADATA_CONNECT_TIMEOUT).build()?;
            theirs = theirs.with_http_connector(Connector::new(http));
        }
        let theirs = theirs.build().map_err(|error| mistaken(&error))?;
        let mut watched = WatchedCredentials::new(theirs.credentials().clone()).with_check(can_be_sent);
        if let Some(path) = self.container_token_file() {
            watched = watched.with_token_file(path);
        }
        Ok(Arc::new(if last_resort { watched.as_last_resort() } else { watched }))
    }

    /// What no request can carry makes `object_store` panic: a key that was copied with its line break is told at once.
    fn check_keys(&self) -> Result<()> {
        if self.is_anonymous() {
            return Ok(());
        }
        let asked = |key| self.theirs.get_config_value(&key);
        let (id, token) = match &self.keys {
            Some(keys) => (Some(keys.id.clone()), keys.token.clone()),
            None => (asked(AmazonS3ConfigKey::AccessKeyId), asked(AmazonS3ConfigKey::Token)),
        };
        if id.is_some_and(|id| !fits_in_header(&id)) {
            return Err(invalid(
                "the id of the access key (AWS_ACCESS_KEY_ID) is empty, or holds a line break or another character that no request \
                 can carry; set it again",
            ));
        }
        if token.is_some_and(|token| !is_token(&token)) {
            return Err(invalid(
                "the session token (AWS_SESSION_TOKEN) holds a line break or another character that no request can carry; set it again",
            ));
        }
        Ok(())
    }

    /// The file with the token for a container's credentials, if `object_store` takes them.
    fn container_token_file(&self) -> Option<String> {
        use AmazonS3ConfigKey as Key;
        let asked = |key| self.theirs.get_config_value(&key);
        let before = asked(Key::AccessKeyId).or_else(|| asked(Key::ContainerCredentialsRelativeUri));
        let role = asked(Key::WebIdentityTokenFile).and(asked(Key::RoleArn));
        let file = asked(Key::ContainerCredentialsFullUri).and(asked(Key::ContainerAuthorizationTokenFile));
        file.filter(|_| before.or(role).is_none())
    }

    fn allows_http(&self) -> bool {
        self.allow_http.unwrap_or_else(|| self.is_set(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)))
    }

    /// Whether this flag is set, here or in the environment.
    fn is_set(&self, flag: AmazonS3ConfigKey) -> bool {
        self.theirs.get_config_value(&flag).is_some_and(|value| is_true(&value))
    }

    /// Whether anybody said where credentials come from. If not, `object_store` asks the machine's metadata service.
    fn has_credentials(&self) -> bool {
        use AmazonS3ConfigKey as Key;
        let set = |key| self.theirs.get_config_value(&key).is_some();
        set(Key::AccessKeyId)
            || set(Key::SecretAccessKey)
            || set(Key::WebIdentityTokenFile) && set(Key::RoleArn)
            || set(Key::ContainerCredentialsRelativeUri)
            || set(Key::ContainerCredentialsFullUri) && set(Key::ContainerAuthorizationTokenFile)
    }

    /// What was given; else what the environment says of a proxy, in the names of `object_store`. In any case with our authorities.
    fn http_options(&self) -> HttpOptions {
        let options = self.http.clone().unwrap_or_else(|| {
            let asked = |key| self.theirs.get_config_value(&AmazonS3ConfigKey::Client(key));
            let mut options = HttpOptions::default();
            if let Some(proxy) = asked(ClientConfigKey::ProxyUrl) {
                options = options.with_proxy(proxy);
            }
            if let Some(excluded) = asked(ClientConfigKey::ProxyExcludes) {
                options = options.with_no_proxy(excluded);
            }
            options
        });
        self.roots.iter().fold(options, |options, pem| options.with_root_certificate(pem.as_slice()))
    }

    fn checked_endpoint(&self) -> Result<Option<String>> {
        let Some(endpoint) = self.endpoint() else { return Ok(None) };
        let malformed = || invalid("the endpoint is malformed: write https://host or https://host:port");
        let url = Url::parse(&endpoint).map_err(|_| malformed())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "credentials do not belong into an endpoint; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() || url.host_str().is_none_or(str::is_empty) {
            return Err(malformed());
        }
        match url.scheme() {
            "https" => Ok(Some(endpoint)),
            "http" if self.allows_http() => Ok(Some(endpoint)),
            "http" => Err(invalid(
                "the endpoint has no TLS; write https, or ask for plain text with allow_http=true or AWS_ALLOW_HTTP=true",
            )),
            _ => Err(malformed()),
        }
    }
}

/// Whether requests can carry these, which a service gave.
fn can_be_sent(credential: &AwsCredential) -> bool {
    fits_in_header(&credential.key_id) && credential.token.as_deref().is_none_or(is_token)
}

/// Some environments set all variables, and this one to nothing.
fn is_token(token: &str) -> bool {
    token.is_empty() || fits_in_header(token)
}

fn encrypted(theirs: AmazonS3Builder, kind: &str, key: Option<&str>) -> Result<AmazonS3Builder> {
    let name = |text: &str| text.parse::<AmazonS3ConfigKey>().map_err(|error| mistaken(&error));
    match (kind, key) {
        ("AES256", None) => Ok(theirs.with_config(name("aws_server_side_encryption")?, "AES256")),
        ("aws:kms", Some(key)) => Ok(theirs.with_sse_kms_encryption(key)),
        ("aws:kms:dsse", Some(key)) => Ok(theirs.with_dsse_kms_encryption(key)),
        // With the key that the account has for it.
        ("aws:kms" | "aws:kms:dsse", None) => Ok(theirs.with_config(name("aws_server_side_encryption")?, kind)),
        ("AES256", Some(_)) => Err(invalid("AES256 takes no kms_key_id")),
        _ => Err(invalid("the server-side encryption is AES256, aws:kms or aws:kms:dsse")),
    }
}

impl fmt::Debug for S3Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Builder").field("bucket", &self.bucket).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

// The library's words may repeat a setting that is a secret.
fn mistaken(error: &object_store::Error) -> Error {
    let what = match error {
        object_store::Error::UnknownConfigurationKey { .. } => "a setting is unknown",
        _ => "the settings do not fit together: an access key needs its secret, and flags are true or false",
    };
    invalid(what)
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, what)
}
