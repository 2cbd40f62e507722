//! RPC channels for tests, and how their calls end.

use std::convert::Infallible;
use std::time::Duration;

use clowder::{Channel, RpcChannel, RpcError, RpcFate, RpcMode, RpcReply, RpcRequest, RpcResult, SendOptions};

use super::nodes::patiently;

/// Longer than any test waits.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// Answers the text that it is asked with its name in front.
pub(crate) fn echo(channel: &Channel, name: &'static str) -> RpcChannel {
    let answer =
        move |request: RpcRequest| async move { RpcReply::of(&format!("{name} {}", request.read::<String>()?)) };
    channel.rpc("echo").on_request(answer).open().unwrap()
}

/// Does not answer.
pub(crate) fn silent(channel: &Channel) -> RpcChannel {
    channel.rpc("echo").on_request(|_| std::future::pending::<Result<RpcReply, Infallible>>()).open().unwrap()
}

/// Asks only.
pub(crate) fn asker(channel: &Channel) -> RpcChannel {
    channel.rpc("echo").open().unwrap()
}

pub(crate) async fn ask(rpc: &RpcChannel, targets: &[&Channel], mode: RpcMode, timeout: Duration) -> RpcResult<String> {
    let targets: Vec<_> = targets.iter().map(|channel| channel.local().clone()).collect();
    patiently(rpc.call_typed(targets, "hello", mode, SendOptions::USE_ACK, timeout)).await.unwrap()
}

/// What became of the call at each target, as text.
pub(crate) fn fates(result: RpcResult<String>) -> Vec<String> {
    let text = |fate| match fate {
        RpcFate::Answered(answer) => answer,
        fate => format!("{fate:?}"),
    };
    result.into_iter().map(|(_, fate)| text(fate)).collect()
}

pub(crate) fn is_taken(opened: Result<RpcChannel, RpcError>) -> bool {
    matches!(opened, Err(RpcError::IdTaken { .. }))
}
