//! `clowder channel rpc`: a question to members, one line for what came of it at each. And the other side of it, for
//! `listen`.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clowder::{Channel, RpcChannel, RpcError, RpcFate, RpcMode, RpcReply, RpcRequest, SendOptions};
use serde_json::{Map, Value, json};

use super::{join, name, print, targets};
use crate::cli::{AnswersMode, RpcArgs};
use crate::end::End;
use crate::java::text;

/// Ask and print what came of it.
///
/// # Errors
/// The channel cannot start, there is nobody to ask, or fewer answered than asked for.
pub(super) async fn run(args: RpcArgs) -> Result<()> {
    let mut end = End::new(args.end.end_with_stdin)?;
    let (channel, _) = join::start(&targets::joining(&args.end, &args.to), targets::CLUSTER).await?;
    let result = tokio::select! {
        result = ask(&args, &channel) => result,
        why = end.reached() => Err(anyhow::anyhow!("{why}: not every answer was waited for")),
    };
    channel.stop().await;
    result
}

async fn ask(args: &RpcArgs, channel: &Channel) -> Result<()> {
    let targets = targets::of(&args.to, channel).await?;
    let rpc = channel.rpc(args.rpc_id.clone()).open().context("--rpc-id")?;
    let mode = match args.mode {
        AnswersMode::First => RpcMode::First,
        AnswersMode::Majority => RpcMode::Majority,
        AnswersMode::All => RpcMode::All,
        AnswersMode::None => RpcMode::NoReply,
    };
    let question = java_object_stream::to_bytes(&args.text).context("--text")?;
    let result = rpc.call(targets, question, mode, SendOptions::from_bits(args.options), args.timeout).await?;
    let (mut all, mut answered) = (0, 0);
    for (member, fate) in result.iter() {
        all += 1;
        answered += usize::from(matches!(fate, RpcFate::Answered(_)));
        let mut line = Map::new();
        line.insert("member".into(), json!(name(&member.id)));
        outcome(fate, &mut line);
        if !print(&Value::Object(line))? {
            return Ok(()); // nobody wants to know
        }
    }
    if !result.is_reached() {
        bail!("{answered} of {all} answered, which is not enough for --mode");
    }
    Ok(())
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
