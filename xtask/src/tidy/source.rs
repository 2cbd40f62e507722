//! Reading Rust source by lines, far enough for the rules: what is test code, what is a comment, which tests exist.
//!
//! Relies on rustfmt's layout (an item ends at a brace with the indentation of its start); the `fmt` step checks that.

use std::collections::BTreeSet;

use super::{File, Tree};

/// The lines of a file that are neither test code nor comment, with their numbers from 1.
pub(super) fn product_lines(file: &File) -> Vec<(usize, &str)> {
    if is_test_file(&file.path) {
        return Vec::new();
    }
    let mut kept = Vec::new();
    let mut lines = file.text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.trim_start() == "#[cfg(test)]" {
            skip_item(&mut lines, indentation(line));
        } else if !line.trim_start().starts_with("//") {
            kept.push((index + 1, line));
        }
    }
    kept
}

fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.split('/').any(|part| part == "tests") || name.ends_with("tests.rs")
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn skip_item<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>, indent: usize) {
    for (_, line) in lines {
        let ends = line.ends_with(';') || line.ends_with('}');
        if indentation(line) == indent && ends {
            return;
        }
    }
}

/// Names of all test functions of the repository.
pub(super) fn test_names(tree: &Tree) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for file in tree.rust() {
        let mut marked = false;
        for line in file.text.lines().map(str::trim) {
            if line.starts_with("#[") {
                marked |= line.contains("test]") || line.contains("test(");
            } else if let Some(name) = function_name(line) {
                if marked {
                    names.insert(name);
                }
                marked = false;
            }
        }
    }
    names
}

fn function_name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let name = line.strip_prefix("fn ")?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    Some(&name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    #[test]
    fn test_code_and_comments_are_left_out() {
        let text = "fn a() {}\n// no\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nuse x;\nfn c() {}\n";
        let tree = tree(&[("src/a.rs", text), ("src/a/tests.rs", text)]);
        let lines = product_lines(&tree.files[0]);
        assert_eq!(lines, [(1, "fn a() {}"), (9, "fn c() {}")]);
        assert!(product_lines(&tree.files[1]).is_empty());
    }

    #[test]
    fn tests_of_every_kind_are_found() {
        let text = "#[test]\nfn one() {}\nfn helper() {}\n#[tokio::test(flavor = \"x\")]\nasync fn two() {}\n#[test]\n#[ignore]\nfn three() {}\n";
        let tree = tree(&[("a.rs", text)]);
        let names: Vec<&str> = test_names(&tree).into_iter().collect();
        assert_eq!(names, ["one", "three", "two"]);
    }
}
