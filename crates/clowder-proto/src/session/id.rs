//! Session ids: Tomcat's format, routes, and the two hashes that depend on an id.

use super::JavaStr;

/// An id of Tomcat's form: the bytes in upper-case hexadecimal, then `.route` if there is a route.
///
/// `random` decides who can guess the id: it must come from the system's secure generator. Tomcat takes 16 bytes.
pub fn session_id(random: &[u8], route: Option<&str>) -> JavaStr {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut id = String::with_capacity(random.len() * 2 + 1 + route.map_or(0, str::len));
    for byte in random {
        id.push(char::from(DIGITS[usize::from(byte >> 4)]));
        id.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
    }
    if let Some(route) = route.filter(|route| !route.is_empty()) {
        id.push('.');
        id.push_str(route);
    }
    JavaStr::from(id.as_str())
}

/// The id under which this node, with route `local`, serves a session that a client names `id`: the part before the
/// first dot with the own route. `None`: nothing to change.
///
/// Tomcat: JvmRouteBinderValve - the route is everything behind the first dot, which must not be at the beginning.
pub fn rerouted(id: &str, local: &str) -> Option<String> {
    let (base, requested) = id.split_once('.')?;
    (!base.is_empty() && !local.is_empty() && requested != local).then(|| format!("{base}.{local}"))
}

/// The part that no route changes.
pub(super) fn base(id: &[u8]) -> &[u8] {
    match id.iter().position(|byte| *byte == b'.') {
        Some(dot) if dot > 0 => &id[..dot],
        _ => id,
    }
}

/// Order key of a session's messages: messages with one key keep their order at every receiver.
pub(super) fn lane(id: &[u8]) -> u64 {
    mix(id.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// Weight of a node for a session in rendezvous hashing: the node with the greatest weight acts.
pub(super) fn weight(id: &[u8], node: u32) -> u64 {
    mix(lane(base(id)) ^ u64::from(node).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The finalizer of splitmix64: every input bit reaches every output bit.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_tomcats_form() {
        assert_eq!(session_id(&[0xeb, 0x27, 0x0a], None).to_text(), "EB270A");
        assert_eq!(session_id(&[0x00, 0xff], Some("tc1")).to_text(), "00FF.tc1");
        assert_eq!(session_id(&[0x00, 0xff], Some("")).to_text(), "00FF");
        assert_eq!(session_id(&[7; 16], None).as_bytes().len(), 32);
    }

    #[test]
    fn a_foreign_route_is_replaced_by_the_own() {
        assert_eq!(rerouted("AB.tc1", "tc2").as_deref(), Some("AB.tc2"));
        assert_eq!(rerouted("AB.tc1.x", "tc1").as_deref(), Some("AB.tc1"));
        assert_eq!(rerouted("AB.tc2", "tc2"), None);
        assert_eq!(rerouted("AB", "tc2"), None);
        assert_eq!(rerouted(".tc1", "tc2"), None);
        assert_eq!(rerouted("AB.tc1", ""), None);
    }

    #[test]
    fn the_acting_node_stays_the_same_when_the_route_changes() {
        assert_eq!(weight(b"AB.tc1", 5), weight(b"AB.tc2", 5));
        assert_ne!(weight(b"AB", 5), weight(b"AB", 6));
    }
}
