//! Two devices both wrote revision "4" of a document from one base. Texts of apps never decide: different bytes are a conflict,
//! equal bytes are none. And each conflict is told once, to one side, with all three versions.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use futures::executor::block_on;
use longshore_core::{Answer, BaseVersion, Conflict, Document, DocumentId, Revision, Version};
use support::{Device, World};

fn put(device: &Device, revision: &str, body: &str) {
    let document = Document::new("doc", body.to_owned()).unwrap().with_revision(Revision::new(revision).unwrap());
    block_on(device.replica.put(document)).unwrap();
}

fn both_edit(bodies: [&str; 2]) -> (World, Device, Device) {
    let world = World::new(5, true);
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    put(&a, "3", "base");
    a.sync();
    b.sync();
    put(&a, "4", bodies[0]);
    put(&b, "4", bodies[1]);
    assert_eq!(a.sync().pushed, 1);
    (world, a, b)
}

#[test]
fn different_bytes_are_a_conflict_with_all_three_versions() {
    let (world, mut a, mut b) = both_edit(["from a", "from b"]);
    let waiting = b.new_client(false);
    let report = world.sim.run(waiting.sync(), || false).unwrap().unwrap();
    assert_eq!((report.conflicts, report.unresolved, report.pushed), (1, 1, 0));

    let id = DocumentId::new("doc").unwrap();
    let Conflict { base, local, remote, .. } = block_on(waiting.conflict(&id)).unwrap().unwrap();
    let body = |version: &Version| match version {
        Version::Present(document) => document.body.clone(),
        Version::Deleted => panic!("nobody deleted"),
    };
    let BaseVersion::Known(base) = base else { panic!("the base was kept") };
    assert_eq!(
        (base.body.as_ref(), body(&local).as_ref(), body(&remote).as_ref()),
        (&b"base"[..], &b"from b"[..], &b"from a"[..])
    );

    let again = world.sim.run(waiting.sync(), || false).unwrap().unwrap();
    assert_eq!((again.conflicts, again.unresolved, again.pushed), (0, 1, 0), "it is told once, and waits");

    assert_eq!(b.sync().resolved, 1);
    assert_eq!(a.sync().conflicts, 0, "the other side is not asked");
    assert_eq!(a.get("doc"), b.get("doc"));
    assert_eq!(a.get("doc").unwrap(), "from a+from b");
}

#[test]
fn equal_bytes_are_none() {
    let (_, mut a, mut b) = both_edit(["the same", "the same"]);
    let report = b.sync();
    assert_eq!((report.conflicts, report.pushed), (0, 0));
    assert_eq!(a.sync().pulled, 0);
}

#[test]
fn an_edit_against_a_deletion_is_a_conflict_and_two_deletions_are_none() {
    for (delete_both, conflicts) in [(true, 0), (false, 1)] {
        let world = World::new(6, true);
        let (mut a, mut b) = (world.device("a"), world.device("b"));
        a.put("doc", "base");
        a.sync();
        b.sync();
        a.delete("doc");
        a.sync();
        if delete_both {
            b.delete("doc");
        } else {
            b.put("doc", "edited");
        }
        assert_eq!(b.sync().conflicts, conflicts);
        a.sync();
        assert_eq!(a.get("doc").is_none(), delete_both, "an edit survives a deletion");
    }
}

#[test]
fn every_answer_does_what_it_says() {
    let copy = DocumentId::new("copy").unwrap();
    let merged = Answer::Merge { revision: None, body: "joined".into() };
    let cases = [
        (Answer::KeepLocal, "from b", None),
        (Answer::TakeRemote, "from a", None),
        (merged, "joined", None),
        (Answer::KeepBoth { copy }, "from a", Some("from b")),
    ];
    for (answer, expected, copied) in cases {
        let (world, mut a, b) = both_edit(["from a", "from b"]);
        let given = answer.clone();
        let server = std::sync::Arc::new(
            longshore_core::StoredServer::new(
                std::sync::Arc::new(b.storage.clone()),
                world.sim.runtime(),
                &longshore_core::DomainName::default(),
            )
            .unwrap(),
        );
        let client =
            longshore_core::Client::builder_on(world.sim.runtime(), server, std::sync::Arc::new(b.replica.clone()))
                .resolver(move |_: &Conflict| given.clone())
                .build();
        assert_eq!(world.sim.run(client.sync(), || false).unwrap().unwrap().resolved, 1);
        a.sync();
        for device in [&a, &b] {
            assert_eq!(device.get("doc").as_deref(), Some(expected), "{answer:?}");
            assert_eq!(device.get("copy").as_deref(), copied, "{answer:?}");
        }
    }
}
