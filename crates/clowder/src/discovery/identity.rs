//! The ids that Tomcat gives the members of a cloud. A Clowder node beside them computes the same.

use std::net::IpAddr;

use clowder_proto::wire::{Member, MemberId};
use md5::{Digest, Md5};

/// Tomcat: `CloudMembershipProvider` and its descendants: MD5 of the ASCII bytes of a pod's uid, or of an address.
pub(crate) fn id_of(text: &str) -> [u8; 16] {
    Md5::digest(text.as_bytes()).into()
}

/// An address as Java writes it: eight groups, none of them left out, where Rust writes `::`.
pub(crate) fn java_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => ip.segments().map(|group| format!("{group:x}")).join(":"),
    }
}

/// The member at this address whose id follows from the address alone.
pub(crate) fn by_address(ip: IpAddr, port: u16) -> MemberId {
    Member::new((ip, port).into(), id_of(&java_text(ip))).id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(name: &str) -> (String, String) {
        let all: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../../../vectors/transport.json")).expect("the vectors are JSON");
        let vector = all.iter().find(|vector| vector["name"] == name).expect("the vector");
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        (text(&vector["fields"]["input"]), text(&vector["hex"]))
    }

    #[test]
    fn ids_in_a_cloud_are_tomcats() {
        let (uid, id) = vector("cloud-unique-id-kubernetes");
        assert_eq!(hex::encode(id_of(&uid)), id);
        let (address, id) = vector("cloud-unique-id-dns");
        assert_eq!(hex::encode(by_address(address.parse().unwrap(), 4000).unique_id), id);
    }

    #[test]
    fn addresses_are_written_as_java_does() {
        let text = |ip: &str| java_text(ip.parse().unwrap());
        assert_eq!(text("10.1.0.255"), "10.1.0.255");
        assert_eq!(text("2001:DB8::a:1"), "2001:db8:0:0:0:0:a:1");
        assert_eq!(text("::1"), "0:0:0:0:0:0:0:1");
    }
}
