//! The key of `encrypt`: SIGHUP brings new ones from the file with the chain.

#![allow(clippy::unwrap_used)] // in tests a panic is the right report

mod support;

use serde_json::{Value, json};
use support::{Process, run, text, until};

const OLD: &str = "00112233445566778899aabbccddeeff";
const NEW: &str = "ffeeddccbbaa99887766554433221100";

fn element(key: &str, accepted: &str) -> String {
    format!(
        "<Channel><Interceptor className=\"org.apache.catalina.tribes.group.interceptors.EncryptInterceptor\" \
         encryptionKey=\"{key}\" acceptedKeys=\"{accepted}\"/></Channel>"
    )
}

#[test]
fn a_hangup_brings_new_keys_and_mistakes_in_them_leave_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("channel.xml");
    let write = |content: &str| std::fs::write(&path, content).unwrap();
    write(&element(OLD, ""));
    let arguments = ["channel", "listen", "--cluster", "127.0.0.1:0", "--chain", path.to_str().unwrap()];
    let listener = Process::start(&arguments.map(str::to_owned));
    let ready: Value = serde_json::from_str(&listener.line()).unwrap();
    let to = ready["member"].as_str().unwrap();
    // A sender is told to be well in either case.
    let says = |key: &str, event: &str| {
        let chain = format!("encrypt(encryptionKey={key})");
        let sent = run(&["channel", "send", "--to", to, "--text", key, "--chain", &chain], b"");
        assert!(sent.status.success(), "{}", text(&sent.stderr));
        let said: Value = serde_json::from_str(&listener.line()).unwrap();
        assert_eq!(said["event"], event, "{said}");
        assert!(event == "refused" || said["text"] == json!(key), "{said}");
    };
    says(OLD, "message");
    says(NEW, "refused");

    write(&element(NEW, OLD));
    listener.signal("HUP");
    until("it has the keys", || listener.log().contains("SIGHUP: new encryptionKey; 1 others are accepted"));
    says(OLD, "message");
    says(NEW, "message");

    for (mistakes, content, what) in [
        (1, element("00", ""), "does not fit"),
        (2, element(&NEW.replace('f', "g"), ""), "hexadecimal digit"),
        (3, "<Channel/>".to_owned(), "no EncryptInterceptor"),
        (4, "<Chan".to_owned(), "no XML"),
    ] {
        write(&content);
        listener.signal("HUP");
        until(what, || listener.log().matches("SIGHUP: the keys stay as they were").count() == mistakes);
        assert!(listener.log().contains(what) && !listener.log().contains("aabb"), "{}", listener.log());
        says(OLD, "message");
    }

    write(&element(NEW, ""));
    listener.signal("HUP");
    until("it has one key", || listener.log().contains("SIGHUP: new encryptionKey; 0 others are accepted"));
    says(OLD, "refused");
    says(NEW, "message");
}
