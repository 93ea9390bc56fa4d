//! Clippy takes the nearest `clippy.toml` only, so the core's repeats the workspace's bans before it adds its own. What is banned
//! everywhere must not be forgotten there.

use std::fs;
use std::path::Path;

/// Each setting of a list, one to a line, and its table's or its own name; comments and brackets are no settings.
fn settings(text: &str) -> Vec<(&str, &str)> {
    let mut list = "";
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#') && !["", "]"].contains(line)) {
        match line.strip_suffix(" = [") {
            Some(name) => list = name,
            None if line.starts_with('{') => found.push((list, line)),
            None => found.push(("", line)),
        }
    }
    found
}

/// What the one sets and the other does not.
fn missing<'a>(workspace: &'a str, core: &'a str) -> Vec<(&'a str, &'a str)> {
    let there = settings(core);
    settings(workspace).into_iter().filter(|setting| !there.contains(setting)).collect()
}

#[test]
fn the_core_keeps_the_bans_of_the_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [workspace, core] =
        ["clippy.toml", "core/clippy.toml"].map(|name| fs::read_to_string(root.join(name)).unwrap());
    assert!(settings(&workspace).len() > 8, "{:?}", settings(&workspace));
    assert_eq!(missing(&workspace, &core), [], "core/clippy.toml must repeat this");
}

#[test]
fn a_forgotten_ban_is_seen() {
    let workspace = "a = true\nmethods = [\n    { path = \"x\" },\n    { path = \"y\" },\n]\n";
    let core = "# more\na = true\nmethods = [\n    { path = \"y\" },\n    { path = \"z\" },\n]\n";
    assert_eq!(missing(workspace, core), [("methods", "{ path = \"x\" },")]);
    assert_eq!(missing("a = true", "a = false"), [("", "a = true")]);
    let elsewhere = workspace.replace("methods", "types");
    assert_eq!(missing(workspace, &elsewhere).len(), 2);
    assert_eq!(missing(workspace, workspace), []);
}
