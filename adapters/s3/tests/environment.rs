//! Settings in the environment. Each test says what it sets, and a process of its own creates an object with that.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

#[allow(dead_code, reason = "other tests use the rest")]
mod support;

use std::convert::Infallible;
use std::process::Command;
use std::sync::{Arc, Mutex};

use hyper::body::Incoming;
use hyper::{Request, Response};
use longshore_core::Storage as _;
use longshore_http_script::{Answer, HttpServer, Scheme, Script, response};
use longshore_s3::S3;
use support::{record, script};

/// The address that the process of its own is to use.
const ADDRESS: &str = "LONGSHORE_TEST_ADDRESS";
/// The access key that it is to give, if any.
const KEY: &str = "LONGSHORE_TEST_KEY";

/// What [`subject`] says of the object that it is told to create.
fn create(address: &str, environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("AWS_") || name.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command.args(["--exact", "subject", "--nocapture"]).env(ADDRESS, address).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("sesame"), "{text}");
    let said = text.lines().find_map(|line| line.split_once("subject: "));
    said.unwrap_or_else(|| panic!("{text} {}", String::from_utf8_lossy(&output.stderr))).1.to_owned()
}

/// In the process of its own it creates an object. Among the other tests it has nothing to do.
#[tokio::test]
async fn subject() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let mut builder = S3::builder_from(&address).unwrap();
    if let Ok(key) = std::env::var(KEY) {
        builder = builder.with_credentials(key, "secret-sesame", None);
    }
    let anonymous = builder.is_anonymous();
    let result = match builder.build() {
        Ok(bucket) => bucket.create(&record(), "mine".into()).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(reply) => println!("\nsubject: {:?}{}", reply.value, if anonymous { " by nobody" } else { "" }),
        Err(error) => println!("\nsubject: {:?} {:?} {error}", error.kind(), error.outcome()),
    }
}

/// What these credentials look like where a machine in a cloud gets them.
fn instance_credentials() -> String {
    let keys = r#""AccessKeyId":"instance-key","SecretAccessKey":"secret-sesame","Token":"instance-token""#;
    format!(r#"{{"Code":"Success","Type":"AWS-HMAC",{keys},"Expiration":"2999-01-01T00:00:00Z"}}"#)
}

fn lower(head: &str) -> String {
    head.to_lowercase()
}

#[test]
fn a_machine_with_an_instance_role_needs_no_keys() {
    let metadata = script([
        response(200, "", "metadata-token"),
        response(200, "", "our-role"),
        response(200, "Content-Type: application/json\r\n", &instance_credentials()),
    ]);
    let server = script([response(200, "ETag: \"0\"\r\n", "")]);
    let endpoint = format!("http://{}", server.address());
    let service = format!("http://{}", metadata.address());
    let said = create(
        "s3://test/notes",
        &[("AWS_ENDPOINT", &endpoint), ("AWS_ALLOW_HTTP", "true"), ("AWS_METADATA_ENDPOINT", &service)],
    );
    assert_eq!(said, "Created", "{:?}", metadata.requests());
    let asked: Vec<_> = metadata.requests().iter().map(|head| lower(head)).collect();
    assert!(asked[0].starts_with("put /latest/api/token "), "{asked:?}");
    assert!(asked[2].starts_with("get /latest/meta-data/iam/security-credentials/our-role "), "{asked:?}");
    assert!(
        asked[1..].iter().all(|head| head.contains("\r\nx-aws-ec2-metadata-token: metadata-token\r\n")),
        "{asked:?}"
    );
    let head = lower(&server.requests()[0]);
    assert!(head.contains("credential=instance-key/"), "{head}");
    assert!(head.contains("\r\nx-amz-security-token: instance-token\r\n"), "{head}");
    assert_eq!((asked.len(), server.requests().len()), (3, 1));
}

/// Keys that no service has to be asked for.
const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "environment-key"), ("AWS_SECRET_ACCESS_KEY", "secret-sesame")];

fn stored() -> Script {
    script([response(200, "ETag: \"0\"\r\n", "")])
}

/// An address that leads to this server.
fn address_of(server: &Script) -> String {
    format!("s3://test/notes?endpoint=http://{}&allow_http=true", server.address())
}

#[test]
fn the_endpoint_of_an_address_goes_before_those_of_the_environment() {
    let (server, other) = (stored(), stored());
    let elsewhere = format!("http://{}", other.address());
    for name in ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
        let server = stored();
        let said = create(&address_of(&server), &[&KEYS[..], &[(name, &elsewhere)]].concat());
        assert_eq!((said.as_str(), server.requests().len(), other.requests().len()), ("Created", 1, 0), "{name}");
    }
    // Of those of the environment, the one for S3 alone goes first.
    let own = format!("http://{}", server.address());
    let both = [("AWS_ENDPOINT", &*elsewhere), ("AWS_ENDPOINT_URL_S3", &own), ("AWS_ALLOW_HTTP", "true")];
    let said = create("s3://test/notes", &[&KEYS[..], &both].concat());
    assert_eq!((said.as_str(), server.requests().len(), other.requests().len()), ("Created", 1, 0));
}

#[test]
fn no_endpoint_goes_without_tls_unasked() {
    let server = stored();
    let plain = format!("http://{}", server.address());
    for name in ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
        let said = create("s3://test/notes", &[&KEYS[..], &[(name, &plain)]].concat());
        assert!(said.starts_with("Invalid NotApplied") && said.contains("AWS_ALLOW_HTTP=true"), "{name}: {said}");
    }
    assert_eq!(server.requests(), [""; 0]);
}

/// A role, and a file for the token that stands for it.
const ROLE: [(&str, &str); 2] = [
    ("AWS_ROLE_ARN", "arn:aws:iam::1:role/ours"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")),
];

/// The token that it is sent is as good as a key.
#[test]
fn the_service_for_tokens_is_never_asked_without_tls() {
    let (server, service) = (stored(), stored());
    let plain = format!("http://{}", service.address());
    let said = create(&address_of(&server), &[&ROLE[..], &[("AWS_ENDPOINT_URL_STS", &plain)]].concat());
    assert_eq!((server.requests().len(), service.requests().len()), (0, 0), "{said}");
    assert!(said.starts_with("Invalid NotApplied") && said.contains("its address has no TLS"), "{said}");
}

/// What the service for tokens answers to whom it knows:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>.
const SESSION: &str = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
                       <SessionToken>session-token</SessionToken><SecretAccessKey>secret-sesame</SecretAccessKey>\
                       <Expiration>2999-01-01T00:00:00Z</Expiration><AccessKeyId>session-key</AccessKeyId>\
                       </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";

/// A pod with a role: the token in its file becomes a key for an hour.
#[test]
fn a_web_identity_becomes_a_session() {
    let server = stored();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    let answer = move |request: Request<Incoming>| {
        told.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        std::future::ready(Ok::<_, Infallible>(Response::new(SESSION.to_owned())))
    };
    let service = HttpServer::start(Scheme::Https, answer).unwrap();
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/web-identity-token");
    std::fs::write(file, "identity.of-sesame").unwrap();
    let authority = concat!(env!("CARGO_TARGET_TMPDIR"), "/authority-of-tokens.pem");
    std::fs::write(authority, HttpServer::AUTHORITY).unwrap();
    let identity = [ROLE[0], ("AWS_WEB_IDENTITY_TOKEN_FILE", file), ("AWS_ENDPOINT_URL_STS", &service.origin())];
    assert_eq!(create(&format!("{}&ca={authority}", address_of(&server)), &identity), "Created");
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1, "{asked:?}");
    for said in ["POST /?", "Action=AssumeRoleWithWebIdentity", "iam%3A%3A1%3Arole%2Fours", "Token=identity.of-sesame"]
    {
        assert!(asked[0].contains(said), "{said}: {asked:?}");
    }
    let heads = server.requests();
    assert_eq!(heads.len(), 1, "{heads:?}");
    let head = lower(&heads[0]);
    assert!(head.contains("credential=session-key/"), "{head}");
    assert!(head.contains("\r\nx-amz-security-token: session-token\r\n"), "{head}");
}

#[test]
fn a_session_token_of_the_environment_is_not_sent_with_other_keys() {
    let foreign = [("AWS_SESSION_TOKEN", "foreign-token")];
    let (server, of_environment) = (stored(), stored());
    let said = create(&address_of(&server), &[&KEYS[..], &foreign, &[(KEY, "own-key")]].concat());
    assert_eq!(said, "Created");
    let head = lower(&server.requests()[0]);
    assert!(head.contains("credential=own-key/") && !head.contains("x-amz-security-token"), "{head}");
    // With the keys beside it, it is.
    assert_eq!(create(&address_of(&of_environment), &[&KEYS[..], &foreign].concat()), "Created");
    let head = lower(&of_environment.requests()[0]);
    assert!(head.contains("credential=environment-key/"), "{head}");
    assert!(head.contains("\r\nx-amz-security-token: foreign-token\r\n"), "{head}");
}

/// A network that is down is waited for; nobody has to look for credentials.
#[test]
fn a_service_for_credentials_that_cannot_be_reached_is_unavailable() {
    let server = stored();
    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let encrypted = format!("https://{gone}");
    let said = create(&address_of(&server), &[&ROLE[..], &[("AWS_ENDPOINT_URL_STS", &encrypted)]].concat());
    assert!(said.starts_with("Unavailable NotApplied"), "{said}");
    assert!(said.contains("the service that gives credentials") && said.contains("cannot be reached"), "{said}");
    // The service is there, and breaks off after it was asked.
    let service = script([Answer::Close(Vec::new())]);
    let uri = format!("http://{}/x", service.address());
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/container-token");
    std::fs::write(file, "token").unwrap();
    let container = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*uri), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)];
    let said = create(&address_of(&server), &container);
    assert!(said.starts_with("Unavailable NotApplied"), "{said}");
    assert!(said.contains("the service that gives credentials"), "{said}");
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn a_token_that_cannot_be_read_is_named() {
    let server = stored();
    let said = create(&address_of(&server), &[ROLE[0], ("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/file")]);
    assert!(said.starts_with("Denied NotApplied") && said.contains("AWS_WEB_IDENTITY_TOKEN_FILE"), "{said}");
    assert_eq!(server.requests(), [""; 0]);
}

/// As an editor leaves it. It is looked at each time, so one that is written anew is taken.
#[test]
fn a_container_token_with_a_line_break_is_refused_in_one_line() {
    let service = script([response(200, "Content-Type: application/json\r\n", &instance_credentials())]);
    let uri = format!("http://{}/x", service.address());
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/container-token-in-lines");
    let container = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*uri), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)];
    for token in ["token-sesame\n", "token-\r\nsesame", "token-sesame\u{e4}", ""] {
        std::fs::write(file, token).unwrap();
        let server = stored();
        let said = create(&address_of(&server), &container);
        assert!(said.starts_with("Denied NotApplied"), "{token:?}: {said}");
        assert!(said.contains("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") && said.contains("line break"), "{said}");
        assert_eq!((server.requests().len(), service.requests().len()), (0, 0), "{token:?}");
    }
    std::fs::write(file, "token").unwrap();
    assert_eq!(create(&address_of(&stored()), &container), "Created");
    assert!(lower(&service.requests()[0]).contains("\r\nauthorization: token\r\n"));
}

#[test]
fn keys_that_no_request_can_carry_are_refused() {
    let server = stored();
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "sesame\n"),
        ("AWS_ACCESS_KEY_ID", "sesame\u{e4}"),
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SESSION_TOKEN", "token-\nsesame"),
    ] {
        let said = create(&address_of(&server), &[&KEYS[..], &[(name, value)]].concat());
        assert!(said.starts_with("Invalid NotApplied") && said.contains(name), "{value:?}: {said}");
    }
    let said = create(&address_of(&server), &[(KEY, "sesame\n")]);
    assert!(said.starts_with("Invalid NotApplied") && said.contains("AWS_ACCESS_KEY_ID"), "{said}");
    assert_eq!(server.requests(), [""; 0]);
    let said = create(&address_of(&server), &[&KEYS[..], &[("AWS_SESSION_TOKEN", "")]].concat());
    assert_eq!(said, "Created", "some environments set it to nothing");
}

/// Whoever answers in a hotel, where a cloud's machine would find its metadata service.
#[test]
fn a_page_is_no_token_of_a_metadata_service() {
    let page = response(200, "Content-Type: text/html\r\n", "<html>\r\nsesame\r\n</html>");
    let broken = instance_credentials().replace("instance-token", "instance-\\n-token");
    let keys = response(200, "Content-Type: application/json\r\n", &broken);
    let (token, role) = (response(200, "", "metadata-token\n"), response(200, "", "our-role\n"));
    let said = [vec![page.clone()], vec![token.clone(), page], vec![token, role, keys]].map(|answers| {
        let (server, metadata, answered) = (stored(), script(answers.clone()), answers.len());
        let service = format!("http://{}", metadata.address());
        let said = create(&address_of(&server), &[("AWS_METADATA_ENDPOINT", &service)]);
        assert_eq!((server.requests().len(), metadata.requests().len()), (0, answered), "{said}");
        said
    });
    assert!(said.iter().all(|said| said.starts_with("Denied NotApplied")), "{said:#?}");
    assert!(
        said[0].contains("no credentials were found") && said[1].contains("no credentials were found"),
        "{said:#?}"
    );
    assert!(said[2].contains("that no request can carry"), "{said:#?}");
}

#[test]
fn an_authority_in_the_address_leaves_the_proxy_of_the_environment() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../http/tests/tls/authority.pem");
    let (proxy, server) = (stored(), stored());
    let through = format!("http://{}", proxy.address());
    let proxied = [&KEYS[..], &[("AWS_PROXY_URL", &through)]].concat();
    let said = create(&format!("s3://test/notes?endpoint=http://s3.invalid&allow_http=true&ca={path}"), &proxied);
    assert_eq!(said, "Created");
    let asked = proxy.requests();
    assert!(asked.len() == 1 && asked[0].starts_with("PUT http://s3.invalid/test/notes/"), "{asked:?}");
    // What is excluded goes past it.
    let excluded = [&proxied[..], &[("AWS_PROXY_EXCLUDES", "127.0.0.1")]].concat();
    assert_eq!(create(&format!("{}&ca={path}", address_of(&server)), &excluded), "Created");
    assert_eq!((proxy.requests().len(), server.requests().len()), (1, 1));
}

#[test]
fn a_flag_is_set_in_more_words_than_one() {
    for set in ["true", "TRUE", "1", "on", "yes", "y"] {
        let server = stored();
        let endpoint = format!("http://{}", server.address());
        let flags = [("AWS_ENDPOINT", &*endpoint), ("AWS_ALLOW_HTTP", set), ("AWS_SKIP_SIGNATURE", set)];
        assert_eq!(create("s3://test/notes", &flags), "Created by nobody", "{set}");
        let head = lower(&server.requests()[0]);
        assert!(!head.contains("\r\nauthorization:"), "{head}");
    }
    for not_set in ["false", "0", "off", "no", "n"] {
        let server = stored();
        let endpoint = format!("http://{}", server.address());
        let flags = [("AWS_ENDPOINT", &*endpoint), ("AWS_ALLOW_HTTP", not_set)];
        let said = create("s3://test/notes", &[&KEYS[..], &flags].concat());
        assert!(said.starts_with("Invalid NotApplied") && said.contains("AWS_ALLOW_HTTP=true"), "{not_set}: {said}");
        let unsigned = create(&address_of(&server), &[&KEYS[..], &[("AWS_SKIP_SIGNATURE", not_set)]].concat());
        assert_eq!(unsigned, "Created", "{not_set}");
    }
}
