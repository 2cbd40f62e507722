//! Every crate takes the lints of the workspace, and those forbid unsafe code.

use super::{Finding, Tree};

const WORKSPACE: &str = "Cargo.toml";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let forbidden = tree.get(WORKSPACE).is_some_and(|f| f.text.lines().any(|l| l.trim() == "unsafe_code = \"forbid\""));
    if !forbidden {
        findings.push(Finding::new(WORKSPACE, 0, "unsafe_code is not forbidden"));
    }
    for file in &tree.files {
        let is_member = file.path.ends_with("/Cargo.toml") && !file.path.starts_with("fuzz/");
        if is_member && !file.text.contains("[lints]\nworkspace = true") {
            findings.push(Finding::new(&file.path, 0, "no [lints] workspace = true"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    #[test]
    fn a_crate_without_the_lints_is_found() {
        let good = "[lints]\nworkspace = true\n";
        let root = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
        assert!(check(&tree(&[(WORKSPACE, root), ("a/Cargo.toml", good)])).is_empty());
        assert_eq!(check(&tree(&[(WORKSPACE, root), ("a/Cargo.toml", "")])).len(), 1);
        assert_eq!(check(&tree(&[(WORKSPACE, ""), ("a/Cargo.toml", good)])).len(), 1);
    }
}
