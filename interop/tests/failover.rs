//! Two Tomcats and one Clowder: any of them may be killed or stopped, nobody is logged out.

use anyhow::Result;
use clowder_interop::{Browser, Kind, Node, NodeConfig, Seats, skip_unless};

struct Trio {
    first: Node,
    second: Node,
    clowder: Node,
    seats: Seats,
    setting: Setting,
}

#[derive(Clone, Copy)]
struct Setting {
    options: u32,
    /// The chain of all three; `None`: each one's own.
    chain: Option<&'static str>,
}

impl Setting {
    /// The node at this seat, which joins so many.
    fn start(self, kind: Kind, seats: &Seats, index: usize, members: usize) -> Result<Node> {
        let mut config = NodeConfig::at(kind, seats, index).options(self.options).joining(members);
        if let Some(chain) = self.chain {
            config = config.extra(kind, &["--chain", chain]);
        }
        config.start()
    }
}

fn trio(setting: Setting) -> Result<Trio> {
    let seats = Seats::reserve(3)?;
    let mut first = setting.start(Kind::Tomcat, &seats, 0, 0)?;
    let mut second = setting.start(Kind::Tomcat, &seats, 1, 1)?;
    let mut clowder = setting.start(Kind::Clowder, &seats, 2, 2)?;
    for node in [&mut first, &mut second, &mut clowder] {
        node.await_members(2)?;
    }
    Ok(Trio { first, second, clowder, seats, setting })
}

fn counts(user: &Browser, id: &str, expected: u32, at: &mut [&mut Node]) -> Result<()> {
    let shown = format!("java.lang.Integer:{expected}");
    for node in at {
        node.await_session(id, &shown, |reply| reply.attr("count") == shown)?;
    }
    assert_eq!(user.session().as_deref(), Some(id), "still logged in");
    Ok(())
}

fn survives(options: u32, chain: Option<&'static str>) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let Trio { mut first, mut second, mut clowder, seats, setting } = trio(Setting { options, chain })?;
    let user = Browser::new();
    // Not on a Tomcat: asynchronous, it loses some first attributes between Tomcats by itself.
    let id = user.get(&clowder, "op=inc")?.session.expect("inc creates a session");
    counts(&user, &id, 1, &mut [&mut first, &mut second])?;
    user.get(&first, "op=inc")?;
    counts(&user, &id, 2, &mut [&mut second, &mut clowder])?;

    first.kill()?;
    user.get(&clowder, "op=inc")?;
    counts(&user, &id, 3, &mut [&mut second])?;
    user.get(&second, "op=inc")?; // without a ping only its own failed send tells a Tomcat
    second.await_members(1)?;
    counts(&user, &id, 4, &mut [&mut clowder])?;

    clowder.kill()?;
    user.get(&second, "op=inc")?;
    second.await_members(0)?;

    let mut clowder = setting.start(Kind::Clowder, &seats, 2, 1)?;
    counts(&user, &id, 5, &mut [&mut clowder])?;
    second.await_members(1)?;
    user.get(&second, "op=inc")?;
    counts(&user, &id, 6, &mut [&mut clowder])?;

    second.stop()?;
    user.get(&clowder, "op=inc")?;
    let mut second = setting.start(Kind::Tomcat, &seats, 1, 1)?;
    counts(&user, &id, 7, &mut [&mut second])?;
    second.await_members(1)?;

    clowder.stop()?;
    second.await_members(0)?; // by the notice: nobody sends and no ping runs
    user.get(&second, "op=inc")?;
    counts(&user, &id, 8, &mut [&mut second])
}

#[test]
fn asynchronous() -> Result<()> {
    survives(8, None)
}

#[test]
fn synchronous() -> Result<()> {
    survives(6, None)
}

#[test]
fn encrypted_and_compressed() -> Result<()> {
    survives(6, Some("dispatch,gzip,encrypt(encryptionKey=000102030405060708090a0b0c0d0e0f),failure-detector"))
}

#[test]
fn in_order_and_in_pieces() -> Result<()> {
    survives(8, Some("dispatch,order,fragment(maxSize=100),failure-detector"))
}
