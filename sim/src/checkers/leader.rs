//! Who leads: nobody is told nonsense on the way, and in the end all agree.

use std::collections::BTreeMap;
use std::time::Duration;

use clowder_proto::election::ViewId;
use clowder_proto::wire::MemberId;

use crate::{Who, World};

/// So long after the faults memberships and elections may still find out what is.
const SETTLING: Duration = Duration::from_secs(12);

/// Every view that a process was told holds the process, is in order, and is the same for all who were told its id.
/// After the faults and some time nobody is told of a leader that it does not see. In the end all that run have one
/// view, of exactly those that run.
pub fn check(world: &World) -> Result<(), String> {
    if !world.settings.layers.elects() {
        return Ok(());
    }
    on_the_way(world)?;
    in_the_end(world)
}

fn on_the_way(world: &World) -> Result<(), String> {
    let mut agreed: BTreeMap<ViewId, Vec<&MemberId>> = BTreeMap::new();
    for led in &world.history.led {
        let (who, members) = (led.who, ids(&led.view.members));
        let text = |what: &str| Err(format!("{who:?} was told of {members:?} under {:?}: {what}", led.view.id));
        if !members.contains(&&who.member().id) {
            return text("it is not in it");
        }
        if !members.is_sorted() {
            return text("it is not in order");
        }
        if let Some(other) = led.view.id.and_then(|id| agreed.insert(id, members.clone()))
            && other != members
        {
            return text(&format!("another list with this id is {other:?}"));
        }
        let is_calm = world.history.calm_since.is_some_and(|calm| led.at > calm + SETTLING);
        if is_calm && !led.seen {
            return text("the leader is no member");
        }
    }
    Ok(())
}

fn in_the_end(world: &World) -> Result<(), String> {
    let running: Vec<MemberId> = world.processes().map(|process| process.who.member().id).collect();
    let mut first: Option<(Who, Option<ViewId>)> = None;
    for process in world.processes() {
        let view = process.coordinator.as_ref().and_then(|coordinator| coordinator.view());
        let Some(view) = view else { return Err(format!("{:?} has no leader", process.who)) };
        if !ids(&view.members).into_iter().eq(&running) {
            return Err(format!("{:?} believes in {:?}, and {running:?} run", process.who, view.members));
        }
        let (other, id) = first.get_or_insert((process.who, view.id));
        if *id != view.id {
            return Err(format!("{:?} has view {:?} and {other:?} has {id:?}", process.who, view.id));
        }
    }
    Ok(())
}

fn ids(members: &[clowder_proto::wire::Member]) -> Vec<&MemberId> {
    members.iter().map(|member| &member.id).collect()
}
