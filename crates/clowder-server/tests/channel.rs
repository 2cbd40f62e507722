//! `clowder channel`: two processes that talk to each other, and what they say about it.

#![allow(clippy::unwrap_used)] // in tests a panic is the right report

mod support;

use std::net::TcpListener;
use std::process::Output;

use serde_json::{Value, json};
use support::{Process, run, text, until};

/// `channel listen` that is ready.
struct Listener {
    process: Process,
    /// As `--to` and `--peer` take it.
    name: String,
}

impl Listener {
    fn start(args: &[&str]) -> Listener {
        let mut all = vec!["channel".to_owned(), "listen".to_owned()];
        if !args.contains(&"--chain") || !args.iter().any(|arg| arg.ends_with(".xml")) {
            all.extend(["--cluster".to_owned(), "127.0.0.1:0".to_owned()]);
        }
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let process = Process::start(&all);
        let ready: Value = serde_json::from_str(&process.line()).unwrap();
        assert_eq!(ready["event"], "ready", "{ready}");
        let name = ready["member"].as_str().unwrap().to_owned();
        assert_eq!(name, format!("{}/{}", ready["cluster"].as_str().unwrap(), ready["id"].as_str().unwrap()));
        Listener { process, name }
    }

    /// The next event of this kind; others are passed over.
    fn event(&self, kind: &str) -> Value {
        let line = self.process.lines_until(&format!("{{\"event\":\"{kind}\"")).pop().unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn summary(mut self) -> Value {
        self.process.signal("TERM");
        let summary = self.event("summary");
        assert_eq!(self.process.wait().code(), Some(0), "{}", self.process.log());
        summary
    }
}

fn send(args: &[&str], input: &[u8]) -> Output {
    let mut all = vec!["--log", "warn", "channel", "send"];
    all.extend(args);
    run(&all, input)
}

/// Its lines, and whether it ended with success.
fn outcomes(args: &[&str]) -> (Vec<Value>, bool) {
    let output = send(args, b"");
    let lines = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (lines, output.status.success())
}

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

#[test]
fn a_message_arrives_and_both_sides_say_the_same_of_it() {
    let listener = Listener::start(&["--id", &"01".repeat(16)]);
    for (options, bits, outcome) in
        [("6", 7, "acknowledged"), ("use_ack", 3, "acknowledged"), ("0", 1, "written"), ("10", 11, "acknowledged")]
    {
        let (lines, ok) = outcomes(&["--to", &listener.name, "--text", "hello", "--options", options]);
        let line = json!({
            "message": 0, "member": listener.name, "options": bits, "size": 5, "sha256": HELLO, "outcome": outcome
        });
        assert_eq!((lines, ok), (vec![line], true), "{options}");
        let event = listener.event("message");
        assert_eq!((&event["options"], &event["size"], &event["sha256"]), (&json!(bits), &json!(5), &json!(HELLO)));
        assert_eq!((&event["text"], event["id"].as_str().map(str::len)), (&json!("hello"), Some(32)));
    }
    let summary = listener.summary();
    assert_eq!((&summary["received"], &summary["bytes"]), (&json!(4), &json!(20)));
}

#[test]
fn numbered_messages_of_several_senders_are_all_there() {
    let listener = Listener::start(&[]);
    for (size, options) in [("0", "6"), ("1", "2"), ("1000", "8"), ("100000", "6")] {
        let args = ["--to", &listener.name, "--size", size, "--options", options, "--count", "20", "--parallel", "3"];
        let (lines, ok) = outcomes(&args);
        let mut sent: Vec<&Value> = lines.iter().map(|line| &line["sha256"]).collect();
        let events: Vec<Value> = (0..20).map(|_| listener.event("message")).collect();
        let mut received: Vec<&Value> = events.iter().map(|event| &event["sha256"]).collect();
        sent.sort_by_key(|sha| sha.as_str());
        received.sort_by_key(|sha| sha.as_str());
        assert!(ok && sent == received, "{size}: {lines:?}");
        assert!(events.iter().all(|event| size.len() < 4 || event["numbered"]["intact"] == true), "{events:?}");
    }
    let summary = listener.summary();
    let expected = json!({
        "event": "summary", "received": 80, "bytes": 2_020_020, "refused": 0, "lost": 0, "repeated": 0, "overtaken": 0,
        "damaged": 0
    });
    assert_eq!(summary, expected);
}

#[test]
fn bodies_too_short_for_a_number_are_not_missed() {
    let listener = Listener::start(&[]);
    let sizes = ["--size", "1000", "--size", "0", "--size", "19", "--size", "20"];
    assert!(outcomes(&[&["--to", &listener.name, "--count", "3"], &sizes[..]].concat()).1);
    let summary = listener.summary();
    assert_eq!((&summary["received"], &summary["lost"]), (&json!(12), &json!(0)), "{summary}");
}

#[test]
fn what_was_lost_damaged_or_repeated_is_counted() {
    let listener = Listener::start(&[]);
    // Number 2 of a lane, with its checksum; then the same again, then with another byte.
    let mut body = b"CWN1\0\0\0\0aaaabbbb\0\0\0\x02tail".to_vec();
    let sum = [0x0e, 0x05, 0x3c, 0xec];
    body[4..8].copy_from_slice(&sum);
    let mut damaged = body.clone();
    damaged[23] ^= 1;
    for body in [&body, &body, &damaged] {
        assert!(send(&["--to", &listener.name, "-"], body).status.success());
        let event = listener.event("message");
        assert_eq!(event["numbered"]["intact"], json!(body != &damaged), "{event}");
    }
    let summary = listener.summary();
    let counts = ["lost", "repeated", "damaged", "overtaken"].map(|name| summary[name].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 1, 0]);
}

#[test]
fn bodies_come_from_files_and_standard_input_and_are_shown_on_demand() {
    let listener = Listener::start(&["--body"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("body");
    std::fs::write(&path, b"\x00\xff").unwrap();
    assert!(send(&["--to", &listener.name, &format!("@{}", path.display())], b"").status.success());
    let event = listener.event("message");
    assert_eq!((&event["hex"], event.get("text")), (&json!("00ff"), None));
    let long = "line\n".repeat(100);
    assert!(send(&["--to", &listener.name, "-"], long.as_bytes()).status.success());
    assert_eq!(listener.event("message")["text"], json!(long));
}

#[test]
fn who_fails_is_named_and_the_exit_code_tells() {
    let failing = Listener::start(&["--fail"]);
    let good = Listener::start(&[]);
    let nobody = {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        format!("{port}/{}", "09".repeat(16))
    };
    let (lines, ok) = outcomes(&["--to", &failing.name, "--to", &good.name, "--to", &nobody, "--text", "x"]);
    let outcome = |member: &str| {
        let line = lines.iter().find(|line| line["member"] == member).unwrap();
        (line["outcome"].as_str().unwrap(), line["reason"].as_str())
    };
    assert!(!ok && lines.len() == 3);
    assert_eq!(outcome(&good.name), ("acknowledged", None));
    assert_eq!(outcome(&failing.name), ("failed", Some("the receiver's listener failed")));
    assert_eq!(outcome(&nobody), ("failed", Some("cannot connect")));
}

#[test]
fn the_time_to_wait_for_an_acknowledgement_is_the_one_given_and_not_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.xml");
    let transport = "<Transport className=\"t\" timeout=\"3600000\"/>";
    std::fs::write(&path, format!("<Channel>\n<Sender className=\"s\">{transport}</Sender>\n</Channel>")).unwrap();
    // The system takes connections and bytes for it; nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("{}/{}", silent.local_addr().unwrap(), "09".repeat(16));
    let chain = path.to_str().unwrap();
    let (lines, ok) = outcomes(&["--to", &name, "--text", "x", "--chain", chain, "--timeout", "0.1"]);
    assert!(!ok && lines.len() == 1, "{lines:?}");
    assert_eq!((&lines[0]["outcome"], &lines[0]["reason"]), (&json!("failed"), &json!("no answer in time")));
}

#[test]
fn who_joins_and_leaves_is_told_with_the_reason() {
    let id = "0a".repeat(16);
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let peer = format!("{reserved}/{id}");
    let watcher = Listener::start(&["--peer", &peer, "--id", &"0b".repeat(16)]);
    let args = ["--peer", &watcher.name, "--id", &id, "--domain", "red", "--cluster", &reserved];
    let start = || {
        let mut all = vec!["channel".to_owned(), "listen".to_owned()];
        all.extend(args.map(str::to_owned));
        Process::start(&all)
    };
    let mut member = start();
    let joined = watcher.event("joined");
    assert_eq!(joined["member"], json!(peer));
    assert!(member.lines_until("joined").pop().unwrap().contains(&watcher.name));
    member.signal("INT");
    assert_eq!(watcher.event("left"), json!({ "event": "left", "member": peer, "reason": "said goodbye" }));
    assert_eq!(member.wait().code(), Some(0));
    let member = start();
    watcher.event("joined");
    member.signal("KILL");
    let left = watcher.event("left");
    assert!(left["reason"].as_str().unwrap().starts_with("dead: "), "{left}");
}

#[test]
fn who_leads_is_told_with_a_coordinator() {
    let listener = Listener::start(&["--chain", "coordinator"]);
    let event = listener.event("leader");
    assert_eq!((&event["member"], &event["self"]), (&json!(listener.name), &json!(true)));
    assert_eq!(event["members"], json!([listener.name]));
    assert_eq!(event["view_id"].as_str().map(str::len), Some(32));
    listener.summary();
}

#[test]
fn without_receivers_a_message_goes_to_all_members() {
    let listeners = [Listener::start(&[]), Listener::start(&[])];
    let (lines, ok) = outcomes(&["--peer", &listeners[0].name, "--peer", &listeners[1].name, "--text", "all"]);
    assert!(ok && lines.len() == 2, "{lines:?}");
    for listener in &listeners {
        assert_eq!(listener.event("message")["text"], "all");
    }
    let output = send(&["--text", "nobody"], b"");
    assert!(output.status.code() == Some(1) && text(&output.stderr).contains("no other member"));
}

#[test]
fn both_ends_have_the_chain_that_was_given() {
    let chain = "failure-detector(connectTimeout=500),static,domain(domain={114,101,100})";
    let listener = Listener::start(&["--chain", chain, "--domain", "red"]);
    let to = ["--to", &listener.name, "--text", "x"];
    assert!(outcomes(&[&to[..], &["--chain", chain, "--domain", "red"]].concat()).1);
    assert_eq!(listener.event("message")["text"], "x");
    // Not delivered, which its sender does not learn, as with Tomcat.
    assert!(outcomes(&[&to[..], &["--domain", "blue"]].concat()).1);
    let refused = listener.event("refused");
    assert_eq!(refused["interceptor"], "domain", "{refused}");
    let summary = listener.summary();
    assert_eq!((&summary["received"], &summary["refused"]), (&json!(1), &json!(1)));
}

#[test]
fn a_leader_is_told_whenever_it_changes() {
    for coordinator in ["coordinator", "simple-coordinator"] {
        let chain = format!("{coordinator},failure-detector,static");
        // The first in absolute order leads: by address, then port, then id.
        let mut ports: Vec<_> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        ports.sort_by_key(|port| port.local_addr().unwrap().port());
        let names: Vec<String> = ports
            .iter()
            .zip(["0d", "0c"])
            .map(|(port, id)| format!("{}/{}", port.local_addr().unwrap(), id.repeat(16)))
            .collect();
        drop(ports);
        let start = |own: usize| {
            let (address, id) = names[own].split_once('/').unwrap();
            let args =
                ["channel", "listen", "--cluster", address, "--id", id, "--peer", &names[1 - own], "--chain", &chain];
            let process = Process::start(&args.map(str::to_owned));
            process.lines_until("ready");
            Listener { process, name: names[own].clone() }
        };
        let (first, second) = (start(0), start(1));
        let agreed = |listener: &Listener, leader: &str, members: usize| loop {
            let event = listener.event("leader");
            if event["members"].as_array().unwrap().len() == members {
                assert_eq!((&event["member"], &event["self"]), (&json!(leader), &json!(listener.name == leader)));
                return;
            }
        };
        agreed(&first, &names[0], 2);
        agreed(&second, &names[0], 2);
        first.process.signal("KILL");
        agreed(&second, &names[1], 1);
    }
}

#[test]
fn questions_are_shown_and_answered_with_themselves() {
    let listener = Listener::start(&["--rpc-id", "echo", "--reply", "--rpc-id", "other"]);
    let ask = |id: &str, more: &[&str]| {
        let args = ["--log", "error", "channel", "rpc", "--to", &listener.name, "--rpc-id", id, "--text", "why?"];
        let output = run(&[&args[..], more].concat(), b"");
        let line: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        (line, output.status.code())
    };
    let expected =
        json!({ "member": listener.name, "outcome": "answered", "class": "java.lang.String", "text": "why?" });
    for mode in ["all", "first", "majority"] {
        assert_eq!(ask("echo", &["--mode", mode]), (expected.clone(), Some(0)));
        let question = listener.event("question");
        assert_eq!((&question["rpc_id"], &question["text"]), (&json!("echo"), &json!("why?")), "{question}");
    }
    let (line, code) = ask("nobody", &[]);
    assert_eq!((&line["outcome"], code), (&json!("no-channel"), Some(0)), "all who have it answered: {line}");
    let silent = Listener::start(&["--rpc-id", "echo"]);
    let args = ["channel", "rpc", "--to", &silent.name, "--rpc-id", "echo", "--text", "x", "--timeout", "0.1"];
    let output = run(&args, b"");
    assert!(output.status.code() == Some(1) && text(&output.stdout).contains("timed-out"), "{}", text(&output.stderr));
    assert_eq!(silent.event("question")["text"], "x");
}

#[test]
fn answers_that_nobody_waits_for_are_shown_on_demand() {
    let listeners = [(); 2].map(|()| Listener::start(&["--rpc-id", "echo", "--reply"]));
    let [first, second] = [0, 1].map(|index: usize| listeners[index].name.as_str());
    let args = ["channel", "rpc", "--to", first, "--to", second, "--rpc-id", "echo", "--text", "why?"];
    let more = ["--mode", "first", "--left-over", "600"];
    let mut asker = Process::start(&[&args[..], &more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>());
    let lines = [(); 3].map(|()| serde_json::from_str::<Value>(&asker.line()).unwrap());
    let mut outcomes = lines.each_ref().map(|line| line["outcome"].as_str().unwrap());
    assert_eq!(outcomes[2], "left-over", "{lines:?}");
    let late = lines.iter().find(|line| line["outcome"] == "not-awaited").unwrap();
    assert_eq!((&lines[2]["member"], &lines[2]["text"]), (&late["member"], &json!("why?")));
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["answered", "left-over", "not-awaited"]);
    asker.signal("TERM");
    assert_eq!(asker.wait().code(), Some(0), "{}", asker.log());
}

#[test]
fn told_to_end_it_sends_no_more_and_tells_what_became_of_everything() {
    let listener = Listener::start(&[]);
    let args = ["channel", "send", "--to", &listener.name, "--size", "100", "--count", "1000000", "--parallel", "3"];
    let mut sender = Process::start(&args.map(str::to_owned));
    assert!(sender.line().contains("acknowledged"));
    sender.signal("TERM");
    assert_eq!(sender.wait().code(), Some(1));
    assert!(sender.log().contains("SIGTERM: not everything was sent; 0 of"), "{}", sender.log());
    let told = 1 + sender.rest().iter().filter(|line| line.contains("\"acknowledged\"")).count();
    assert_eq!(listener.summary()["received"], json!(told));
}

#[test]
fn members_are_found_by_asking() {
    let first = Listener::start(&["--static-service", "shop-Channel"]);
    let second = Listener::start(&["--static-service", "shop-Channel", "--peer", &first.name]);
    assert_eq!(second.event("joined")["member"], json!(first.name));
    assert_eq!(first.event("joined")["member"], json!(second.name));
    let foreign = Listener::start(&["--static-service", "other-Channel", "--peer", &first.name]);
    let summary = foreign.summary();
    assert_eq!(summary["received"], 0);
}

#[test]
fn a_channel_element_configures_a_channel() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.xml");
    let package = "org.apache.catalina.tribes.group.interceptors.";
    let id = format!("{{{}}}", ["7"; 16].join(","));
    let element = format!(
        "<Channel>\n<Receiver className=\"r\" address=\"127.0.0.1\" port=\"0\" autoBind=\"1\" maxThreads=\"6\"/>\n\
         <Interceptor className=\"{package}TcpFailureDetector\" conectTimeout=\"5\"/>\n\
         <Interceptor className=\"{package}StaticMembershipInterceptor\">\
         <LocalMember className=\"m\" uniqueId=\"{id}\"/></Interceptor>\n</Channel>"
    );
    std::fs::write(&path, element).unwrap();
    let path = path.to_str().unwrap();
    let listener = Listener::start(&["--chain", path]);
    assert!(listener.name.starts_with("127.0.0.1:") && listener.name.ends_with(&"07".repeat(16)), "{}", listener.name);
    for warning in ["server.xml:2:", "attribute maxThreads has no effect", "server.xml:3:", "\"conectTimeout\""] {
        until(warning, || listener.process.log().contains(warning));
    }
    assert!(outcomes(&["--to", &listener.name, "--text", "x", "--chain", "failure-detector,static"]).1);
    let output = send(&["--text", "x", "--chain", "@nothing.xml"], b"");
    assert!(output.status.code() == Some(1) && text(&output.stderr).contains("cannot read nothing.xml"));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut listener = Listener::start(&[]);
    listener.process.close_stdout();
    // The first one may still be in the pipe.
    while outcomes(&["--to", &listener.name, "--text", "x", "--options", "0"]).1 {}
    assert_eq!(listener.process.wait().code(), Some(0));
    let log = listener.process.log();
    assert!(!log.contains("error") && !log.contains("panicked"), "{log}");
}

#[test]
fn wrong_usage_is_told_what_is_right() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let fails = |args: &[&str], code: i32, says: &str| {
        let mut all = vec!["channel"];
        all.extend(args);
        let output = run(&all, b"");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.contains(says) && output.stdout.is_empty(), "{args:?}: {error}");
    };
    fails(&["listen", "--cluster", &address], 1, "a port of it free?");
    fails(&["listen", "--chain", "gzp"], 2, "character 1: no layer is called");
    fails(&["listen", "--chain", "order(expire=soon)"], 2, "character 7: order: expire=");
    fails(&["listen", "--id", "01"], 2, "32 hexadecimal digits");
    fails(&["send", "--text", "x", "--to", "here"], 2, "id is missing");
    fails(&["send", "--text", "x", "--options", "fast"], 2, "use_ack,sync");
    fails(&["send", "--text", "x", "--size", "1"], 2, "cannot be used with");
    fails(&["send", "file.bin"], 2, "@file.bin");
    fails(&["send"], 1, "nothing to send");
    fails(&["send", "@/nonexistent"], 1, "cannot read /nonexistent");
    fails(&[], 2, "Usage");
    for (args, part) in [
        (&["channel", "--help"][..], "as netcat does"),
        (&["channel", "listen", "--help"], "\"numbered\""),
        (&["channel", "send", "--help"], "Exit code 1"),
    ] {
        let output = run(args, b"");
        assert!(output.status.success() && text(&output.stdout).contains(part), "{args:?}");
    }
}

#[test]
fn datagrams_go_to_the_port_for_them_and_to_the_group() {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let group = format!("228.0.0.4:{port}");
    let multicast = ["--multicast", &group, "--multicast-interface", "127.0.0.1"];
    let udp = Listener::start(&[&multicast[..], &["--udp", "127.0.0.1:0"]].concat());
    for (options, bits, outcome) in [("udp,use_ack,sync", 39, "acknowledged"), ("multicast,use_ack", 67, "written")] {
        let sending = ["--cluster", "127.0.0.1:0", "--size", "1000", "--options", options];
        let (lines, ok) = outcomes(&[&sending[..], &multicast].concat());
        assert!(ok, "{lines:?}");
        assert_eq!((&lines[0]["outcome"], &lines[0]["member"]), (&json!(outcome), &json!(udp.name)));
        assert_eq!(udp.event("message")["options"], json!(bits));
    }
    let summary = udp.summary();
    assert_eq!((&summary["received"], &summary["damaged"]), (&json!(2), &json!(0)));
}
