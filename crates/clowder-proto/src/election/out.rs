//! What a coordinator asks of its driver and tells it.

use bytes::Bytes;

use super::ViewId;
use crate::wire::{Member, MemberId, WireError};

/// One thing to do, or to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ElectionOut {
    /// Send this body with these options, a fresh message id and the local member as its sender. Exactly one
    /// [`Election::sent`](super::Election::sent) for each destination answers.
    Send {
        /// The destinations; never empty.
        to: Vec<Member>,
        /// See [`wire::options`](crate::wire::options).
        options: i32,
        /// The body.
        body: Bytes,
        /// Names the send in its outcome.
        token: SendToken,
    },
    /// Find out whether this stranger lives, and make it a member if it does.
    /// [`Election::reached`](super::Election::reached) answers.
    Reach(Member),
    /// This is the view now.
    View(AgreedView),
    /// The member that ranks first elects nobody, so this node confirmed the list of members in its place; a Tomcat whose
    /// token was lost does not elect until it is started anew. Worth a warning.
    StoodIn {
        /// Whom the list makes the leader.
        leader: MemberId,
    },
    /// A message was refused: count it, log it at a bounded rate.
    Dropped {
        /// Its sender.
        from: MemberId,
        /// What is wrong with it.
        cause: WireError,
    },
}

/// Names a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendToken(pub u64);

/// What was agreed, as one value: Tomcat has the id apart from the view, so that a reader can see a new one with an
/// old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreedView {
    /// Of the election that it came of; the same at all its members. `None` without elections.
    pub id: Option<ViewId>,
    /// All members, the local one among them, in absolute order.
    pub members: Vec<Member>,
}

impl AgreedView {
    /// The coordinator: the first of the members.
    pub fn leader(&self) -> &Member {
        self.members.first().expect("the local member is always there")
    }
}
