//! A claim about Tomcat is worth what its test is worth: each names one that exists.
//!
//! Two kinds of claims: comments about a difference (see `MARK`) name their tests in the same comment block, as "Test"
//! or "Tests", a colon, and names with commas between; rows of docs/compatibility.md name theirs in the last column,
//! unless they say "not yet".

use std::collections::BTreeSet;

use super::{File, Finding, Tree, source};

const TABLE: &str = "docs/compatibility.md";
const MARK: &str = concat!("Differs from", " Tomcat:");

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let tests = source::test_names(tree);
    let mut findings = Vec::new();
    for file in tree.rust() {
        comments(file, &tests, &mut findings);
    }
    match tree.get(TABLE) {
        Some(file) => rows(file, &tests, &mut findings),
        None => findings.push(Finding::new(TABLE, 0, "missing")),
    }
    findings
}

fn comments(file: &File, tests: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    for (line, text) in blocks(file) {
        let named = named_in_comment(&text);
        if named.is_empty() {
            findings.push(Finding::new(&file.path, line, "a difference from Tomcat names the test that shows it"));
        }
        judge(file, line, &named, tests, findings);
    }
}

/// The comment blocks from the mark on, with the line of their mark.
fn blocks(file: &File) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = file.text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let Some(mut text) = comment(line).filter(|c| c.contains(MARK)).map(str::to_owned) else {
            continue;
        };
        while let Some(more) = lines.peek().and_then(|(_, l)| comment(l)) {
            if more.contains(MARK) {
                break;
            }
            text.push(' ');
            text.push_str(more);
            lines.next();
        }
        blocks.push((index + 1, text));
    }
    blocks
}

fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?;
    Some(text.trim_start_matches(['/', '!']).trim())
}

fn named_in_comment(text: &str) -> Vec<&str> {
    let after = ["Test: ", "Tests: "].iter().find_map(|mark| text.split_once(mark)).map_or("", |(_, after)| after);
    let end = after.find('.').unwrap_or(after.len());
    after[..end].split(',').map(clean).filter(|n| !n.is_empty()).collect()
}

fn clean(name: &str) -> &str {
    let name = name.trim().trim_matches('`');
    name.rsplit("::").next().unwrap_or(name)
}

fn rows(file: &File, tests: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [_, _, status, evidence] = cells[..] else {
            continue;
        };
        match status {
            "same" | "better" => {
                // Between backticks stands every second piece.
                let named: Vec<&str> = evidence.split('`').skip(1).step_by(2).map(clean).collect();
                if named.is_empty() {
                    findings.push(Finding::new(&file.path, index + 1, "names no test"));
                }
                judge(file, index + 1, &named, tests, findings);
            }
            "not yet" | "status" => {}
            _ if status.starts_with('-') => {}
            _ => {
                let what = format!("status \"{status}\" is not same, better or not yet");
                findings.push(Finding::new(&file.path, index + 1, what));
            }
        }
    }
}

fn judge(file: &File, line: usize, named: &[&str], tests: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    for name in named.iter().filter(|n| !tests.contains(*n)) {
        let what = format!("there is no test {name}");
        findings.push(Finding::new(&file.path, line, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    const HEAD: &str = "| what | Tomcat | status | tests |\n|---|---|---|---|\n";

    fn findings(rust: &str, row: &str) -> Vec<String> {
        let rust = format!("{rust}\n#[test]\nfn proof() {{}}\n");
        let table = format!("{HEAD}{row}\n");
        let tree = tree(&[("a.rs", &rust), (TABLE, &table)]);
        check(&tree).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn a_difference_names_its_test() {
        let none = Vec::<String>::new();
        assert_eq!(findings(&format!("// {MARK} closes it. Test: proof."), ""), none);
        assert_eq!(
            findings(&format!("/// {MARK} it closes\n/// early. Tests: `a::proof`, other."), ""),
            ["there is no test other"]
        );
        assert_eq!(
            findings(&format!("// {MARK} closes it."), ""),
            ["a difference from Tomcat names the test that shows it"]
        );
    }

    #[test]
    fn a_row_names_its_test_unless_it_is_not_yet() {
        let none = Vec::<String>::new();
        assert_eq!(findings("", "| a | b | same | `proof` |"), none);
        assert_eq!(findings("", "| a | b | not yet | - |"), none);
        assert_eq!(findings("", "| a | b | better | - |"), ["names no test"]);
        assert_eq!(findings("", "| a | b | better | `gone` |"), ["there is no test gone"]);
        assert_eq!(
            findings("", "| a | b | perhaps | `proof` |"),
            ["status \"perhaps\" is not same, better or not yet"]
        );
    }
}
