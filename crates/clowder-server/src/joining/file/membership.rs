//! The element `Membership`: how members are found.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clowder::{Multicast, StaticService};

use super::element::{Attribute, Element};
use super::{ChannelFile, member};

/// A change of the settings of multicast.
type Change = Box<dyn FnOnce(Multicast) -> Multicast>;

const PACKAGE: &str = "org.apache.catalina.tribes.membership.";

impl ChannelFile {
    pub(super) fn membership(&mut self, element: &Element<'_>) -> Result<()> {
        let class = element.class()?;
        match class.strip_prefix(PACKAGE) {
            Some("McastService") => self.multicast(element),
            Some("StaticMembershipService") => self.static_service(element),
            _ => bail!(
                "{}: the membership service {class:?} is not supported; there are McastService and \
                 StaticMembershipService",
                element.place()
            ),
        }
    }

    fn multicast(&mut self, element: &Element<'_>) -> Result<()> {
        let (mut address, mut port) = (IpAddr::from([228, 0, 0, 4]), 45_564);
        let mut domain = Bytes::new();
        // Made when the group is known.
        let mut changes: Vec<Change> = Vec::new();
        element.attributes(
            |attribute, value| {
                match attribute {
                    "address" => return Some(value.address().map(|given| address = given)),
                    "port" => return Some(value.port().map(|given| port = given)),
                    "domain" => return Some(value.bytes().map(|given| domain = given)),
                    _ => {}
                }
                Some(multicast_setting(attribute, value)?.map(|change| changes.push(change)))
            },
            &["soTimeout", "recoveryEnabled", "recoveryCounter"],
            &[
                "address",
                "port",
                "domain",
                "bind",
                "frequency",
                "dropTime",
                "recoverySleepTime",
                "ttl",
                "localLoopbackDisabled",
            ],
        )?;
        if !address.is_multicast() {
            bail!("{}: {address} is no multicast address", element.place());
        }
        if !domain.is_empty() {
            self.domain = domain;
        }
        let multicast = Multicast::new((address, port).into());
        self.multicast = Some(changes.into_iter().fold(multicast, |multicast, change| change(multicast)));
        Ok(())
    }

    fn static_service(&mut self, element: &Element<'_>) -> Result<()> {
        let mut service = StaticService::new(channel_name(element)?);
        let (mut threaded, mut interval) = (false, Duration::from_secs(1));
        element.attributes(
            |attribute, value| {
                let now = service.clone();
                Some(match attribute {
                    "connectTimeout" => value.millis().map(|time| service = now.connect_timeout(time)),
                    "expirationTime" => value.millis().map(|time| service = now.expiration_time(time)),
                    "rpcTimeout" => value.millis().map(|time| service = now.rpc_timeout(time)),
                    "useThread" => value.flag().map(|given| threaded = given),
                    "pingInterval" => value.millis().map(|given| interval = given),
                    _ => return None,
                })
            },
            &[],
            &["connectTimeout", "expirationTime", "rpcTimeout", "useThread", "pingInterval"],
        )?;
        if threaded {
            service = service.ping_interval(interval);
        }
        let mut contacts = Vec::new();
        for child in element.children() {
            match child.name() {
                "Member" => contacts.push(member(&child)?.0),
                "LocalMember" => self.local(&child)?,
                other => bail!("{}: a StaticMembershipService has no element {other}", child.place()),
            }
        }
        self.service = Some((service, contacts));
        Ok(())
    }
}

/// A setting besides the group itself.
fn multicast_setting(attribute: &str, value: &Attribute<'_>) -> Option<Result<Change>> {
    fn change<T: 'static>(given: Result<T>, apply: fn(Multicast, T) -> Multicast) -> Result<Change> {
        given.map(|given| Box::new(move |multicast| apply(multicast, given)) as Box<_>)
    }
    Some(match attribute {
        "bind" | "mcastBindAddress" => change(value.address(), Multicast::interface),
        "frequency" => change(value.millis(), Multicast::frequency),
        "dropTime" | "mcastDropTime" => change(value.millis(), Multicast::drop_time),
        "recoverySleepTime" => change(value.millis(), Multicast::recovery_sleep_time),
        "ttl" => change(value.number().map(|ttl: u8| u32::from(ttl)), Multicast::ttl),
        "localLoopbackDisabled" => change(value.flag(), Multicast::local_loopback_disabled),
        _ => return None,
    })
}

/// Tomcat: `SimpleTcpCluster` names its channel after itself, and itself after the container that it stands in.
fn channel_name(membership: &Element<'_>) -> Result<String> {
    let cluster = membership.ancestor("Cluster");
    let name =
        cluster.as_ref().and_then(|cluster| cluster.attribute("clusterName").or(cluster.parent()?.attribute("name")));
    let name = name.with_context(|| {
        format!(
            "{}: the name of the cluster is not known, which is the name of the service: write clusterName at <Cluster>, \
             or take the service from --static-service NAME",
            membership.place()
        )
    })?;
    Ok(format!("{name}-Channel"))
}
