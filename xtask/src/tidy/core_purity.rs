//! The protocol core performs no I/O, reads no clock, draws no random number, starts no thread.

use super::{Finding, Tree, source};

const CORE: [&str; 2] = ["crates/java-object-stream/src/", "crates/clowder-proto/src/"];

const FORBIDDEN: [&str; 15] = [
    "Instant::now",
    "SystemTime::now",
    "tokio",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "thread_local!",
    "static mut",
    "getrandom",
    "fastrand",
    "println!",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        if !CORE.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        for (line, text) in source::product_lines(file) {
            for word in FORBIDDEN.iter().filter(|w| text.contains(**w)) {
                let what = format!("{word} in the protocol core: let the caller pass it in");
                findings.push(Finding::new(&file.path, line, what));
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
    fn a_clock_in_the_core_is_found_but_not_in_its_tests_or_elsewhere() {
        let text = "let t = Instant::now();\n#[cfg(test)]\nmod tests {\n    let t = Instant::now();\n}\n";
        let tree = tree(&[("crates/clowder-proto/src/link.rs", text), ("crates/clowder/src/link.rs", text)]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 1);
    }
}
