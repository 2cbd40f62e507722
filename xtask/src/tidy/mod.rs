//! `cargo xtask tidy`: the rules of this code base that neither the compiler nor clippy checks.
//!
//! One rule per file; each looks at a [`Tree`] in memory, so each is tested on a tree of three lines.

mod changelog;
mod claims;
mod core_purity;
mod dependencies;
mod file_length;
mod lints;
mod source;
mod words;

use std::fmt;

use anyhow::{Context, Result, bail};

use crate::shell::Program;

/// One file of the repository with its text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All text files that git knows or would add.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    fn load() -> Result<Tree> {
        let listed = Program::new("git", &["ls-files", "--cached", "--others", "--exclude-standard"]).output()?;
        let mut tree = Tree::default();
        for path in listed.lines() {
            // Deleted but not yet committed files are still listed; binary files have no lines to look at.
            if let Ok(text) = std::fs::read_to_string(path) {
                tree.add(path, &text);
            }
        }
        Ok(tree)
    }

    fn add(&mut self, path: &str, text: &str) {
        self.files.push(File { path: path.to_owned(), text: text.to_owned() });
    }

    fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|f| f.path == path)
    }

    fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|f| f.path.ends_with(".rs"))
    }
}

/// A broken rule at a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// From 1; 0 for the file as a whole.
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [(&str, Rule); 7] = [
    ("the protocol core is pure", core_purity::check),
    ("files stay readable", file_length::check),
    ("words that must not stay", words::check),
    ("claims about Tomcat name their tests", claims::check),
    ("the changelog has a place for the next entry", changelog::check),
    ("unsafe code is forbidden everywhere", lints::check),
    ("each dependency has a reason", dependencies::check),
];

/// Checks the repository and prints every finding.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::load().context("cannot list the files of the repository")?;
    let mut count = 0;
    for (name, rule) in RULES {
        for finding in rule(&tree) {
            println!("   {finding} ({name})");
            count += 1;
        }
    }
    if count > 0 {
        bail!("{count} findings");
    }
    println!("   {} files, {} rules: tidy", tree.files.len(), RULES.len());
    Ok(())
}

/// A tree of one file, for the tests of the rules.
#[cfg(test)]
fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.add(path, text);
    }
    tree
}
