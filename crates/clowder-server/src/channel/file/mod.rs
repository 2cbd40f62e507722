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
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clowder::chain::{AttributeError, ChainConfig, LayerConfig};
use clowder::{Multicast, StaticService, Timeouts};

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
    /// The receiver.
    pub(super) listen: Option<Listen>,
    /// Membership by multicast.
    pub(super) multicast: Option<Multicast>,
    /// Membership by the static service, with whom it asks.
    pub(super) service: Option<(StaticService, Vec<Peer>)>,
    /// The transport.
    pub(super) timeouts: Timeouts,
}

/// Where the receiver listens.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listen {
    /// A name or an address; `None`: everywhere.
    host: Option<String>,
    first: u16,
    last: u16,
}

impl Listen {
    /// As `--cluster` has it.
    ///
    /// # Errors
    /// The name has no address.
    pub(super) async fn resolved(&self) -> Result<String> {
        let Listen { host, first, last } = self;
        let Some(host) = host else { return Ok(format!("0.0.0.0:{first}-{last}")) };
        let mut found = tokio::net::lookup_host((host.trim_matches(['[', ']']), *first))
            .await
            .with_context(|| format!("Receiver address=\"{host}\" has no address"))?;
        let address = found.next().with_context(|| format!("Receiver address=\"{host}\" has no address"))?;
        Ok(format!("{address}-{last}"))
    }
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
        for attribute in element.raw_attributes() {
            match layer.set(&attribute.name, attribute.value) {
                Ok(()) => {}
                Err(error @ AttributeError::Unknown { .. }) => attribute.warn(&error.to_string()),
                Err(error) => bail!("{}: {error}", attribute.place()),
            }
        }
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
        element.class()?;
        let (mut host, mut first, mut auto_bind) = (None, 4_000_u16, 100_u16);
        element.attributes(
            |attribute, value| {
                Some(match attribute {
                    "address" | "host" => {
                        host = (value.text() != "auto").then(|| value.text().to_owned());
                        Ok(())
                    }
                    "port" => value.port().map(|port| first = port),
                    "autoBind" => value.number().map(|count: i32| {
                        auto_bind = u16::try_from(count.clamp(1, i32::from(u16::MAX))).unwrap_or(1);
                    }),
                    _ => return None,
                })
            },
            WITHOUT_EFFECT_AT_A_RECEIVER,
            &["address", "port", "autoBind"],
        )?;
        self.listen = Some(Listen { host, first, last: first.saturating_add(auto_bind - 1) });
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
            child.attributes(
                |attribute, value| {
                    Some(match attribute {
                        "timeout" => value.millis().map(|time: Duration| {
                            (self.timeouts.send, self.timeouts.connect) = (time, time);
                        }),
                        "maxRetryAttempts" => value.number().map(|count| self.timeouts.retries_max = count),
                        _ => return None,
                    })
                },
                WITHOUT_EFFECT_AT_A_TRANSPORT,
                &["timeout", "maxRetryAttempts"],
            )?;
        }
        Ok(())
    }
}

/// Settings of Java's sockets, threads and buffers.
const WITHOUT_EFFECT_AT_A_RECEIVER: &[&str] = &[
    "bind",
    "securePort",
    "udpPort",
    "selectorTimeout",
    "timeout",
    "minThreads",
    "maxThreads",
    "maxIdleTime",
    "minTasks",
    "maxTasks",
    "direct",
    "useBufferPool",
    "daemon",
    "rxBufSize",
    "txBufSize",
    "udpRxBufSize",
    "udpTxBufSize",
    "tcpNoDelay",
    "soKeepAlive",
    "ooBInline",
    "soReuseAddress",
    "soLingerOn",
    "soLingerTime",
    "soTrafficClass",
];
const WITHOUT_EFFECT_AT_A_TRANSPORT: &[&str] = &[
    "poolSize",
    "maxWait",
    "keepAliveCount",
    "keepAliveTime",
    "throwOnFailedAck",
    "directBuffer",
    "rxBufSize",
    "txBufSize",
    "udpRxBufSize",
    "udpTxBufSize",
    "tcpNoDelay",
    "soKeepAlive",
    "ooBInline",
    "soReuseAddress",
    "soLingerOn",
    "soLingerTime",
    "soTrafficClass",
];

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
