//! Elements and attributes with their places, and values in Tomcat's notation.

use std::cell::RefCell;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use roxmltree::Node;

/// What is said about a file besides errors.
pub(super) struct Warnings<'a> {
    file: &'a str,
    said: RefCell<Vec<String>>,
}

impl<'a> Warnings<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Warnings { file, said: RefCell::default() }
    }

    pub(super) fn take(self) -> Vec<String> {
        self.said.into_inner()
    }

    fn say(&self, text: String) {
        self.said.borrow_mut().push(text);
    }
}

/// One element.
pub(super) struct Element<'a> {
    node: Node<'a, 'a>,
    warnings: &'a Warnings<'a>,
}

/// One attribute of an element. The name begins in lower case: Tomcat does not tell `Port` from `port`.
pub(super) struct Attribute<'a> {
    pub(super) name: String,
    pub(super) value: &'a str,
    element: &'a str,
    place: String,
    warnings: &'a Warnings<'a>,
}

impl<'a> Element<'a> {
    pub(super) fn new(node: Node<'a, 'a>, warnings: &'a Warnings<'a>) -> Self {
        Element { node, warnings }
    }

    pub(super) fn name(&self) -> &'a str {
        self.node.tag_name().name()
    }

    /// `file:line:column` of its beginning.
    pub(super) fn place(&self) -> String {
        self.place_at(self.node.range().start)
    }

    fn place_at(&self, byte: usize) -> String {
        let position = self.node.document().text_pos_at(byte);
        format!("{}:{}:{}", self.warnings.file, position.row, position.col)
    }

    pub(super) fn warn(&self, text: &str) {
        self.warnings.say(format!("{}: {} {text}", self.place(), self.name()));
    }

    pub(super) fn children(&self) -> impl Iterator<Item = Element<'a>> {
        let warnings = self.warnings;
        self.node.children().filter(Node::is_element).map(move |node| Element { node, warnings })
    }

    /// The nearest element around it of this name.
    pub(super) fn ancestor(&self, name: &str) -> Option<Element<'a>> {
        let node = self.node.ancestors().skip(1).find(|node| node.has_tag_name(name))?;
        Some(Element { node, warnings: self.warnings })
    }

    pub(super) fn parent(&self) -> Option<Element<'a>> {
        self.node.parent_element().map(|node| Element { node, warnings: self.warnings })
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.node.attribute(name)
    }

    /// Its className.
    ///
    /// # Errors
    /// It has none, as which Tomcat refuses it too.
    pub(super) fn class(&self) -> Result<&'a str> {
        self.node.attribute("className").with_context(|| format!("{}: {} needs a className", self.place(), self.name()))
    }

    /// All but className.
    pub(super) fn raw_attributes(&self) -> impl Iterator<Item = Attribute<'a>> {
        self.node.attributes().filter(|attribute| attribute.name() != "className").map(|attribute| {
            let mut name = attribute.name().to_owned();
            if let Some(first) = name.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            let place = self.place_at(attribute.range().start);
            Attribute { name, value: attribute.value(), element: self.name(), place, warnings: self.warnings }
        })
    }

    /// Give each attribute to `set`, which says `None` if it does not know it. Those in `without_effect` are warned of,
    /// others too, with a list of what there is.
    ///
    /// # Errors
    /// An attribute cannot have its value.
    pub(super) fn attributes(
        &self,
        mut set: impl FnMut(&str, &Attribute<'a>) -> Option<Result<()>>,
        without_effect: &[&str],
        known: &[&str],
    ) -> Result<()> {
        for attribute in self.raw_attributes() {
            match set(&attribute.name, &attribute) {
                Some(done) => done.with_context(|| {
                    format!("{}: {} {}={:?}", attribute.place, self.name(), attribute.name, attribute.value)
                })?,
                None if without_effect.contains(&attribute.name.as_str()) => attribute.warn("has no effect here"),
                None if known.is_empty() => attribute.warn("is unknown"),
                None => attribute.warn(&format!("is unknown; known are {}", known.join(", "))),
            }
        }
        Ok(())
    }
}

impl<'a> Attribute<'a> {
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn warn(&self, text: &str) {
        self.warnings.say(format!("{}: {} attribute {} {text}", self.place, self.element, self.name));
    }

    pub(super) fn number<T: FromStr>(&self) -> Result<T> {
        self.value.trim().parse().map_err(|_| anyhow!("expected a decimal number in its range"))
    }

    pub(super) fn port(&self) -> Result<u16> {
        self.number().context("a port is 0 to 65535")
    }

    pub(super) fn millis(&self) -> Result<Duration> {
        self.number().map(Duration::from_millis).context("a time is a number of milliseconds")
    }

    /// Differs from Tomcat: it reads everything but `true` as false. Test: mistakes_are_named_with_their_place.
    pub(super) fn flag(&self) -> Result<bool> {
        match self.value.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => bail!("expected true or false"),
        }
    }

    pub(super) fn address(&self) -> Result<IpAddr> {
        self.value.trim().parse().map_err(|_| anyhow!("expected an IP address"))
    }

    /// Bytes in braces, or text in ISO-8859-1.
    pub(super) fn bytes(&self) -> Result<Bytes> {
        if !self.value.trim_start().starts_with('{') {
            let bytes: Option<Vec<u8>> = self.value.chars().map(|c| u8::try_from(c).ok()).collect();
            return bytes.map(Bytes::from).context("only characters of ISO-8859-1 have a byte");
        }
        let pieces = self.value.split(['{', ',', '}']).map(str::trim).filter(|piece| !piece.is_empty());
        let bytes: Option<Vec<u8>> = pieces
            .map(|piece| {
                let number: i16 = piece.parse().ok()?;
                (-128..=255).contains(&number).then(|| number.to_be_bytes()[1])
            })
            .collect();
        bytes.map(Bytes::from).context("expected decimal bytes in braces, such as {1,2,-3}")
    }

    pub(super) fn unique_id(&self) -> Result<[u8; 16]> {
        let bytes = self.bytes()?;
        bytes[..].try_into().map_err(|_| anyhow!("a uniqueId has 16 bytes in braces, this has {}", bytes.len()))
    }

    /// A name, an address, or the bytes of one in braces; an IPv6 address gets its brackets.
    pub(super) fn host(&self) -> Result<String> {
        let text = self.value.trim();
        let address = if text.starts_with('{') {
            let bytes = self.bytes()?;
            match bytes.len() {
                4 => <[u8; 4]>::try_from(&bytes[..]).map(IpAddr::from).ok(),
                16 => <[u8; 16]>::try_from(&bytes[..]).map(IpAddr::from).ok(),
                other => bail!("an address has 4 or 16 bytes, this has {other}"),
            }
        } else {
            text.trim_matches(['[', ']']).parse().ok()
        };
        Ok(match address {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(address) => address.to_string(),
            None => text.to_owned(),
        })
    }
}
