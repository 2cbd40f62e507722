//! A change that users notice has its place in the changelog from the day it is made.

use super::{Finding, Tree};

const PATH: &str = "CHANGELOG.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let found = tree.get(PATH).is_some_and(|f| f.text.lines().any(|l| l.trim_end() == "## Unreleased"));
    if found {
        return Vec::new();
    }
    vec![Finding::new(PATH, 0, "no section \"## Unreleased\"")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    #[test]
    fn the_section_is_required() {
        assert_eq!(check(&tree(&[])).len(), 1);
        assert_eq!(check(&tree(&[(PATH, "# Changes\n\n## 0.1.0\n")])).len(), 1);
        assert_eq!(check(&tree(&[(PATH, "# Changes\n\n## Unreleased\n")])).len(), 0);
    }
}
