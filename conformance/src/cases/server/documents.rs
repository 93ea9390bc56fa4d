//! `get`: the newest committed document.

use futures::future::FutureExt as _;
use longshore_core::{Change, Document, DocumentId, Revision, Server};

use super::history::{Writer, put};
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::dice::noise;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("server::documents::get_finds_the_newest", Group::Server, Rule::Invariant(2), |cx| {
        get_finds_the_newest(cx).boxed()
    }),
    Case::new("server::documents::get_of_a_deleted_one_is_none", Group::Server, Rule::Invariant(2), |cx| {
        get_of_a_deleted_one_is_none(cx).boxed()
    }),
    Case::new("server::documents::ids_of_all_shapes", Group::Server, Rule::Invariant(5), |cx| {
        ids_of_all_shapes(cx).boxed()
    }),
];

async fn is(server: &dyn Server, id: &str, expected: Option<&[u8]>) -> Result<(), Failure> {
    let found = server.get(&DocumentId::new(id)?).await?;
    let body = found.as_ref().map(|document| document.body.as_ref());
    ensure!(body == expected, "of {id:?} there must be {:?}, and `get` finds {found:?}", expected.map(<[u8]>::len));
    Ok(())
}

async fn get_finds_the_newest(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let mut writer = Writer::new(mine, 1).await?;
    is(&*yours, "doc", None).await?;
    for version in 0..cx.size().pick(5, 40, 200_u64) {
        let large = noise(version, if version.is_multiple_of(4) { 700 << 10 } else { 50 });
        let documents = [("doc", large.clone()), ("other", version.to_string().into())];
        let changes = documents.map(|(id, body)| put(id, body));
        writer.append(changes.into_iter().collect::<Result<_, _>>()?).await?;
        if version < 5 || version.is_multiple_of(10) {
            is(&*yours, "doc", Some(&large)).await?;
            is(&*yours, "other", Some(version.to_string().as_bytes())).await?;
        }
    }
    is(&*yours, "never", None).await?;
    is(&*yours, "do", None).await?;
    let hinted = Document::new("hinted", "body")?.with_revision(Revision::new("4-abc")?);
    writer.append(vec![Change::put(hinted.clone())]).await?;
    let found = yours.get(&hinted.id).await?;
    ensure!(found.as_ref() == Some(&hinted), "{hinted:?} was committed, and `get` finds {found:?}");
    Ok(())
}

async fn get_of_a_deleted_one_is_none(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let mut writer = Writer::new(mine, 1).await?;
    writer.append(vec![put("doc", "1")?, put("stays", "here")?]).await?;
    writer.append(vec![Change::delete("doc".try_into()?)]).await?;
    is(&*yours, "doc", None).await?;
    is(&*yours, "stays", Some(b"here")).await?;
    writer.append(vec![Change::delete("never".try_into()?)]).await?;
    is(&*yours, "never", None).await?;
    writer.append(vec![put("doc", "again")?]).await?;
    is(&*yours, "doc", Some(b"again")).await?;
    // Of an id that comes twice in one commit, the last change counts.
    writer.append(vec![put("doc", "twice")?, Change::delete("doc".try_into()?)]).await?;
    is(&*yours, "doc", None).await
}

/// Ids are texts and nothing else: no path, no case, no normal form.
async fn ids_of_all_shapes(cx: Context) -> Result<(), Failure> {
    let server = cx.ready_server().await?;
    let ids = hostile_ids();
    let changes: Vec<Change> = ids.iter().map(|id| put(id, format!("body of {id}"))).collect::<Result<_, _>>()?;
    Writer::new(server, 1).await?.append(changes).await?;
    let reader = cx.server().await?;
    for id in &ids {
        is(&*reader, id, Some(format!("body of {id}").as_bytes())).await?;
    }
    Ok(())
}

/// Ids that break what takes them for names of files.
pub(in crate::cases) fn hostile_ids() -> Vec<String> {
    let shapes = [
        "a",
        "A",
        "/",
        "//",
        "/etc/passwd",
        "../../up",
        ".",
        "..",
        ".hidden",
        "trailing.",
        "trailing ",
        " leading",
        "data",
        "format/data",
        "domains/main/log",
        "a/b",
        "a/b/",
        "a\\b",
        "C:\\x",
        "con",
        "NUL",
        "aux.txt",
        "COM1",
        "a:b",
        "a*?\"<>|",
        "line\nbreak",
        "tab\t",
        "\r\n",
        "\u{0}",
        "\u{7f}",
        "\u{1b}[2J",
        "é",
        "e\u{301}",
        "Å",
        "A\u{30a}",
        "ß",
        "ẞ",
        "ı",
        "İ",
        "😀",
        "👩\u{200d}🚀",
        "\u{202e}rtl",
        "\u{feff}bom",
        "日本語",
        "%2e%2e",
        "%00",
        "a+b",
        "a b",
        "'; drop table",
        "{}",
        "null",
        "0",
        "00",
        "1e3",
    ];
    let long = ["x".repeat(255), "x".repeat(256), "x".repeat(1024), "é".repeat(512), "/".repeat(1024)];
    shapes.into_iter().map(str::to_owned).chain(long).collect()
}
