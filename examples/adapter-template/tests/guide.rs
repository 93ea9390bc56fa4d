//! What a reader of `docs/write-an-adapter.md` builds is what the tests build: `examples/shelf`, which passes the suite.

const GUIDE: &str = include_str!("../../../docs/write-an-adapter.md");
const MANIFEST: &str = include_str!("../../shelf/Cargo.toml");
const LIBRARY: &str = include_str!("../../shelf/src/lib.rs");
const TEST: &str = include_str!("../../shelf/tests/conformance.rs");

/// The first block under this heading.
fn block(heading: &str) -> &'static str {
    let after = GUIDE.split_once(heading).expect("the guide has this heading").1;
    let body = after.split_once("```").and_then(|(_, block)| block.split_once('\n')).expect("a block").1;
    body.split_once("```").expect("the end of the block").0
}

/// The names of the packages in this part of a manifest.
fn packages(manifest: &str, part: &str) -> Vec<String> {
    let lines = manifest.split_once(part).expect("the manifest has this part").1.lines().skip(1);
    let lines = lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['.', ' ']).next()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_shelf_of_the_guide_is_the_one_that_is_tested() {
    assert_eq!(block("\n## 2. "), LIBRARY);
    assert_eq!(block("\n## 3. "), TEST);
}

#[test]
fn the_guide_names_every_package_that_it_uses() {
    let manifest = block("\n## 1. ");
    for part in ["[dependencies]", "[dev-dependencies]"] {
        assert_eq!(packages(manifest, part), packages(MANIFEST, part), "{part}");
        assert!(!packages(manifest, part).is_empty());
    }
}

/// A reader comes with none of our words.
#[test]
fn the_words_are_explained_before_they_are_used() {
    let table = GUIDE.find("| word | meaning |").expect("there is a table of words");
    let end = table + GUIDE[table..].find("\n\n").expect("the table ends");
    for word in
        ["storage", "store", "segment", "log", "entry", "head", "domain", "attempt", "lease", "fencing", "metadata"]
    {
        let first = GUIDE.match_indices(word).map(|(at, _)| at).find(|at| {
            // Not within another word or a name, such as `ahead` or `longshore-core`.
            let before = GUIDE[..*at].chars().next_back().unwrap_or(' ');
            let after = GUIDE[at + word.len()..].chars().next().unwrap_or(' ');
            !before.is_alphanumeric() && !after.is_alphanumeric()
        });
        assert!(first.is_some_and(|first| first > table && first < end), "{word} is used before it is explained");
    }
}
