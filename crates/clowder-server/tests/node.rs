//! `clowder node`: what it says, what it serves, how it ends, and what the cluster keeps when it does not end well.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};
use support::{Node, PATIENCE, run, text, until};

#[test]
fn the_sample_application_does_what_its_twin_does() {
    let node = Node::alone();
    let (status, body, cookie) = node.get("?op=get", None);
    assert_eq!((status, body, cookie), (200, json!({ "session": null }), None));
    let (_, body, id) = node.get("", None);
    let id = id.expect("a session");
    assert_eq!(body, json!({ "session": id, "maxInactive": 1800, "attrs": { "count": "java.lang.Integer:1" } }));
    let session = Some(id.as_str());
    for (query, attribute, shown) in [
        ("?op=inc", "count", "java.lang.Integer:2"),
        ("?op=set&name=s&value=a%20b", "s", "java.lang.String:a b"),
        ("?op=set&name=i&value=-7&type=int", "i", "java.lang.Integer:-7"),
        ("?op=set&name=l&value=5000000000&type=long", "l", "java.lang.Long:5000000000"),
        ("?op=set&name=d&value=2.5&type=double", "d", "java.lang.Double:2.5"),
        ("?op=set&name=b&value=true&type=bool", "b", "java.lang.Boolean:true"),
        ("?op=set&name=list&value=a,b&type=list", "list", "java.util.ArrayList:[a, b]"),
        ("?op=set&name=map&value=k%3Dv&type=map", "map", "java.util.HashMap:{k=v}"),
        ("?op=set&name=date&value=0&type=date", "date", "java.util.Date:Thu Jan 01 00:00:00 UTC 1970"),
        (
            "?op=set&name=u&value=00112233-4455-6677-8899-aabbccddeeff&type=uuid",
            "u",
            "java.util.UUID:00112233-4455-6677-8899-aabbccddeeff",
        ),
        ("?op=set&name=dec&value=12.50&type=decimal", "dec", "java.math.BigDecimal:12.50"),
        ("?op=set&name=t&value=2023-11-14T22:13:20Z&type=instant", "t", "java.time.Instant:2023-11-14T22:13:20Z"),
        ("?op=pad&bytes=1000", "pad", "[B:len1000"),
    ] {
        let (status, body, _) = node.get(query, session);
        assert_eq!((status, &body["attrs"][attribute]), (200, &json!(shown)), "{query}");
    }
    let (_, body, _) = node.get("?op=dump", session);
    let names: Vec<&String> = body["attrs"].as_object().unwrap().keys().collect();
    assert!(names.is_sorted() && names.len() == 13, "{names:?}");
    assert_eq!(node.get("?op=remove&name=s", session).1["attrs"]["s"], Value::Null);
    assert_eq!(node.get("?op=maxinactive&value=60", session).1["maxInactive"], 60);
    let (_, body, renewed) = node.get("?op=newid", session);
    let renewed = renewed.expect("a new cookie");
    assert!(renewed != id && body["session"] == json!(renewed) && body["attrs"]["count"] == "java.lang.Integer:2");
    assert_eq!(node.get("?op=invalidate", Some(&renewed)).1, json!({ "session": "invalidated" }));
    assert_eq!(node.get("?op=get", Some(&renewed)).1, json!({ "session": null }));
}

#[test]
fn wrong_requests_are_told_what_is_right() {
    let node = Node::alone();
    for (query, says) in [
        ("?op=fly", "one of inc, set"),
        ("?op=set&name=x", "missing parameter 'value'"),
        ("?op=set&name=x&value=y&type=int", "2147483647"),
        ("?op=set&name=x&value=y&type=colour", "one of int, long"),
        ("?op=pad&bytes=-1", "a number from 0"),
        ("?op=maxinactive&value=soon", "seconds"),
    ] {
        let (status, body, cookie) = node.get(query, None);
        assert_eq!(status, 400, "{query}");
        assert!(body["error"].as_str().is_some_and(|error| error.contains(says)), "{query}: {body}");
        assert_eq!(cookie, None, "{query}");
    }
}

#[test]
fn a_session_is_on_every_node_and_survives_a_kill() {
    for replication in ["sync", "async"] {
        let mut nodes = Node::cluster(3, &["--replication", replication, "--route", "r"]);
        let (_, _, id) = nodes[0].get("?op=set&name=user&value=alice", None);
        let id = id.expect("a session");
        assert!(id.ends_with(".r"), "{id}");
        let user = |node: &Node| node.get("?op=get", Some(&id)).1["attrs"]["user"] == "java.lang.String:alice";
        if replication == "sync" {
            assert!(user(&nodes[1]) && user(&nodes[2]), "there before the answer");
        } else {
            until("the change arrives", || user(&nodes[1]) && user(&nodes[2]));
        }
        nodes[0].process.signal("KILL");
        nodes.remove(0);
        assert_eq!(nodes[0].get("?op=inc", Some(&id)).1["attrs"]["count"], "java.lang.Integer:1");
        until("the survivors go on", || {
            nodes[1].get("?op=get", Some(&id)).1["attrs"]["count"] == "java.lang.Integer:1"
        });
        assert!(user(&nodes[1]));
    }
}

/// The chain may stand in a file, which says what else the channel is made of.
#[test]
fn sessions_go_through_the_chain_that_all_nodes_have() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("channel.xml");
    let interceptor = "org.apache.catalina.tribes.group.interceptors";
    let xml = format!(
        "<Channel><Interceptor className='{interceptor}.GzipInterceptor'/>\
         <Interceptor className='{interceptor}.EncryptInterceptor' encryptionKey='{}'/></Channel>",
        "0a".repeat(16)
    );
    std::fs::write(&file, xml).unwrap();
    let text = format!("gzip,encrypt(encryptionKey={})", "0a".repeat(16));
    let named = |byte: &str, chain: &str| {
        ["--cluster", "127.0.0.1:0", "--id", &byte.repeat(16), "--chain", chain].map(str::to_owned).to_vec()
    };
    let first = Node::start(&named("01", file.to_str().unwrap()));
    let (_, _, id) = first.get("?op=set&name=user&value=alice", None);
    let id = id.expect("a session");
    let mut words = named("02", &text);
    words.extend(["--peer".to_owned(), format!("{}/{}", first.cluster, "01".repeat(16))]);
    let second = Node::start(&words);
    assert_eq!(second.get("?op=get", Some(&id)).1["attrs"]["user"], "java.lang.String:alice");
}

#[test]
fn a_chain_that_cannot_work_is_told_before_anything_starts() {
    let output = run(&["node", "--http", "127.0.0.1:0", "--chain", "zip"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("gzip"), "{}", text(&output.stderr));
    let output = run(&["node", "--http", "127.0.0.1:0", "--chain", "@/nowhere.xml"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot read /nowhere.xml"), "{}", text(&output.stderr));
}

#[test]
fn a_node_that_starts_later_has_all_sessions_when_it_is_ready() {
    let first = Node::start(&["--cluster".into(), "127.0.0.1:0".into(), "--id".into(), "01".repeat(16)]);
    let ids: Vec<String> = (0..50).map(|_| first.get("", None).2.expect("a session")).collect();
    let peer = format!("{}/{}", first.cluster, "01".repeat(16));
    let second = Node::start(&["--cluster".into(), "127.0.0.1:0".into(), "--peer".into(), peer]);
    for id in &ids {
        assert_eq!(second.get("?op=get", Some(id)).1["session"], json!(id));
    }
}

#[test]
fn it_ends_orderly_when_told_to() {
    for signal in ["TERM", "INT"] {
        let mut nodes = Node::cluster(2, &[]);
        nodes[0].process.signal(signal);
        assert_eq!(nodes[0].process.wait().code(), Some(0), "{signal}: {}", nodes[0].process.log());
        until("the other one notices", || nodes[1].process.log().contains(" left "));
    }
    let mut node = Node::start(&["--cluster".into(), "127.0.0.1:0".into(), "--end-with-stdin".into()]);
    node.process.close_stdin();
    assert_eq!(node.process.wait().code(), Some(0), "{}", node.process.log());
}

#[test]
fn what_cannot_start_names_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let fails = |args: &[&str], code: i32, says: &str| {
        let output = run(args, b"");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.contains(says) && output.stdout.is_empty(), "{args:?}: {error}");
    };
    fails(&["node", "--http", &address, "--cluster", "127.0.0.1:0"], 1, "another one with --http");
    fails(&["node", "--http", "127.0.0.1:0", "--cluster", &address], 1, "a port of it free?");
    fails(&["node", "--http", "192.0.2.1:0"], 1, "does not have the address");
    fails(&["node", "--http", "here"], 2, "invalid socket address");
    fails(&["node", "--cluster", "127.0.0.1"], 2, "port is missing");
    fails(&["node", "--id", "01"], 2, "32 hexadecimal digits");
    fails(&["node", "--peer", "127.0.0.1:4000"], 2, "id is missing");
    fails(&["node", "--multicast", "10.0.0.1:4000"], 2, "not a multicast address");
    fails(&["node", "--multicast-interface", "127.0.0.1"], 2, "--multicast");
    fails(&["node", "--context", "app"], 2, "begins with a slash");
    fails(&["node", "--replication", "maybe"], 2, "sync");
    fails(&["--log", "a=b=c", "node"], 2, "no filter");
    fails(&["fly"], 2, "unrecognized subcommand");
}

#[test]
fn hints_for_nodes_that_are_alone() {
    let node = Node::alone();
    until("a hint", || node.process.log().contains("this node is alone"));
    let nobody = format!("127.0.0.1:1/{}", "09".repeat(16));
    let node = Node::start(&["--cluster".into(), "127.0.0.1:0".into(), "--peer".into(), nobody.clone()]);
    until("a warning", || node.process.log().contains(&format!("peer {nobody} cannot be reached")));
}

#[test]
fn garbage_on_the_cluster_port_harms_nobody() {
    let nodes = Node::cluster(2, &[]);
    let (_, _, id) = nodes[0].get("", None);
    let id = id.expect("a session");
    for _ in 0..20 {
        let mut stranger = TcpStream::connect(nodes[1].cluster).unwrap();
        stranger.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be closed before all is written.
        let _ = stranger.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut answer = Vec::new();
        // Closed, with or without a reset.
        let _ = stranger.read_to_end(&mut answer);
        assert_eq!(answer, b"", "nothing is said to strangers");
        assert_eq!(nodes[0].get("", Some(&id)).0, 200);
    }
    assert_eq!(nodes[1].get("?op=get", Some(&id)).1["attrs"]["count"], "java.lang.Integer:21");
    let log = nodes[1].process.log();
    assert_eq!(log.matches("start marker").count(), 1, "one line for a peer and minute:\n{log}");
}

#[test]
fn help_and_version() {
    let version = text(&run(&["--version"], b"").stdout);
    assert_eq!(version.trim(), concat!("clowder ", env!("CARGO_PKG_VERSION")));
    for (args, part) in [
        (&["--help"][..], "clowder demo"),
        (&["node", "--help"], "--peer 10.0.0.2:4000/0202"),
        (&["bench", "--help"], "closed loops"),
        (&["bench", "channel", "--help"], "raw-pingpong"),
        (&["decode", "--help"], "@capture.bin"),
        (&["demo", "--help"], "Ctrl-C"),
    ] {
        let output = run(args, b"");
        assert!(output.status.success() && text(&output.stdout).contains(part), "{args:?}: {}", text(&output.stdout));
    }
}
