//! Tomcat's `<Channel>` element as the configuration of a channel, alone in a file or anywhere in a `server.xml`.
//!
//! What Tomcat would refuse is an error, and so is a value that an attribute cannot have. What has no effect here, an
//! unknown attribute above all, is a warning. Each names file, line and column.
//!
//! Differs from Tomcat: without a `Membership` element nobody is looked for, where Tomcat multicasts; whoever gives
//! only interceptors gets only interceptors. Test: only_what_is_written_is_configured.

mod element;
mod membership;

use std::path::Path;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clowder::chain::{AttributeError, ChainConfig, LayerConfig};
use clowder::{Multicast, StaticService, TransportConfig};

use crate::cli::{Peer, UniqueId};
use element::{Element, Warnings};

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct ChannelFile {
    /// The interceptors.
    pub(super) chain: ChainConfig,
    /// Static members.
    pub(super) members: Vec<Peer>,
    /// The local member's unique id.
    pub(super) id: Option<UniqueId>,
    /// The local member's domain.
    pub(super) domain: Bytes,
    /// Where to listen, if there is a receiver.
    pub(super) listen: Option<String>,
    /// Membership by multicast.
    pub(super) multicast: Option<Multicast>,
    /// Membership by the static service, with whom it asks.
    pub(super) service: Option<(StaticService, Vec<Peer>)>,
    /// The receiver and the sender.
    pub(super) transport: TransportConfig,
}

/// Read a file and log its warnings.
///
/// # Errors
/// It cannot be read, is no XML, has no `<Channel>`, or describes none that works.
pub(super) fn read(path: &Path) -> Result<ChannelFile> {
    let name = path.display().to_string();
    let length = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?.len();
    if length > FILE_BYTES_MAX {
        bail!("{name} has more than {FILE_BYTES_MAX} bytes");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let (file, warnings) = parse(&name, &text)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    Ok(file)
}

fn parse(name: &str, text: &str) -> Result<(ChannelFile, Vec<String>)> {
    let document = roxmltree::Document::parse(text).with_context(|| format!("{name} is no XML"))?;
    let mut channels = document.descendants().filter(|node| node.has_tag_name("Channel"));
    let channel = channels.next().with_context(|| format!("{name} has no <Channel> element"))?;
    let warnings = Warnings::new(name);
    let channel = Element::new(channel, &warnings);
    if let Some(second) = channels.next() {
        Element::new(second, &warnings).warn("only the first Channel of a file is used");
    }
    let mut file = ChannelFile::default();
    file.channel(&channel)?;
    Ok((file, warnings.take()))
}

impl ChannelFile {
    fn channel(&mut self, channel: &Element<'_>) -> Result<()> {
        channel.attributes(
            |attribute, value| match attribute {
                "optionCheck" => Some(value.flag().map(|check| self.chain.option_check = check)),
                _ => None,
            },
            &["heartbeat", "heartbeatSleeptime", "name", "optionFlag", "jmxEnabled", "jmxDomain", "jmxPrefix"],
            &["optionCheck"],
        )?;
        for child in channel.children() {
            match child.name() {
                "Interceptor" => self.interceptor(&child)?,
                "Membership" => self.membership(&child)?,
                "Receiver" => self.receiver(&child)?,
                "Sender" => self.sender(&child)?,
                "MembershipListener" | "ChannelListener" => child.warn("has no effect here: it is Java code"),
                other => bail!("{}: a Channel has no element {other}", child.place()),
            }
        }
        Ok(())
    }

    fn interceptor(&mut self, element: &Element<'_>) -> Result<()> {
        let class = element.class()?;
        let Some(mut layer) = LayerConfig::named(class) else {
            bail!("{}: no interceptor {class:?} is known", element.place());
        };
        set_all(element, |attribute, value| layer.set(attribute, value), |_| None)?;
        for child in element.children() {
            match (&layer, child.name()) {
                (LayerConfig::Static(_), "Member") => self.members.push(member(&child)?.0),
                (LayerConfig::Static(_), "LocalMember") => self.local(&child)?,
                (_, other) => bail!("{}: {class} has no element {other}", child.place()),
            }
        }
        self.chain.layers.push(layer);
        Ok(())
    }

    fn local(&mut self, element: &Element<'_>) -> Result<()> {
        let (member, domain) = member_of(element, true)?;
        self.id = Some(member.unique_id);
        self.domain = domain;
        Ok(())
    }

    fn receiver(&mut self, element: &Element<'_>) -> Result<()> {
        let class = element.class()?;
        let transport = &mut self.transport;
        transport.receiver.blocking = class.ends_with("BioReceiver");
        let blocking = transport.receiver.blocking;
        set_all(
            element,
            |attribute, value| transport.set_receiver(attribute, value),
            |attribute| match attribute {
                "maxThreads" if !blocking => Some("the tasks of a runtime read; a BioReceiver has threads"),
                _ => TransportConfig::receiver_without_effect(attribute),
            },
        )?;
        self.listen = Some(transport.receiver.listen());
        Ok(())
    }

    fn sender(&mut self, element: &Element<'_>) -> Result<()> {
        element.class()?;
        element.attributes(|_, _| None, &[], &[])?;
        for child in element.children() {
            if child.name() != "Transport" {
                bail!("{}: a Sender has no element {}", child.place(), child.name());
            }
            child.class()?;
            let transport = &mut self.transport;
            let without_effect = TransportConfig::transport_without_effect;
            set_all(&child, |attribute, value| transport.set_transport(attribute, value), without_effect)?;
        }
        Ok(())
    }
}

/// Give every attribute to `set`. Unknown ones are warned of, and those that are accepted and do nothing, with the
/// reason.
fn set_all(
    element: &Element<'_>,
    mut set: impl FnMut(&str, &str) -> Result<(), AttributeError>,
    without_effect: impl Fn(&str) -> Option<&'static str>,
) -> Result<()> {
    for attribute in element.raw_attributes() {
        match set(&attribute.name, attribute.value) {
            Ok(()) => {
                if let Some(reason) = without_effect(&attribute.name) {
                    attribute.warn(&format!("has no effect here: {reason}"));
                }
            }
            Err(error @ AttributeError::Unknown { .. }) => attribute.warn(&error.to_string()),
            Err(error) => bail!("{}: {error}", attribute.place()),
        }
    }
    Ok(())
}

fn member(element: &Element<'_>) -> Result<(Peer, Bytes)> {
    member_of(element, false)
}

/// A member and its domain. `local`: host and port are the receiver's, and need not be given.
fn member_of(element: &Element<'_>, local: bool) -> Result<(Peer, Bytes)> {
    element.class()?;
    let (mut host, mut port, mut domain) = (String::new(), 0, Bytes::new());
    // As Tomcat: who has none has sixteen zero bytes.
    let mut unique_id = UniqueId([0; 16]);
    element.attributes(
        |attribute, value| {
            Some(match attribute {
                "host" | "hostname" => value.host().map(|given| host = given),
                "port" => value.port().map(|given| port = given),
                "domain" => value.bytes().map(|given| domain = given),
                "uniqueId" => value.unique_id().map(|given| unique_id = UniqueId(given)),
                _ => return None,
            })
        },
        &["securePort", "udpPort"],
        &["host", "port", "domain", "uniqueId"],
    )?;
    if !local && (host.is_empty() || port == 0) {
        bail!("{}: a member needs host and port", element.place());
    }
    if unique_id == UniqueId([0; 16]) {
        element.warn("has no uniqueId: members with one address are told apart by it, so give each its own");
    }
    Ok((Peer { address: format!("{host}:{port}"), unique_id }, domain))
}

#[cfg(test)]
mod tests;
