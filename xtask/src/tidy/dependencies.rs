//! Every dependency of the workspace stands in docs/dependencies.md with its reason, and nothing else does.

use std::collections::BTreeSet;

use super::{Finding, Tree};

const MANIFEST: &str = "Cargo.toml";
const REASONS: &str = "docs/dependencies.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let (Some(manifest), Some(reasons)) = (tree.get(MANIFEST), tree.get(REASONS)) else {
        return vec![Finding::new(REASONS, 0, "missing")];
    };
    let used = dependencies(&manifest.text);
    let explained = explained(&reasons.text);
    let unexplained = used.difference(&explained).map(|name| {
        let what = format!("{name} is used but has no row with a reason");
        Finding::new(REASONS, 0, what)
    });
    let unused = explained.difference(&used).map(|name| {
        let what = format!("{name} has a row but is not used");
        Finding::new(REASONS, 0, what)
    });
    unexplained.chain(unused).collect()
}

/// Names in `[workspace.dependencies]`, without the workspace's own crates.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    manifest
        .lines()
        .skip_while(|l| *l != "[workspace.dependencies]")
        .skip(1)
        .take_while(|l| !l.starts_with('['))
        .filter(|l| !l.starts_with('#') && !l.contains("path = "))
        .filter_map(|l| l.split_once(" = "))
        .map(|(name, _)| name)
        .collect()
}

/// Names in the first column of the tables, written as `` | `name` | ``.
fn explained(reasons: &str) -> BTreeSet<&str> {
    reasons.lines().filter_map(|l| l.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    #[test]
    fn manifest_and_reasons_must_agree() {
        let manifest = "[workspace.dependencies]\nown = { path = \"a\" }\n# tests\nbytes = \"1\"\nhex = \"0.4\"\n\n[profile.dev]\nx = 1\n";
        let both = "| crate | why |\n|---|---|\n| `bytes` | slices |\n| `hex` | tests |\n";
        let other = "| `bytes` | slices |\n| `rand` | gone |\n";
        assert!(check(&tree(&[(MANIFEST, manifest), (REASONS, both)])).is_empty());
        let findings = check(&tree(&[(MANIFEST, manifest), (REASONS, other)]));
        assert_eq!(findings.len(), 2);
    }
}
