//! A file above 800 lines is several ideas: it becomes a folder.

use super::{Finding, Tree};

const LINES_MAX: usize = 800;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|f| f.path.ends_with(".rs") || f.path.ends_with(".java"))
        .filter_map(|f| {
            let lines = f.text.lines().count();
            let what = format!("{lines} lines, more than {LINES_MAX}: split it by concern");
            (lines > LINES_MAX).then(|| Finding::new(&f.path, 0, what))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    #[test]
    fn the_limit_is_800() {
        let tree = tree(&[("a.rs", &"x\n".repeat(800)), ("b.rs", &"x\n".repeat(801))]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path, "b.rs");
    }
}
