//! Options of `clowder channel`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use clowder::options;

use super::{EndArgs, Peer, seconds};

/// Options of `clowder channel`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "A channel is what a cluster is made of: members, and messages between them. These commands \
    take part in one by hand, as netcat does in a TCP connection: beside Clowder nodes, and beside Tomcats, whose \
    interceptors --chain takes in the order of their configuration.\n\n\
    Two terminals:\n  \
      clowder channel listen --cluster 127.0.0.1:4000 --id 01010101010101010101010101010101\n  \
      clowder channel send --to 127.0.0.1:4000/01010101010101010101010101010101 --text hello\n\n\
    Both sides need the same interceptors:\n  \
      clowder channel listen --cluster 127.0.0.1:4000 --id 01010101010101010101010101010101 \\\n    \
        --chain 'gzip(compressionMinSize=100),order'\n\n\
    Results are JSON lines on standard output, logs are on standard error."
)]
pub(crate) struct ChannelArgs {
    #[command(subcommand)]
    pub(crate) what: ChannelKind,
}

/// What can be done with a channel.
#[derive(Debug, Subcommand)]
pub(crate) enum ChannelKind {
    /// Be a member and print what happens: messages, who joins and leaves, what is refused.
    Listen(Box<ListenArgs>),
    /// Send messages and print what became of each at each member.
    Send(Box<SendArgs>),
    /// Ask members and print what each answers.
    Rpc(Box<RpcArgs>),
}

/// Options of `clowder channel listen`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "The first line is {\"event\":\"ready\",…} with the member's name as others write it \
    behind --to or --peer. Then one line for each event: \"message\", \"joined\", \"left\" with its reason, \"leader\" \
    with a coordinator in the chain, \"question\" with --rpc-id, \"refused\" for what was not delivered. SIGTERM and Ctrl-C take leave of the others; the last line is \
    {\"event\":\"summary\",…}.\n\n\
    Messages made by `clowder channel send --size` carry numbers and a checksum. They are shown as \"numbered\", and \
    the summary counts those that were lost, repeated, overtaken and damaged.\n\n\
    Examples:\n  \
      clowder channel listen --multicast 228.0.0.4:45564\n  \
      clowder channel listen --chain @server.xml | jq -r 'select(.event==\"message\").text'")]
pub(crate) struct ListenArgs {
    #[command(flatten)]
    pub(crate) end: EndArgs,

    /// Show whole bodies: \"text\" if a body is UTF-8 without control characters, else \"hex\". Default: text of up to
    /// 256 bytes.
    #[arg(long)]
    pub(crate) body: bool,

    /// Tell every sender that asks for it that processing failed.
    #[arg(long)]
    pub(crate) fail: bool,

    /// Open an RPC channel with this id and show the questions that come. Repeat it for more.
    #[arg(long = "rpc-id", value_name = "ID")]
    pub(crate) rpc_ids: Vec<String>,

    /// Answer each question with itself. Without this nobody gets an answer.
    #[arg(long, requires = "rpc_ids")]
    pub(crate) reply: bool,
}

/// Options of `clowder channel send`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "One line for each message and member, such as\n  \
      {\"message\":0,\"member\":\"127.0.0.1:4000/0101…\",\"options\":7,\"size\":5,\"sha256\":\"…\",\
    \"outcome\":\"acknowledged\"}\n\
    Outcomes: acknowledged, written (no acknowledgement was asked for), failed with a reason. Exit code 1 if one \
    failed.\n\n\
    Examples:\n  \
      clowder channel send --to 10.0.0.2:4000/02020202020202020202020202020202 --text hello\n  \
      clowder channel send --to … --to … --size 100000 --count 50 --parallel 8\n  \
      clowder channel send --multicast 228.0.0.4:45564 @message.bin       to every member that is found")]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) end: EndArgs,

    /// A receiver, member or not. Repeat it for more. Default: all members.
    #[arg(long = "to", value_name = "HOST:PORT/HEX32")]
    pub(crate) to: Vec<Peer>,

    /// Option bits of each message, a number or Tomcat's names separated by commas: use_ack (2), sync (4), async (8),
    /// udp (32), multicast (64), and bits for interceptors (128, 512 and up). Bit 1 is always set, for a body of
    /// bytes. 0: nobody says what became of it, 2: the member received it, 6: it processed it. Repeat it to send with
    /// each.
    #[arg(long, value_name = "N", default_value = "6", value_parser = send_options)]
    pub(crate) options: Vec<i32>,

    /// Numbered bodies of this many bytes, which `channel listen` checks. Repeat it to send with each.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(0..=1 << 30), group = "body")]
    pub(crate) size: Vec<u32>,

    /// This text, in UTF-8.
    #[arg(long, value_name = "S", group = "body")]
    pub(crate) text: Option<String>,

    /// The content of a file, @FILE, or of standard input, -.
    #[arg(value_name = "@FILE|-", group = "body", value_parser = body_file)]
    pub(crate) file: Option<String>,

    /// How many messages, of each size and with each of the options.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,

    /// Messages on their way at one time, each from a sender of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) parallel: u32,

    /// How long a message may wait for its acknowledgement, in seconds, before it is sent again or fails. A receiver
    /// whose chain works on large messages needs more. Default: as the file of --chain says, else 3.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
}

/// Options of `clowder channel rpc`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "One line for each member that was asked, such as\n  \
      {\"member\":\"127.0.0.1:4000/0101…\",\"outcome\":\"answered\",\"class\":\"java.lang.String\",\"text\":\"hello\"}\n\
    Outcomes: answered, no-channel (it has no RPC channel of this id), timed-out, left, failed with a reason, \
    not-awaited (others were enough), and left-over with --left-over. Exit code 1 if fewer answered than --mode asks \
    for.\n\n\
    Examples:\n  \
      clowder channel rpc --multicast 228.0.0.4:45564 --rpc-id 'localhost#/shop-map' --text ping\n  \
      clowder channel rpc --to 10.0.0.2:4000/0202… --rpc-id echo --text hello --mode first --timeout 0.5")]
pub(crate) struct RpcArgs {
    #[command(flatten)]
    pub(crate) end: EndArgs,

    /// Whom to ask, member or not. Repeat it for more. Default: all members.
    #[arg(long = "to", value_name = "HOST:PORT/HEX32")]
    pub(crate) to: Vec<Peer>,

    /// Id of the RPC channel.
    #[arg(long, value_name = "ID")]
    pub(crate) rpc_id: String,

    /// The question, a java.lang.String.
    #[arg(long, value_name = "S")]
    pub(crate) text: String,

    /// How many answers are enough.
    #[arg(long, value_name = "MODE", default_value = "all")]
    pub(crate) mode: AnswersMode,

    /// How long to wait for them, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// Stay a member for so many seconds longer and show the answers that nobody waits for any more: those behind the
    /// last one that was needed, and late ones. SIGTERM and Ctrl-C end that.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) left_over: Option<Duration>,

    /// Option bits of the question, as of `channel send`. Its processing is never waited for: an answer tells.
    #[arg(long, value_name = "N", default_value = "2", value_parser = send_options)]
    pub(crate) options: i32,
}

/// How many answers are enough.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AnswersMode {
    /// One.
    First,
    /// From half of those that have the RPC channel.
    Majority,
    /// From all that have it.
    All,
    /// None: whether the question arrives.
    None,
}

/// Tomcat: `Channel.parseSendOptions`; bit 1 is the body's, not the caller's.
fn send_options(text: &str) -> Result<i32, String> {
    if let Ok(bits) = text.parse::<i32>() {
        return Ok(bits | options::BYTE_MESSAGE);
    }
    text.split(',').map(str::trim).try_fold(options::BYTE_MESSAGE, |bits, name| {
        let bit = match name {
            "byte" | "byte_message" => options::BYTE_MESSAGE,
            "use_ack" => options::USE_ACK,
            "sync" | "synchronized_ack" => options::SYNCHRONIZED_ACK,
            "async" | "asynchronous" => options::ASYNCHRONOUS,
            "secure" => options::SECURE,
            "udp" => options::UDP,
            "multicast" => options::MULTICAST,
            _ => {
                return Err(format!(
                    "{name:?} is no option; write a number, or names such as use_ack,sync (others: byte, async, \
                     secure, udp, multicast)"
                ));
            }
        };
        Ok(bits | bit)
    })
}

fn body_file(text: &str) -> Result<String, String> {
    if text == "-" || text.len() > 1 && text.starts_with('@') {
        return Ok(text.to_owned());
    }
    Err(format!("a file is written @{text}, a text --text '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_a_number_or_names() {
        assert_eq!(["6", "0", "-2", "518"].map(send_options), [Ok(7), Ok(1), Ok(-1), Ok(519)]);
        assert_eq!(send_options("use_ack, sync"), Ok(7));
        assert_eq!(send_options("udp,multicast,async,secure,byte"), Ok(0x79));
        for wrong in ["", "ack", "USE_ACK", "2,4", "0x2", "use_ack,"] {
            assert!(send_options(wrong).unwrap_err().contains("use_ack,sync"), "{wrong}");
        }
    }
}
