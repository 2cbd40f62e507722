//! Which items of a pod list are members. Tomcat: `KubernetesMembershipProvider.parsePods`.

use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use super::super::identity::id_of;

/// What an item says, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) ip: IpAddr,
    pub(super) unique_id: [u8; 16],
    pub(super) running: bool,
    pub(super) ready: bool,
}

/// Why an item is no pod that could be a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Useless {
    NotAPod,
    NoName,
    BadTime,
    BadAddress,
    /// It has no address yet, or ended: usual, and nothing to speak of.
    NotRunning,
}

impl Useless {
    /// A short fixed name, if it is worth a word.
    pub(super) fn label(self) -> Option<&'static str> {
        match self {
            Useless::NotAPod => Some("not_a_pod"),
            Useless::NoName => Some("no_name"),
            Useless::BadTime => Some("bad_creation_time"),
            Useless::BadAddress => Some("bad_address"),
            Useless::NotRunning => None,
        }
    }
}

/// The name of an item, by which changes refer to it.
pub(super) fn name(item: &Value) -> Option<&str> {
    item["metadata"]["name"].as_str().filter(|name| !name.is_empty())
}

/// Tomcat: an item is skipped for the same reasons, but for readiness, which it does not look at.
pub(super) fn read(item: &Value) -> Result<Pod, Useless> {
    let (metadata, status) = (&item["metadata"], &item["status"]);
    if !item.is_object() || item.get("kind").is_some_and(|kind| kind != "Pod") {
        return Err(Useless::NotAPod);
    }
    name(item).ok_or(Useless::NoName)?;
    // Its value does not matter here: no age is taken from it. But who lists the same members looks at it.
    serde_json::from_value::<Time>(metadata["creationTimestamp"].clone()).map_err(|_| Useless::BadTime)?;
    let phase = status["phase"].as_str();
    let running = phase == Some("Running");
    let ip = match status["podIP"].as_str() {
        Some(ip) => ip,
        None if running => return Err(Useless::BadAddress),
        None => return Err(Useless::NotRunning),
    };
    let unique_id = id_of(metadata["uid"].as_str().unwrap_or(ip));
    let ip = ip.parse().map_err(|_| Useless::BadAddress)?;
    // A pod that ended keeps its address in its record for a while, and another one may have it by now.
    if !running && phase != Some("Pending") {
        return Err(Useless::NotRunning);
    }
    let leaves = metadata.get("deletionTimestamp").is_some_and(|time| !time.is_null());
    Ok(Pod { ip, unique_id, running, ready: running && is_ready(status) && !leaves })
}

fn is_ready(status: &Value) -> bool {
    let conditions = status["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Value {
        json!({
            "metadata": {
                "name": "shop-0", "uid": "29cc7dec-cc8d-11e8-943e-02ec8e61afcf",
                "creationTimestamp": "2026-11-20T08:15:30Z"
            },
            "status": {
                "phase": "Running", "podIP": "10.130.140.153",
                "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]
            }
        })
    }

    fn with(pointer: &str, value: Value) -> Result<Pod, Useless> {
        let mut pod = pod();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = pod.pointer_mut(parent).expect("its parent");
        match value {
            Value::Null => drop(parent.as_object_mut().expect("an object").remove(key)),
            value => parent[key] = value,
        }
        read(&pod)
    }

    #[test]
    fn a_pod_is_its_address_and_the_md5_of_its_uid() {
        let pod = read(&pod()).unwrap();
        assert_eq!(pod.ip.to_string(), "10.130.140.153");
        assert_eq!(hex::encode(pod.unique_id), "d978e1ac86f3b45cf52ad45f3a88c050");
        assert!(pod.running && pod.ready);
    }

    #[test]
    fn without_a_uid_the_address_counts() {
        let pod = with("/metadata/uid", Value::Null).unwrap();
        assert_eq!(hex::encode(pod.unique_id), "42ccabb9f9e206624fc401947814cc53");
    }

    #[test]
    fn ipv6_addresses_are_addresses() {
        let pod = with("/status/podIP", json!("2001:db8::7")).unwrap();
        assert_eq!(pod.ip.to_string(), "2001:db8::7");
    }

    #[test]
    fn items_that_are_no_pods_are_skipped() {
        assert_eq!(with("/kind", json!("Service")), Err(Useless::NotAPod));
        assert!(with("/kind", json!("Pod")).is_ok());
        assert_eq!(read(&json!("text")), Err(Useless::NotAPod));
        assert_eq!(with("/metadata/name", Value::Null), Err(Useless::NoName));
        assert_eq!(with("/metadata/name", json!(7)), Err(Useless::NoName));
    }

    #[test]
    fn a_creation_time_that_cannot_be_read_skips_the_pod() {
        for bad in [Value::Null, json!("yesterday"), json!(1_700_000_000), json!("2026-13-40T00:00:00Z")] {
            assert_eq!(with("/metadata/creationTimestamp", bad.clone()), Err(Useless::BadTime), "{bad}");
        }
    }

    #[test]
    fn a_pod_without_a_usable_address_is_skipped() {
        assert_eq!(with("/status/podIP", Value::Null), Err(Useless::BadAddress));
        assert_eq!(with("/status/podIP", json!("shop-0.local")), Err(Useless::BadAddress));
    }

    #[test]
    fn pods_that_ended_are_no_members_and_no_matter() {
        for phase in ["Succeeded", "Failed", "Unknown"] {
            let skipped = with("/status/phase", json!(phase)).unwrap_err();
            assert_eq!((skipped, skipped.label()), (Useless::NotRunning, None), "{phase}");
        }
        let starting = with("/status/phase", json!("Pending")).unwrap();
        assert!(!starting.running && !starting.ready, "known, for the node itself, and no member");
    }

    #[test]
    fn readiness_is_a_condition_and_pods_that_are_deleted_have_none() {
        let conditions = |status: &str| json!([{"type": "Ready", "status": status}]);
        assert!(!with("/status/conditions", conditions("False")).unwrap().ready);
        assert!(!with("/status/conditions", conditions("Unknown")).unwrap().ready);
        assert!(!with("/status/conditions", Value::Null).unwrap().ready);
        assert!(!with("/metadata/deletionTimestamp", json!("2026-11-20T09:00:00Z")).unwrap().ready);
    }
}
