//! One checker for each promise. Most look at a world when its run is over; some also watch on the way.

pub mod attributes;
pub mod bounds;
pub mod commit;
pub mod copies;
pub mod durability;
pub mod endings;
pub mod genuine;
pub mod held;
pub mod leader;
pub mod membership;
pub mod order;
pub mod outcomes;
pub mod sequence;

use crate::World;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which checker says so.
    pub checker: &'static str,
    /// What it saw.
    pub what: String,
}

/// A checker, by name.
pub type Checker = (&'static str, fn(&World) -> Result<(), String>);

/// All checkers of a finished run.
pub const ALL: &[Checker] = &[
    ("outcomes", outcomes::check),
    ("order", order::check),
    ("sequence", sequence::check),
    ("commit", commit::check),
    ("copies", copies::check),
    ("genuine", genuine::check),
    ("held", held::check),
    ("durability", durability::check),
    ("attributes", attributes::check),
    ("endings", endings::check),
    ("leader", leader::check),
    ("membership", membership::agree),
    ("replay", membership::replay),
];

/// What all checkers say about a finished run: the first violation of each.
pub fn violations(world: &World) -> Vec<Violation> {
    let on_the_way = world.history.violations.iter().map(|(checker, what)| Violation { checker, what: what.clone() });
    let at_the_end = ALL.iter().filter_map(|(checker, check)| {
        let what = check(world).err()?;
        Some(Violation { checker, what })
    });
    on_the_way.take(1).chain(at_the_end).collect()
}
