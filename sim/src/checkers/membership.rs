//! Membership is decided in one place from recorded inputs, and nodes that can reach each other agree.

use clowder_proto::group::{Group, GroupOut};

use crate::node::{Process, picture};
use crate::{Who, World};

/// In the end every process sees exactly the others that run.
pub fn agree(world: &World) -> Result<(), String> {
    let running: Vec<Who> = world.processes().map(|process| process.who).collect();
    for process in world.processes() {
        let count = process.view.len();
        let others = || running.iter().filter(|who| **who != process.who);
        if let Some(unseen) = others().find(|who| !process.sees(**who)) {
            return Err(format!("{:?} does not see {unseen:?}", process.who));
        }
        if count != others().count() {
            return Err(format!("{:?} sees {count} others, some of them dead", process.who));
        }
    }
    Ok(())
}

/// The inputs of each group, told again to a new one, give the same views.
pub fn replay(world: &World) -> Result<(), String> {
    for process in world.processes().chain(&world.buried) {
        let views = views(process);
        if let Some(at) = (0..views.len().max(process.views.len())).find(|at| views.get(*at) != process.views.get(*at))
        {
            let (was, is) = (process.views.get(at), views.get(at));
            return Err(format!("{:?}: view {at} was {was:?}, and again {is:?}", process.who));
        }
    }
    Ok(())
}

fn views(process: &Process) -> Vec<String> {
    let mut group = Group::new(process.group_config.clone(), process.who.member(), process.born);
    let mut views = Vec::new();
    let mut drain = |group: &mut Group| {
        while let Some(out) = group.poll() {
            if let GroupOut::View(update) = out {
                views.push(picture(&update));
            }
        }
    };
    drain(&mut group);
    for (now, input) in &process.inputs {
        input.apply(&mut group, *now);
        drain(&mut group);
    }
    views
}
