//! RPC channels between Tomcats (10 and 9) and Clowder: who asks, who answers, and who does not.

use std::time::Duration;

use anyhow::{Result, ensure};
use clowder_interop::chain::Starting;
use clowder_interop::{ChainNode, Generation, Listener, PATIENCE, Question, Seats, skip_unless, wait_until};

const ID: &str = "localhost#/shop-map";
const CHAIN: &str = "dispatch,failure-detector";
/// For those who do not answer. Nobody else is too late within it, because the others have answered before.
const SHORT: Duration = Duration::from_millis(500);

/// Tomcats that know nobody, and their seats.
fn tomcats(generations: &[Generation]) -> Result<(Vec<ChainNode>, Seats)> {
    let seats = Seats::reserve(generations.len())?;
    let extra = ["--chain", CHAIN, "--rpc-id", ID];
    let launch = |(generation, seat): (&Generation, _)| ChainNode::launch_alone(*generation, seat, &extra);
    let starting: Vec<_> = generations.iter().zip(&seats.0).map(launch).collect::<Result<_>>()?;
    Ok((starting.into_iter().map(Starting::ready).collect::<Result<_>>()?, seats))
}

/// Whatever it answers, or that it does not, is told.
fn a_tomcat_is_asked(generation: Generation) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let (mut tomcats, _seats) = tomcats(&[generation])?;
    let mut tomcat = tomcats.remove(0);
    let name = tomcat.name.clone();
    let to = [name.as_str()];
    let ask = |question: Question<'_>| -> Result<_> {
        let (mut fates, enough) = question.fates()?;
        let fate = fates.remove(0);
        ensure!(fate.member == name, "{fate:?}");
        Ok((fate.outcome, fate.text, enough))
    };
    let is = |outcome: &str, text: Option<&str>, enough| (outcome.to_owned(), text.map(str::to_owned), enough);
    for mode in ["first", "majority", "all"] {
        assert_eq!(ask(Question::new(ID, &to).mode(mode))?, is("answered", Some("why?"), true), "{mode}");
    }
    tomcat.answer("text because")?;
    assert_eq!(ask(Question::new(ID, &to))?, is("answered", Some("because"), true));
    tomcat.answer("null")?;
    assert_eq!(ask(Question::new(ID, &to))?, is("answered", Some("null"), true));
    tomcat.answer("fail")?;
    let short = Question { timeout: SHORT, ..Question::new(ID, &to) };
    assert_eq!(ask(short)?, is("timed-out", None, false));
    assert_eq!(ask(Question::new("another", &to))?, is("no-channel", None, true));
    tomcat.process.kill()?;
    assert_eq!(ask(Question::new(ID, &to))?, is("failed", Some("cannot connect"), false));
    Ok(())
}

/// `slow` answers when the others have, or never.
fn two_tomcats_are_asked(slow: usize) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let (mut tomcats, _seats) = tomcats(&[Generation::Tomcat10, Generation::Tomcat9])?;
    let names: Vec<String> = tomcats.iter().map(|tomcat| tomcat.name.clone()).collect();
    let to: Vec<&str> = names.iter().map(String::as_str).collect();
    let quick = 1 - slow;

    let (fates, enough) = Question::new(ID, &to).fates()?;
    ensure!(enough && fates.iter().all(|fate| fate.told() == ("answered", Some("why?"))), "{fates:?}");

    for mode in ["first", "majority"] {
        tomcats[slow].answer("hold")?;
        let mut asked = Question::new(ID, &to).mode(mode).ask()?;
        let fates = asked.fates()?;
        assert_eq!(fates[quick].told(), ("answered", Some("why?")), "{mode}");
        assert_eq!(fates[slow].told(), ("not-awaited", None), "{mode}");
        tomcats[slow].answer("text late")?;
        let late = asked.line()?;
        assert_eq!((late.member.as_str(), late.told()), (to[slow], ("left-over", Some("late"))), "{mode}");
        ensure!(asked.end()?, "one answer is enough for {mode}");
    }

    tomcats[slow].answer("hold")?;
    let mut asked = Question { timeout: SHORT, ..Question::new(ID, &to) }.ask()?;
    let fates = asked.fates()?;
    assert_eq!(fates[quick].told(), ("answered", Some("why?")));
    assert_eq!(fates[slow].told(), ("timed-out", None));
    tomcats[slow].answer("text late")?;
    assert_eq!(asked.line()?.told(), ("left-over", Some("late")));
    ensure!(!asked.end()?, "one answer is not all");

    let mut asked = Question::new(ID, &to).mode("none").ask()?;
    ensure!(asked.fates()?.iter().all(|fate| fate.told() == ("not-awaited", None)), "nobody is waited for");
    let mut unasked = [asked.line()?, asked.line()?].map(|fate| (fate.outcome, fate.text.unwrap_or_default()));
    unasked.sort();
    assert_eq!(unasked, ["late", "why?"].map(|text| ("left-over".to_owned(), text.to_owned())));
    drop(asked);

    tomcats[slow].answer("hold")?;
    let questions = tomcats[slow].ask("asked")?["asked"].as_u64().unwrap_or_default();
    let mut asked = Question::new(ID, &to).ask()?;
    tomcats[slow].await_asked(questions + 1)?;
    tomcats[slow].process.kill()?;
    let fates = asked.fates()?;
    assert_eq!((fates[quick].told(), fates[slow].told()), (("answered", Some("why?")), ("left", None)));
    let (fates, enough) = Question::new(ID, &to).fates()?;
    assert_eq!(fates[quick].told(), ("answered", Some("why?")));
    assert_eq!(fates[slow].told(), ("failed", Some("cannot connect")));
    ensure!(!enough, "one answer is not all");
    Ok(())
}

/// A Tomcat with two Clowder nodes, the second of which is started with different options again and again.
fn a_tomcat_asks(generation: Generation) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(3)?;
    let starting = ChainNode::launch(generation, &seats, 0, &["--chain", CHAIN, "--rpc-id", ID])?;
    let answering = ["--rpc-id", ID, "--reply"];
    let mut first = Listener::start(&seats, 1, &answering)?;
    let mut tomcat = starting.ready()?;
    let both = |tomcat: &mut ChainNode| wait_until("both as members", PATIENCE, || Ok(tomcat.members()?.len() == 2));
    let why = |name: &str| (name.to_owned(), "why?".to_owned());

    let mut second = Listener::start(&seats, 2, &answering)?;
    both(&mut tomcat)?;
    let mut answers = tomcat.rpc("all", PATIENCE)?;
    answers.sort();
    let mut all = [why(&first.name), why(&second.name)];
    all.sort();
    assert_eq!(answers, all);
    for listener in [&mut first, &mut second] {
        let question = listener.event("question")?;
        assert_eq!((&question["text"], &question["from"]), (&"why?".into(), &tomcat.name.as_str().into()));
    }
    // The answers that a mode does not wait for are left over, if they were not there already.
    let mut unawaited = 0;
    for (mode, least) in [("first", 1), ("majority", 1), ("none", 0)] {
        let answers = tomcat.rpc(mode, PATIENCE)?;
        ensure!(answers.len() >= least && (mode != "none" || answers.is_empty()), "{mode}: {answers:?}");
        unawaited += 2 - answers.len();
        let left_over = tomcat.left_over(unawaited)?;
        ensure!(left_over.len() == unawaited, "{mode}: {left_over:?}");
        ensure!(left_over.iter().chain(&answers).all(|answer| all.contains(answer)), "{mode}: {left_over:?}");
    }
    second.stop()?;

    let mut silent = Listener::start(&seats, 2, &["--rpc-id", ID])?;
    both(&mut tomcat)?;
    assert_eq!(tomcat.rpc("all", SHORT)?, [why(&first.name)], "who does not answer is waited for in vain");
    silent.event("question")?;
    silent.stop()?;

    let without = Listener::start(&seats, 2, &[])?;
    both(&mut tomcat)?;
    let long = 10 * PATIENCE; // the command would not be answered in time
    assert_eq!(tomcat.rpc("all", long)?, [why(&first.name)], "who has no such channel is not waited for");
    without.stop()?;
    first.stop()?;
    wait_until("nobody as a member", PATIENCE, || Ok(tomcat.members()?.is_empty()))?;
    ensure!(tomcat.rpc("all", long)?.is_empty(), "nobody is asked");
    Ok(())
}

#[test]
fn tomcat_10_answers_or_does_not() -> Result<()> {
    a_tomcat_is_asked(Generation::Tomcat10)
}

#[test]
fn tomcat_9_answers_or_does_not() -> Result<()> {
    a_tomcat_is_asked(Generation::Tomcat9)
}

#[test]
fn two_tomcats_are_asked_and_the_new_one_is_slow() -> Result<()> {
    two_tomcats_are_asked(0)
}

#[test]
fn two_tomcats_are_asked_and_the_old_one_is_slow() -> Result<()> {
    two_tomcats_are_asked(1)
}

#[test]
fn tomcat_10_asks_two_clowder_nodes() -> Result<()> {
    a_tomcat_asks(Generation::Tomcat10)
}

#[test]
fn tomcat_9_asks_two_clowder_nodes() -> Result<()> {
    a_tomcat_asks(Generation::Tomcat9)
}
