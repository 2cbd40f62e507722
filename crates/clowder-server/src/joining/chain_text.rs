//! A chain on the command line: `gzip(compressionMinSize=100),encrypt(encryptionKey=…),order(optionFlag=512)`.
//!
//! Names of layers from the application to the wire, separated by commas; behind a name its attributes in parentheses,
//! under Tomcat's names. A value ends at the next comma or closing parenthesis that stands outside of braces; one in
//! double quotes ends at the second quote.

use clowder::chain::{ChainConfig, LayerConfig};

/// Layers of a chain; no real one comes near.
const LAYERS_MAX: usize = 64;

/// The short names, for those who mistype one.
const NAMES: &str = "dispatch, failure-detector, ping, static, domain, fragment, gzip, order, two-phase, throughput, \
                     encrypt, coordinator, simple-coordinator";

/// The text is at fault, at a character counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {at}: {what}")]
pub(crate) struct ChainTextError {
    at: usize,
    what: String,
}

/// The chain that `text` describes; none if it is empty.
///
/// # Errors
/// It describes none: where, and what was expected.
pub(crate) fn parse(text: &str) -> Result<ChainConfig, ChainTextError> {
    let mut cursor = Cursor { text, at: 0 };
    let mut chain = ChainConfig::default();
    cursor.skip_blanks();
    if cursor.peek().is_none() {
        return Ok(chain);
    }
    loop {
        if chain.layers.len() == LAYERS_MAX {
            return Err(cursor.error(cursor.at, format!("more than {LAYERS_MAX} layers")));
        }
        chain.layers.push(cursor.layer()?);
        match cursor.peek() {
            None => return Ok(chain),
            Some(',') => cursor.advance(),
            Some(other) => {
                let what = format!("expected a comma or the end behind a layer, found {other:?}");
                return Err(cursor.error(cursor.at, what));
            }
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    /// In bytes, at the beginning of a character.
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.advance();
        }
    }

    fn error(&self, at: usize, what: impl Into<String>) -> ChainTextError {
        ChainTextError { at: self.text[..at].chars().count() + 1, what: what.into() }
    }

    /// Letters, digits, and what Tomcat's names have besides them; with the blanks around it.
    fn word(&mut self) -> (usize, &'a str) {
        self.skip_blanks();
        let begin = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            self.advance();
        }
        let word = &self.text[begin..self.at];
        self.skip_blanks();
        (begin, word)
    }

    fn layer(&mut self) -> Result<LayerConfig, ChainTextError> {
        let (begin, name) = self.word();
        if name.is_empty() {
            return Err(self.error(begin, format!("expected a layer: {NAMES}")));
        }
        let mut layer = LayerConfig::named(name)
            .ok_or_else(|| self.error(begin, format!("no layer is called {name:?}; there are {NAMES}")))?;
        if self.peek() != Some('(') {
            return Ok(layer);
        }
        self.advance();
        let mut given: Vec<&str> = Vec::new();
        self.skip_blanks();
        if self.peek() == Some(')') {
            self.advance();
            self.skip_blanks();
            return Ok(layer);
        }
        while let Some(attribute) = self.attribute(&mut layer, &given)? {
            given.push(attribute);
        }
        self.skip_blanks();
        Ok(layer)
    }

    /// `name=value` with the comma behind it; `None`: the last one, with the parenthesis behind it.
    fn attribute(&mut self, layer: &mut LayerConfig, given: &[&str]) -> Result<Option<&'a str>, ChainTextError> {
        let (begin, name) = self.word();
        if name.is_empty() {
            return Err(self.error(begin, format!("expected an attribute of {}, such as optionFlag=512", layer.name())));
        }
        if given.contains(&name) {
            return Err(self.error(begin, format!("{name} is given twice")));
        }
        if self.peek() != Some('=') {
            return Err(self.error(self.at, format!("expected = and a value behind {name}")));
        }
        self.advance();
        let value = self.value(layer.name())?;
        layer.set(name, value).map_err(|error| self.error(begin, error.to_string()))?;
        let more = self.peek() == Some(',');
        self.advance();
        Ok(more.then_some(name))
    }

    /// Up to the comma or parenthesis that ends it.
    fn value(&mut self, layer: &str) -> Result<&'a str, ChainTextError> {
        self.skip_blanks();
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let begin = self.at;
        let mut open = None;
        loop {
            match self.peek() {
                Some(',' | ')') if open.is_none() => return Ok(self.text[begin..self.at].trim()),
                Some('{') if open.is_none() => open = Some(self.at),
                Some('}') => open = None,
                Some(_) => {}
                None => {
                    return Err(match open {
                        Some(brace) => self.error(brace, "this brace is not closed"),
                        None => self.error(self.at, format!("expected ) to end the attributes of {layer}")),
                    });
                }
            }
            self.advance();
        }
    }
}

impl<'a> Cursor<'a> {
    fn quoted(&mut self) -> Result<&'a str, ChainTextError> {
        let begin = self.at;
        let inside = &self.rest()[1..];
        let length = inside.find('"').ok_or_else(|| self.error(begin, "this quote is not closed"))?;
        self.at += length + 2;
        self.skip_blanks();
        match self.peek() {
            Some(',' | ')') => Ok(&inside[..length]),
            _ => Err(self.error(self.at, "expected a comma or ) behind a value in quotes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        parse(text).unwrap().layers.iter().map(LayerConfig::name).collect()
    }

    fn refused(text: &str, at: usize, says: &str) {
        let error = parse(text).unwrap_err();
        assert!(error.at == at && error.what.contains(says), "{text}: {error}");
    }

    #[test]
    fn layers_stand_from_the_application_to_the_wire() {
        assert_eq!(names("gzip,order(optionFlag=512),failure-detector"), ["gzip", "order", "failure-detector"]);
        assert_eq!(names(" gzip ( ) , static "), ["gzip", "static"]);
        assert_eq!(names("org.apache.catalina.tribes.group.interceptors.TwoPhaseCommitInterceptor"), ["two-phase"]);
        assert!(names("").is_empty() && names("  ").is_empty());
    }

    #[test]
    fn attributes_reach_their_layer() {
        let chain = parse("fragment(maxSize = 100 , optionFlag=1024),order").unwrap();
        let LayerConfig::Fragment(fragment) = &chain.layers[0] else { panic!("{chain:?}") };
        assert_eq!((fragment.option_flag, fragment.max_size), (1024, 100));
    }

    #[test]
    fn values_hold_braces_with_commas() {
        let chain = parse("domain(domain={115,-1,2},logInterval=7),gzip").unwrap();
        let LayerConfig::Domain(domain) = &chain.layers[0] else { panic!("{chain:?}") };
        assert_eq!((&domain.domain[..], chain.layers.len()), (&[115, 255, 2][..], 2));
        // Equals signs and slashes are part of a value.
        refused("order(expire=a=b/c)", 7, "\"a=b/c\"");
    }

    #[test]
    fn values_in_quotes_hold_commas_and_parentheses() {
        let keys = ["ab", "cd"].map(|byte| byte.repeat(16)).join(",");
        let chain = parse(&format!("encrypt(acceptedKeys=\"{keys}\" ,generation=10.1.60),gzip")).unwrap();
        let LayerConfig::Encrypt(encrypt) = &chain.layers[0] else { panic!("{chain:?}") };
        assert_eq!((encrypt.keys.accepted.len(), chain.layers.len()), (2, 2));
        assert_eq!(parse("domain(domain=\"a)b\")").unwrap().layers.len(), 1);
        refused("domain(domain=\"a)", 15, "not closed");
        refused("domain(domain=\"a\"b)", 18, "behind a value in quotes");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        refused("gzp", 1, "no layer is called \"gzp\"; there are dispatch, failure-detector");
        refused("gzip,", 6, "expected a layer");
        refused(",gzip", 1, "expected a layer");
        refused("gzip order", 6, "found 'o'");
        refused("gzip)", 5, "found ')'");
        refused("gzip(optionFlag)", 16, "expected = and a value behind optionFlag");
        refused("order(expire=1", 15, "expected ) to end the attributes of order");
        refused("gzip(,)", 6, "expected an attribute of gzip");
        refused("order,gzip(bogus=1)", 12, "it has");
        refused("order(expire=1,expire=2)", 16, "twice");
        refused("domain(domain={1,2)", 15, "not closed");
        refused("é", 1, "expected a layer");
        refused("gzip,\u{e9}", 6, "expected a layer");
        refused(&"gzip,".repeat(100), 5 * LAYERS_MAX + 1, "more than");
    }
}
