//! Whom a command sends to: the members that it names, or all.

use anyhow::{Result, bail};
use clowder::{Channel, Member};

use crate::cli::{EndArgs, Peer};
use crate::cluster;

/// Any address, so that receivers anywhere can answer; any free port.
pub(super) const CLUSTER: &str = "0.0.0.0:0";

/// The targets are expected members too, so that they and this one know each other if they name it.
pub(super) fn joining(end: &EndArgs, to: &[Peer]) -> EndArgs {
    let mut joining = end.clone();
    let new = to.iter().filter(|peer| !end.member.peers.contains(peer));
    joining.member.peers.extend(new.cloned());
    joining
}

/// With what is known of those who are members, when the first view is there.
///
/// # Errors
/// A name cannot be resolved, or there is nobody.
pub(super) async fn of(to: &[Peer], channel: &Channel) -> Result<Vec<Member>> {
    channel.settled().await;
    let view = channel.view();
    if to.is_empty() {
        if view.members().is_empty() {
            bail!("there is no other member: name receivers with --to, or find members with --peer or --multicast");
        }
        return Ok(view.others());
    }
    let mut targets = Vec::new();
    for peer in to {
        let member = cluster::member(peer).await?;
        let member = Member::new(member.addr, member.unique_id);
        targets.push(view.get(&member.id).cloned().unwrap_or(member));
    }
    Ok(targets)
}
