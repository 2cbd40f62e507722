use super::*;

/// Layers by name, each with attributes: `order optionFlag=512`.
fn layers(text: &[&str]) -> Vec<LayerConfig> {
    text.iter()
        .map(|text| {
            let mut words = text.split_whitespace();
            let mut layer = LayerConfig::named(words.next().unwrap()).unwrap();
            for word in words {
                let (attribute, value) = word.split_once('=').unwrap();
                layer.set(attribute, value).unwrap();
            }
            layer
        })
        .collect()
}

fn checked(text: &[&str]) -> Result<Vec<Warning>, ChainError> {
    check(&ChainConfig { layers: layers(text), option_check: false })
}

fn refused(text: &[&str]) -> String {
    checked(text).expect_err("it cannot work").to_string()
}

fn warnings(text: &[&str]) -> Vec<String> {
    checked(text).expect("it works").into_iter().map(|warning| warning.text).collect()
}

/// In this order there is one warning with `why` in it, and in the other order there is not.
#[track_caller]
fn doubtful(above: &str, below: &str, why: &str) {
    let found = warnings(&[above, below]).into_iter().filter(|text| text.contains(why)).count();
    assert_eq!(found, 1, "{above} above {below}");
    let swapped = warnings(&[below, above]);
    assert!(swapped.iter().all(|text| !text.contains(why)), "{swapped:?}");
}

#[test]
fn the_usual_full_chain_is_fine() {
    let full = [
        "ping",
        "dispatch",
        "throughput",
        "gzip",
        "fragment",
        "encrypt",
        "domain",
        "coordinator",
        "failure-detector",
        "static",
    ];
    assert_eq!(warnings(&full), [""; 0]);
    for usual in [&["dispatch", "failure-detector"][..], &["gzip", "two-phase", "order"], &[]] {
        assert_eq!(warnings(usual), [""; 0]);
    }
}

#[test]
fn what_reads_a_probe_does_not_stand_below_the_detector() {
    for layer in ["encrypt", "fragment", "order", "two-phase"] {
        let error = refused(&["failure-detector", "static", layer]);
        let names = format!("failure-detector above {layer} cannot work");
        assert!(
            error.starts_with(&names) && error.ends_with(&format!("put {layer} above failure-detector")),
            "{error}"
        );
        assert!(checked(&[layer, "failure-detector"]).is_ok());
    }
    // With a flag that no probe has it does not look at it; fragmentation looks at everything.
    for layer in ["order optionFlag=512", "two-phase optionFlag=512", "gzip", "throughput", "domain"] {
        assert!(checked(&["failure-detector", layer]).is_ok(), "{layer}");
    }
    refused(&["failure-detector", "fragment optionFlag=512"]);
    for flagged in ["order optionFlag=512", "two-phase optionFlag=512", "gzip optionFlag=512"] {
        refused(&["failure-detector optionFlag=512", flagged]);
    }
    refused(&["failure-detector", "order optionFlag=2"]);
}

#[test]
fn two_phase_commit_does_not_stand_below_fragmentation() {
    assert!(refused(&["fragment", "order", "two-phase"]).contains("put two-phase above fragment"));
    assert!(checked(&["two-phase", "fragment"]).is_ok());
}

#[test]
fn two_gzips_have_marks_of_their_own() {
    assert!(refused(&["gzip", "gzip compressionMinSize=9"]).contains("have one of them"));
    assert_eq!(warnings(&["gzip", "gzip optionFlag=512"]).len(), 1);
}

#[test]
fn settings_that_cannot_work_are_refused_however_they_were_made() {
    let of = |layer| check(&ChainConfig { layers: vec![layer], option_check: false });
    let fragment = FragmentConfig { max_size: 0, ..FragmentConfig::default() };
    assert!(of(LayerConfig::Fragment(fragment)).unwrap_err().to_string().contains("at least one byte"));
    for option_flag in [0, -256, i32::MIN, 2, 256 | 8] {
        let gzip = GzipConfig { option_flag, ..GzipConfig::default() };
        assert!(of(LayerConfig::Gzip(gzip)).unwrap_err().to_string().contains("256 is the default"), "{option_flag}");
    }
}

#[test]
fn order_above_what_changes_bodies_is_a_fault_of_tomcat() {
    for layer in ["gzip", "fragment", "encrypt"] {
        doubtful("order", layer, "garbles a message to several members");
    }
}

#[test]
fn two_phase_above_gzip_is_a_fault_of_tomcat_if_confirmations_stay_plain() {
    doubtful("two-phase", "gzip compressionMinSize=48", "marks confirmations as compressed");
    assert_eq!(warnings(&["two-phase", "gzip compressionMinSize=47"]), [""; 0]);
}

#[test]
fn compress_then_cut_then_encrypt() {
    doubtful("fragment", "gzip", "one by one");
    doubtful("encrypt", "gzip", "cannot be compressed");
    doubtful("encrypt", "fragment", "anybody can send pieces");
}

#[test]
fn dispatch_stands_on_top() {
    for layer in ["gzip", "fragment", "encrypt", "order"] {
        doubtful(layer, "dispatch", "in the thread of the caller");
    }
    doubtful("two-phase", "dispatch", "confirms asynchronous messages that were not sent yet");
    assert_eq!(warnings(&["ping", "throughput", "dispatch"]), [""; 0]);
}

#[test]
fn what_reads_notices_stands_above_the_configured_members() {
    for layer in ["encrypt", "fragment", "order", "two-phase"] {
        doubtful("static", layer, "do not understand them");
    }
    assert_eq!(warnings(&["failure-detector", "static", "order optionFlag=512"]), [""; 0]);
    let flagged = warnings(&["failure-detector", "static optionFlag=512", "order optionFlag=512"]);
    assert_eq!(flagged.len(), 1);
}

#[test]
fn configured_members_stand_below_detector_and_ping() {
    doubtful("static", "failure-detector", "for alive without a probe");
    doubtful("static", "ping", "does not ping configured members");
    assert!(warnings(&["static"])[0].contains("static without failure-detector"));
}

#[test]
fn ping_stands_above_the_detector() {
    doubtful("failure-detector", "ping", "the detector learns nothing");
}

#[test]
fn coordinators_stand_above_the_detector() {
    for layer in ["coordinator", "simple-coordinator"] {
        doubtful("failure-detector", layer, "do not answer probes");
    }
}

#[test]
fn the_mark_of_gzip_is_nobody_elses() {
    for layer in ["order", "two-phase", "fragment"] {
        let flagged = format!("{layer} optionFlag=768");
        let count = |text: Vec<String>| text.iter().filter(|text| text.contains("uses the bit as its mark")).count();
        assert_eq!((count(warnings(&["gzip", &flagged])), count(warnings(&[&flagged, "gzip"]))), (1, 1));
    }
}

#[test]
fn what_waits_above_order_waits_for_longer_than_order_does() {
    for layer in ["two-phase", "fragment"] {
        let texts = |expire| warnings(&[&format!("{layer} expire={expire}"), "order expire=3000"]);
        assert!(texts(3000).iter().any(|text| text.contains("give the upper one a longer expire")), "{layer}");
        assert_eq!(texts(3001), [""; 0], "{layer}");
    }
}

#[test]
fn a_layer_that_stands_twice_is_doubtful() {
    for layer in ["failure-detector", "ping", "order", "encrypt", "throughput"] {
        assert!(warnings(&[layer, layer]).iter().any(|text| text.contains("it stands twice")), "{layer}");
    }
}

#[test]
fn flags_that_contain_one_another_are_refused_if_asked_for() {
    let check = |text: &[&str]| check(&ChainConfig { layers: layers(text), option_check: true }).map(|_| ());
    // As observed at a Tomcat.
    for refused in [
        &["order optionFlag=512", "two-phase optionFlag=512"][..],
        &["order optionFlag=512", "two-phase optionFlag=768"],
        &["two-phase optionFlag=768", "order optionFlag=512"],
        &["order optionFlag=2"],
        &["order optionFlag=7"],
    ] {
        let error = check(refused).expect_err("flags that contain one another").to_string();
        assert!(error.contains("give each a bit of its own"), "{error}");
    }
    for fine in [
        &["order optionFlag=512", "two-phase optionFlag=1024"][..],
        &["order optionFlag=8"],
        &["order optionFlag=16"],
        &["order optionFlag=10"],
        &["dispatch", "gzip", "order", "two-phase"],
    ] {
        assert_eq!(check(fine), Ok(()), "{fine:?}");
    }
    assert!(checked(&["order optionFlag=512", "two-phase optionFlag=512"]).is_ok(), "only if asked for");
}
