//! What a layer of the data plane does.

use std::any::Any;
use std::fmt;
use std::time::{Duration, Instant};

use super::{Above, Arrival, Below, Parcel, Refusal, Rejection};
use crate::Now;
use crate::wire::MemberId;

/// What an interceptor is given with every message.
pub struct Context<'a> {
    /// The time.
    pub now: Now,
    /// Fills a buffer with bytes that nobody can predict.
    pub random: &'a mut dyn FnMut(&mut [u8]),
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("now", &self.now).finish_non_exhaustive()
    }
}

/// Why what is held of a sender is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Some of it was held for long enough.
    Overdue,
    /// The sender is no member any more.
    Left,
}

/// What becomes of a message that a layer was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// It goes on to the next layer, as it is now.
    Pass,
    /// The layer has dealt with it: it holds it, or has passed on others in its place, or itself.
    Taken,
}

/// One layer of the data plane. Called on the tasks of senders and of connections, in parallel: it guards its own state,
/// holds no lock while it passes a message on, and never blocks.
pub trait Interceptor: Any + Send + Sync + fmt::Debug {
    /// For logs and metrics: a short word of lower case letters.
    fn name(&self) -> &'static str;

    /// An outgoing message: change it in its place and let it go on, or give `below` others for it. A message that is
    /// taken and not given to `below` is gone.
    ///
    /// # Errors
    /// It cannot be sent; what the layers below were given already is not sent either.
    fn outbound(&self, cx: &mut Context<'_>, parcel: &mut Parcel, below: &mut Below<'_>) -> Result<Flow, Refusal> {
        let _ = (cx, parcel, below);
        Ok(Flow::Pass)
    }

    /// A received message: change it in its place and let it go on, hold a copy, or reject it. What is given to `above`
    /// comes before one that goes on. One that is taken counts as processed.
    ///
    /// # Errors
    /// It must not be delivered. Counted by kind.
    fn inbound(&self, cx: &mut Context<'_>, arrival: &mut Arrival, above: &mut Above<'_>) -> Result<Flow, Rejection> {
        let _ = (cx, arrival, above);
        Ok(Flow::Pass)
    }

    /// When [`Interceptor::overdue`] is wanted, as far as is known now.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The least time from holding a message to its being overdue; `None`: it holds none.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Bytes of what it holds, as its bounds count them.
    fn held_bytes(&self) -> usize {
        0
    }

    /// Time has passed: forget what was held for too long, and name the senders of which something is to be given out.
    fn overdue(&self, now: Now, senders: &mut Vec<MemberId>) {
        let _ = (now, senders);
    }

    /// Give out, or forget, what is held of `sender`. No message of this sender is handled at the same time.
    fn flush(&self, cx: &mut Context<'_>, sender: &MemberId, why: Flush, above: &mut Above<'_>) {
        let _ = (cx, sender, why, above);
    }

    /// A member of the group is none any more: forget what was kept for sending to it. Nothing is given out here, see
    /// [`Interceptor::flush`].
    fn member_left(&self, member: &MemberId) {
        let _ = member;
    }

    /// It gives out messages of one sender in their order, so that they must be delivered one after the other.
    fn orders(&self) -> bool {
        false
    }

    /// It makes several messages with one id, so that the id alone does not tell a copy.
    fn shares_ids(&self) -> bool {
        false
    }

    /// Its counters, by name. They only grow.
    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// A line for the log, if one became due since the last call.
    fn report(&self, now: Now) -> Option<String> {
        let _ = now;
        None
    }
}
