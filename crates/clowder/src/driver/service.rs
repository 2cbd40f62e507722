//! Messages of the static membership service on their way to the control task.
//!
//! Those in an RPC come by the [hub](crate::rpc) of RPC messages, which reads them all; the plain ones come here.

use std::sync::{Arc, Weak};

use clowder_proto::group::{MemberMessage, ServiceMessage};
use clowder_proto::rpc::{RpcLimits, RpcMessage};
use clowder_proto::wire::{Member, Message, ObjectError, options};

use super::env::{Env, compact};
use crate::{Delivery, Listener};

/// An RPC message, if its id is that of the service: then it goes no further. An error: it does not, and is malformed.
pub(crate) fn take_rpc(env: &Env, from: &Member, message: &RpcMessage) -> Result<bool, ObjectError> {
    if env.control.membership_id().is_none_or(|id| *id != message.rpc_id) {
        return Ok(false);
    }
    let said = ServiceMessage::of_rpc(message, &env.limits.wire)?;
    env.control.service_received(compact(from), said);
    Ok(true)
}

/// It is for the service, and for nobody else.
pub(crate) fn is_message(env: &Env, message: &Message) -> bool {
    let Some(id) = env.control.membership_id() else { return false };
    if message.options & options::BYTE_MESSAGE != 0 {
        return false;
    }
    let of_rpc = || {
        RpcMessage::matches(&message.body)
            && RpcMessage::decode(&message.body, &RpcLimits::default()).is_ok_and(|it| it.rpc_id == *id)
    };
    MemberMessage::matches(&message.body) || of_rpc()
}

/// Takes what is said plainly: a goodbye, mostly.
pub(crate) struct Plain(Weak<Env>);

/// From now on plain messages of the service are heard, if there is one.
pub(crate) fn listen(env: &Arc<Env>) {
    if env.control.membership_id().is_some() {
        env.router.add(Arc::new(Plain(Arc::downgrade(env))));
    }
}

impl Listener for Plain {
    fn accept(&self, message: &Message) -> bool {
        message.options & options::BYTE_MESSAGE == 0 && MemberMessage::matches(&message.body)
    }

    fn received(&self, delivery: Delivery) {
        if let Some(env) = self.0.upgrade() {
            match MemberMessage::decode(delivery.body(), &env.limits.wire) {
                // Of another service: nobody is left who wants it.
                Ok(said) if env.control.membership_id() != Some(&said.membership_id) => {}
                Ok(said) => env.control.service_received(compact(delivery.from()), ServiceMessage::Told(said)),
                Err(error) => {
                    metrics::counter!("clowder_membership_dropped_total", "cause" => "malformed").increment(1);
                    tracing::debug!(from = %delivery.from(), %error, "a message of the membership cannot be read");
                }
            }
        }
        delivery.done();
    }
}
