//! What one side writes the other reads: every attribute type, a user's own class, and the life of a session.

use anyhow::Result;
use clowder_interop::{Browser, Kind, Node, NodeConfig, Seats, skip_unless};

/// Name, type, text of the request, and what both sides must show.
const VALUES: [(&str, &str, &str, &str); 11] = [
    ("string", "", "grüße, \"世界\" 🐈", "java.lang.String:grüße, \"世界\" 🐈"),
    ("int", "int", "-2147483648", "java.lang.Integer:-2147483648"),
    ("long", "long", "9223372036854775807", "java.lang.Long:9223372036854775807"),
    ("double", "double", "-0.125", "java.lang.Double:-0.125"),
    ("bool", "bool", "true", "java.lang.Boolean:true"),
    ("list", "list", "a,b,c", "java.util.ArrayList:[a, b, c]"),
    ("map", "map", "k=v", "java.util.HashMap:{k=v}"),
    ("date", "date", "1700000000000", "java.util.Date:Tue Nov 14 22:13:20 UTC 2023"),
    ("uuid", "uuid", "123e4567-e89b-12d3-a456-426614174000", "java.util.UUID:123e4567-e89b-12d3-a456-426614174000"),
    ("decimal", "decimal", "-12345678901234567890.0125", "java.math.BigDecimal:-12345678901234567890.0125"),
    ("instant", "instant", "2023-11-14T22:13:20Z", "java.time.Instant:2023-11-14T22:13:20Z"),
];

fn pair(options: u32) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(2)?;
    let mut tomcat = NodeConfig::at(Kind::Tomcat, &seats, 0).options(options).start()?;
    let mut clowder = NodeConfig::at(Kind::Clowder, &seats, 1).options(options).joining(1).start()?;
    tomcat.await_members(1)?;
    every_type(&tomcat, &mut clowder)?;
    every_type(&clowder, &mut tomcat)?;
    bean_passes_unharmed(&mut tomcat, &mut clowder)?;
    life(&tomcat, &mut clowder)?;
    life(&clowder, &mut tomcat)?;
    for node in [&tomcat, &clowder] {
        node.assert_clean_log(&[])?;
    }
    Ok(())
}

/// The copy is judged by what the node itself would show: all attributes, and exactly these.
fn every_type(from: &Node, to: &mut Node) -> Result<()> {
    let user = Browser::new();
    for (name, kind, text, shown) in VALUES {
        let reply = user.set(from, name, kind, text)?;
        assert_eq!(reply.attr(name), shown, "what {} itself shows", from.process.name());
    }
    let id = user.get(from, "op=pad&bytes=70000")?.session.expect("set creates a session");
    let copy = to.await_session(&id, "all types", |reply| reply.attrs.len() == VALUES.len() + 1)?;
    for (name, _, _, shown) in VALUES {
        assert_eq!(copy.attr(name), shown, "{name} at {}", to.process.name());
    }
    assert_eq!(copy.attr("pad"), "[B:len70000");
    Ok(())
}

/// The bean goes through Clowder twice: as a delta, and beside an attribute that Clowder changes.
fn bean_passes_unharmed(tomcat: &mut Node, clowder: &mut Node) -> Result<()> {
    let user = Browser::new();
    let id = user.get(tomcat, "op=bean&name=bean&value=mine")?.session.expect("bean creates a session");
    clowder.await_session(&id, "the bean", |reply| reply.attr("bean").starts_with("clowder.interop.Bean:"))?;
    let changed = user.set(clowder, "other", "", "changed")?;
    if clowder.kind == Kind::Clowder {
        assert_eq!(changed.attr("bean"), "clowder.interop.Bean:opaque");
    }
    let copy = tomcat.await_session(&id, "Clowder's change", |reply| !reply.attr("other").is_empty())?;
    assert_eq!(copy.attr("bean"), "clowder.interop.Bean:Bean mine");
    Ok(())
}

/// Interval change, removal, new id, invalidation.
fn life(from: &Node, to: &mut Node) -> Result<()> {
    let user = Browser::new();
    let old_id = user.set(from, "a", "", "1")?.session.expect("set creates a session");
    user.set(from, "b", "", "2")?;
    user.get(from, "op=maxinactive&value=777")?;
    to.await_session(&old_id, "interval 777 and two attributes", |reply| {
        reply.max_inactive == Some(777) && reply.attrs.len() == 2
    })?;
    user.get(from, "op=remove&name=a")?;
    let copy = to.await_session(&old_id, "the removal", |reply| reply.attrs.len() == 1)?;
    assert_eq!(copy.attr("b"), "java.lang.String:2");

    let new_id = user.get(from, "op=newid")?.session.expect("newid keeps the session");
    assert_ne!(new_id, old_id);
    user.set(from, "c", "", "3")?;
    let copy = to.await_session(&new_id, "the session under its new id", |reply| reply.attrs.len() == 2)?;
    assert_eq!((copy.attr("b"), copy.max_inactive), ("java.lang.String:2", Some(777)));
    assert_eq!(to.peek(&old_id)?.session, None, "the old id is gone");

    user.get(from, "op=invalidate")?;
    to.await_session(&new_id, "the end of the session", |reply| reply.session.is_none())?;
    Ok(())
}

#[test]
fn asynchronous() -> Result<()> {
    pair(8)
}

#[test]
fn synchronous() -> Result<()> {
    pair(6)
}
