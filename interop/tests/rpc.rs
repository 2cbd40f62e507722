//! RPC channels between Tomcats (10 and 9) and Clowder: who asks, who answers, and who does not.

use std::time::Duration;

use anyhow::{Result, ensure};
use clowder_interop::chain::Starting;
use clowder_interop::{ChainNode, Generation, Listener, PATIENCE, Question, Seats, skip_unless, wait_until};

const ID: &str = "localhost#/shop-map";
const CHAIN: &str = "dispatch,failure-detector";
/// For those who do not answer. The others have all answered by then.
const SHORT: Duration = Duration::from_secs(2);

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

/// Two of them, of both generations; one can be slow.
struct Two {
    tomcats: Vec<ChainNode>,
    slow: usize,
    quick: usize,
    _seats: Seats,
}

const ANSWERED: (&str, Option<&str>) = ("answered", Some("why?"));
const LATE: (&str, Option<&str>) = ("left-over", Some("late"));

impl Two {
    fn start(slow: usize) -> Result<Self> {
        let (tomcats, seats) = tomcats(&[Generation::Tomcat10, Generation::Tomcat9])?;
        Ok(Two { tomcats, slow, quick: 1 - slow, _seats: seats })
    }

    fn names(&self) -> [String; 2] {
        [0, 1].map(|index: usize| self.tomcats[index].name.clone())
    }

    fn slow(&mut self) -> &mut ChainNode {
        &mut self.tomcats[self.slow]
    }

    fn both_answer(&self) -> Result<()> {
        let (fates, enough) = Question::new(ID, &self.names().each_ref().map(String::as_str)).fates()?;
        ensure!(enough && fates.iter().all(|fate| fate.told() == ANSWERED), "{fates:?}");
        Ok(())
    }

    /// The slow one answers when nobody waits for it any more; `fate` is what was said of it before.
    fn one_is_late(&mut self, mode: &str, timeout: Duration, fate: &str) -> Result<bool> {
        self.slow().answer("hold")?;
        let names = self.names();
        let to = names.each_ref().map(String::as_str);
        let mut asked = Question { timeout, ..Question::new(ID, &to).mode(mode) }.ask()?;
        let fates = asked.fates()?;
        assert_eq!(fates[self.quick].told(), ANSWERED, "{mode}");
        assert_eq!(fates[self.slow].told(), (fate, None), "{mode}");
        self.slow().answer("text late")?;
        let late = asked.line()?;
        assert_eq!((late.member.as_str(), late.told()), (to[self.slow], LATE), "{mode}");
        asked.end()
    }

    /// All answers are left over.
    fn nobody_is_waited_for(&self) -> Result<()> {
        let names = self.names();
        let to = names.each_ref().map(String::as_str);
        let mut asked = Question::new(ID, &to).mode("none").ask()?;
        ensure!(asked.fates()?.iter().all(|fate| fate.told() == ("not-awaited", None)), "nobody is waited for");
        for _ in &to {
            let late = asked.line()?;
            let text = if late.member == to[self.slow] { "late" } else { "why?" };
            assert_eq!(late.told(), ("left-over", Some(text)));
        }
        ensure!(asked.end()?, "no answer is enough");
        Ok(())
    }

    /// First with the question, and then before it.
    fn one_dies(&mut self) -> Result<()> {
        let names = self.names();
        let to = names.each_ref().map(String::as_str);
        self.slow().answer("hold")?;
        let before = self.slow().asked()?;
        let mut asked = Question::new(ID, &to).ask()?;
        wait_until("the question", PATIENCE, || Ok(self.slow().asked()? > before))?;
        self.slow().process.kill()?;
        let fates = asked.fates()?;
        assert_eq!((fates[self.quick].told(), fates[self.slow].told()), (ANSWERED, ("left", None)));
        let (fates, enough) = Question::new(ID, &to).fates()?;
        assert_eq!(fates[self.quick].told(), ANSWERED);
        assert_eq!(fates[self.slow].told(), ("failed", Some("cannot connect")));
        ensure!(!enough, "one answer is not all");
        Ok(())
    }
}

fn two_tomcats_are_asked(slow: usize) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let mut two = Two::start(slow)?;
    two.both_answer()?;
    ensure!(two.one_is_late("first", PATIENCE, "not-awaited")?, "one answer is enough");
    ensure!(two.one_is_late("majority", PATIENCE, "not-awaited")?, "one answer is half of two");
    ensure!(!two.one_is_late("all", SHORT, "timed-out")?, "one answer is not all");
    two.nobody_is_waited_for()?;
    two.one_dies()
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
