//! Where the bytes come from: the command line, a file, standard input; raw or as hexadecimal digits.

use std::io::{IsTerminal, Read};

use anyhow::{Context, Result, bail};
use bytes::Bytes;

/// Longest input that is read, so that `@/dev/zero` ends.
const INPUT_BYTES_MAX: u64 = 1 << 30;

/// Read what the argument names.
///
/// # Errors
/// A file cannot be read, the argument is not hexadecimal, or there is nothing.
pub(super) fn read(argument: &str) -> Result<Bytes> {
    let bytes = if argument == "-" {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            bail!("nothing to decode: give hexadecimal digits, @FILE, or feed standard input");
        }
        text_or_raw(limited(stdin.lock(), "standard input")?)
    } else if let Some(path) = argument.strip_prefix('@') {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {path}"))?;
        text_or_raw(limited(file, path)?)
    } else {
        digits(argument.as_bytes())
            .with_context(|| format!("'{argument}' is not hexadecimal; a file is written @{argument}"))?
    };
    if bytes.is_empty() {
        bail!("nothing to decode: the input is empty");
    }
    Ok(bytes.into())
}

fn limited(source: impl Read, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        bail!("{name} has more than {INPUT_BYTES_MAX} bytes: cut out the part of interest");
    }
    Ok(bytes)
}

/// Captured traffic is never made of hexadecimal digits alone: every format here begins with another byte.
fn text_or_raw(bytes: Vec<u8>) -> Vec<u8> {
    digits(&bytes).unwrap_or(bytes)
}

fn digits(text: &[u8]) -> Result<Vec<u8>> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b':').collect();
    let text = text.strip_prefix(b"0x").unwrap_or(&text);
    if let Some(at) = text.iter().position(|byte| !byte.is_ascii_hexdigit()) {
        bail!("character {} is no hexadecimal digit", at + 1);
    }
    if text.len() % 2 == 1 {
        bail!("{} digits do not make whole bytes", text.len());
    }
    Ok(hex::decode(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_with_and_without_decoration() {
        assert_eq!(read("0xACED 00:05\n").unwrap(), &[0xac, 0xed, 0, 5][..]);
        let error = format!("{:#}", read("aced0").unwrap_err());
        assert!(error.contains("5 digits"), "{error}");
        let error = format!("{:#}", read("capture.bin").unwrap_err());
        assert!(error.contains("@capture.bin") && error.contains("character 3"), "{error}");
        assert!(read("").is_err());
    }

    #[test]
    fn files_raw_and_as_text() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let argument = format!("@{}", path.display());
        for content in [&b"\xac\xed\x00\x05"[..], b"aced\n0005\n"] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(&argument).unwrap(), &b"\xac\xed\x00\x05"[..]);
        }
        let missing = format!("@{}/nothing", directory.path().display());
        assert!(read(&missing).unwrap_err().to_string().contains("cannot open"));
    }
}
