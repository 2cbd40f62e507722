//! `clowder channel rpc`: a question to members, one line for what came of it at each. And the other side of it, for
//! `listen`.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clowder::{
    Channel, RpcChannel, RpcError, RpcFate, RpcLeftOver, RpcMode, RpcReply, RpcRequest, RpcResult, SendOptions,
};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{name, print, targets};
use crate::cli::{AnswersMode, RpcArgs};
use crate::end::End;
use crate::java::text;
use crate::joining;

/// Left-over answers that are not printed yet; more are not shown.
const LEFT_OVER_MAX: usize = 1024;

/// Ask and print what came of it.
///
/// # Errors
/// The channel cannot start, there is nobody to ask, or fewer answered than asked for.
pub(super) async fn run(args: RpcArgs) -> Result<()> {
    let mut end = End::new(args.end.end_with_stdin)?;
    let joining = joining::describe(&targets::joining(&args.end, &args.to), targets::CLUSTER).await?;
    let channel = joining.start().await?;
    let (keep, left_over) = mpsc::channel(LEFT_OVER_MAX);
    let asked = tokio::select! {
        asked = ask(&args, &channel, keep) => asked,
        why = end.reached() => Err(anyhow::anyhow!("{why}: not every answer was waited for")),
    };
    let told = match asked {
        Ok((rpc, result)) => tell_all(&args, &result, left_over, &mut end).await.map(|told| (rpc, told)),
        Err(error) => Err(error),
    };
    channel.stop().await;
    match told?.1 {
        Told::NotReached(answered, all) => bail!("{answered} of {all} answered, which is not enough for --mode"),
        Told::Reached | Told::NobodyReads => Ok(()),
    }
}

/// What came of the question, and the RPC channel, which must be there for those who answer later.
async fn ask(args: &RpcArgs, channel: &Channel, keep: mpsc::Sender<RpcLeftOver>) -> Result<(RpcChannel, RpcResult)> {
    let targets = targets::of(&args.to, channel).await?;
    let rpc = channel.rpc(args.rpc_id.clone()).on_left_over(move |answer| drop(keep.try_send(answer)));
    let rpc = rpc.open().context("--rpc-id")?;
    let mode = match args.mode {
        AnswersMode::First => RpcMode::First,
        AnswersMode::Majority => RpcMode::Majority,
        AnswersMode::All => RpcMode::All,
        AnswersMode::None => RpcMode::NoReply,
    };
    let question = java_object_stream::to_bytes(&args.text).context("--text")?;
    let options = SendOptions::from_bits(args.options);
    let result = rpc.call(targets, question, mode, options, args.timeout).await?;
    Ok((rpc, result))
}

/// The fates, and behind them the answers that are left over, for as long as that is asked for.
async fn tell_all(
    args: &RpcArgs,
    result: &RpcResult,
    left_over: mpsc::Receiver<RpcLeftOver>,
    end: &mut End,
) -> Result<Told> {
    let told = tell(result)?;
    if let (Told::Reached | Told::NotReached(..), Some(longer)) = (&told, args.left_over) {
        tokio::select! {
            shown = tokio::time::timeout(longer, show_left_over(left_over)) => shown.unwrap_or(Ok(()))?,
            _ = end.reached() => {}
        }
    }
    Ok(told)
}

/// How a call ended, when its lines are printed.
enum Told {
    Reached,
    /// So many of so many answered.
    NotReached(usize, usize),
    NobodyReads,
}

fn tell(result: &RpcResult) -> Result<Told> {
    for (member, fate) in result.iter() {
        let mut line = Map::new();
        line.insert("member".into(), json!(name(&member.id)));
        outcome(fate, &mut line);
        if !print(&Value::Object(line))? {
            return Ok(Told::NobodyReads);
        }
    }
    Ok(match result.is_reached() {
        true => Told::Reached,
        false => Told::NotReached(result.answers().count(), result.iter().len()),
    })
}

fn outcome(fate: &RpcFate, line: &mut Map<String, Value>) {
    let word = match fate {
        RpcFate::Answered(_) => "answered",
        RpcFate::Unreadable(_) => "unreadable",
        RpcFate::NoChannel => "no-channel",
        RpcFate::Failed(_) => "failed",
        RpcFate::Left => "left",
        RpcFate::NoRoom => "no-room",
        RpcFate::TimedOut => "timed-out",
        _ => "not-awaited",
    };
    line.insert("outcome".into(), json!(word));
    match fate {
        RpcFate::Answered(answer) => show(answer, line),
        RpcFate::Failed(failure) => drop(line.insert("reason".into(), json!(failure.to_string()))),
        _ => {}
    }
}

/// Until nobody reads.
async fn show_left_over(mut answers: mpsc::Receiver<RpcLeftOver>) -> Result<()> {
    while let Some(answer) = answers.recv().await {
        let mut line = Map::new();
        line.insert("member".into(), json!(name(&answer.from().id)));
        line.insert("outcome".into(), json!("left-over"));
        show(answer.payload(), &mut line);
        if !print(&Value::Object(line))? {
            break;
        }
    }
    Ok(())
}

/// The class of an object, and what it says if that is text.
fn show(object: &Bytes, line: &mut Map<String, Value>) {
    let (class, text) = text::describe(object);
    line.insert("class".into(), json!(class));
    match text {
        Some(text) => line.insert("text".into(), json!(text)),
        None => line.insert("stream_hex".into(), json!(hex::encode(object))),
    };
}

/// Print the questions that come to an RPC channel; with `reply` each is answered with itself.
///
/// # Errors
/// The id is too long, or given twice.
pub(super) fn answer(channel: &Channel, id: &str, reply: bool) -> Result<RpcChannel, RpcError> {
    let shown = id.to_owned();
    let answering = move |request: RpcRequest| {
        let answered = question(&shown, &request).and_then(|()| match reply {
            true => Ok(RpcReply::object(request.payload().clone())),
            false => bail!("there is no --reply"),
        });
        std::future::ready(answered)
    };
    channel.rpc(id.to_owned()).on_request(answering).open()
}

fn question(id: &str, request: &RpcRequest) -> Result<()> {
    let mut event = Map::new();
    event.insert("event".into(), json!("question"));
    event.insert("from".into(), json!(name(&request.from().id)));
    event.insert("rpc_id".into(), json!(id));
    show(request.payload(), &mut event);
    // Whether somebody reads shows at the next event of the listener itself.
    print(&Value::Object(event)).map(drop)
}
