//! Words that mean something was left behind: unfinished code, a path of one developer's machine, a private mirror.

use super::{Finding, Tree};

/// In pieces, so that this file does not find itself.
const FORBIDDEN: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("FIX", "ME"),
];

/// The only place where crates come from, as cargo writes it into lock files.
const SOURCE: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        if file.path.starts_with("vectors/") {
            continue;
        }
        let is_lock = file.path.ends_with("Cargo.lock");
        for (index, line) in file.text.lines().enumerate() {
            for word in FORBIDDEN.iter().filter(|w| line.contains(**w)) {
                let what = format!("\"{word}\" must not stay");
                findings.push(Finding::new(&file.path, index + 1, what));
            }
            if is_lock && line.starts_with("source = ") && line != SOURCE {
                findings.push(Finding::new(&file.path, index + 1, "not from crates.io"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    #[test]
    fn left_overs_and_foreign_sources_are_found() {
        let rust = format!("fn a() {{ {}() }}\n", FORBIDDEN[2]);
        let lock = format!("{SOURCE}\nsource = \"registry+https://mirror.example/index\"\n");
        let tree = tree(&[("a.rs", &rust), ("Cargo.lock", &lock), ("vectors/v", &rust)]);
        let findings = check(&tree);
        let places: Vec<_> = findings.iter().map(|f| (f.path.as_str(), f.line)).collect();
        assert_eq!(places, [("a.rs", 1), ("Cargo.lock", 2)]);
    }
}
