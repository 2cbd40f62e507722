//! Messages of other domains are not for us. Tomcat: `DomainFilterInterceptor`.
//!
//! No protection: the domain is what the sender says of itself.

use bytes::Bytes;

use super::attribute::{AttributeError, parse_bytes, parse_count, parse_int, unknown};
use super::{Above, Arrival, Context, Flow, Interceptor, Rejection};
use crate::wire::Ack;

/// Settings of the layer, under the names of Tomcat's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainConfig {
    /// The only domain whose messages pass. Default empty: those of members without a domain.
    pub domain: Bytes,
    /// Accepted without effect: refused messages are counted, and logged at a bounded rate. Default 100.
    pub log_interval: usize,
    /// Carried for the check of flags only. Default 0.
    pub option_flag: i32,
}

impl Default for DomainConfig {
    fn default() -> Self {
        DomainConfig { domain: Bytes::new(), log_interval: 100, option_flag: 0 }
    }
}

impl DomainConfig {
    pub(super) const NAME: &'static str = "domain";
    pub(super) const KNOWN: &'static [&'static str] = &["domain", "logInterval", "optionFlag"];

    /// Set one of Tomcat's attributes.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "domain" => self.domain = parse_bytes(Self::NAME, attribute, value)?,
            "logInterval" => self.log_interval = parse_count(Self::NAME, attribute, value, 0)?,
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}

/// The layer. Which members are seen is the [`group`](crate::group)'s, by the same domain.
#[derive(Debug)]
pub struct Domain {
    domain: Bytes,
}

impl Domain {
    /// Lets messages of one domain pass.
    pub fn new(config: &DomainConfig) -> Domain {
        Domain { domain: config.domain.clone() }
    }
}

impl Interceptor for Domain {
    fn name(&self) -> &'static str {
        DomainConfig::NAME
    }

    /// Tomcat: drops it in silence, so that the sender is told that all is well.
    fn inbound(&self, _: &mut Context<'_>, arrival: &mut Arrival, _: &mut Above<'_>) -> Result<Flow, Rejection> {
        if arrival.message.from.domain != self.domain {
            return Err(Rejection { interceptor: self.name(), kind: "other_domain", answer: Ack::Ok });
        }
        Ok(Flow::Pass)
    }
}

#[cfg(test)]
mod tests {
    use crate::chain::LayerConfig;
    use crate::chain::tests::node::{Node, configured, delivered, draft, member, rejected};
    use crate::chain::tests::vectors::{unhex_all, vector};
    use crate::wire::{Ack, Limits, Member};

    #[test]
    fn messages_of_other_domains_are_dropped_as_recorded() {
        let vector = vector("domain-filter");
        let node = Node::new(vec![configured(LayerConfig::named("domain").unwrap(), &vector)]);
        let senders = unhex_all(&vector["expected"]["sender_members_hex"]);
        let mut all = Vec::new();
        for (sender, body) in senders.iter().zip(unhex_all(&vector["wire_hex"])) {
            let sender = Member::decode(sender, &Limits::default()).unwrap();
            let sink = node.receive(draft(0, 1, body).into_message(sender));
            all.extend(delivered(&sink));
            if sink.arrivals.is_empty() {
                assert_eq!(rejected(&sink), ["other_domain"]);
                assert_eq!(sink.rejections[0].2.answer, Ack::Ok, "as Tomcat, which drops it in silence");
            }
        }
        assert_eq!(all, unhex_all(&vector["expected"]["delivered_hex"]));
    }

    #[test]
    fn without_a_domain_only_members_without_one_are_heard() {
        let node = Node::new(vec![LayerConfig::named("domain").unwrap()]);
        assert_eq!(delivered(&node.receive_body(1, "x")).len(), 1);
        let mut stranger = member(1);
        stranger.domain = "other".into();
        assert_eq!(rejected(&node.receive(draft(0, 2, "x").into_message(stranger))), ["other_domain"]);
    }

    #[test]
    fn what_is_sent_is_not_looked_at() {
        let node = Node::new(vec![LayerConfig::named("domain").unwrap()]);
        let mut target = member(2);
        target.domain = "other".into();
        assert_eq!(node.send(draft(0, 1, "x"), &[target]).parcels.len(), 1);
    }
}
