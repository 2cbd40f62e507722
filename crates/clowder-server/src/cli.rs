//! The command line: what can be said, its defaults, and the help that teaches it.
//!
//! Only parsing and values live here; what a command does is in the file of its name. A value that parses is usable:
//! everything that can be refused without touching the machine is refused here, with exit code 2.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// `clowder`, with everything behind it.
#[derive(Debug, Parser)]
#[command(
    name = "clowder",
    version,
    about = "Replicated web sessions that speak Apache Tomcat's clustering protocol",
    long_about = "Replicated web sessions that speak Apache Tomcat's clustering protocol.\n\n\
                  A Clowder node joins a cluster of unmodified Tomcats, or of other Clowder nodes, and holds a copy of \
                  every session: kill any one of them and nobody is logged out.",
    after_long_help = "First steps:\n  \
                       clowder decode --help        read captured cluster traffic\n\n\
                       Exit codes: 0 success, 1 failure while running (the reason is on standard error), \
                       2 wrong usage."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// What to log on standard error: a level, or directives such as `warn,clowder=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "RUST_LOG", default_value = "info")]
    pub(crate) log: String,
}

/// What `clowder` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Explain captured bytes as JSON.
    Decode(DecodeArgs),
}

/// Options of `clowder decode`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Examples:\n  \
      clowder decode --kind member 5452494245532d42…      bytes as hexadecimal digits\n  \
      clowder decode --kind frames @capture.bin            a file, raw or as hexadecimal digits\n  \
      tshark … -w - | clowder decode --kind frames -       standard input\n  \
      clowder decode --kind session --check @body.hex      also encode again and compare every byte\n\n\
    Malformed bytes are an error that names what is wrong and at which offset, with exit code 1; frames in front of \
    the mistake are still printed.")]
pub(crate) struct DecodeArgs {
    /// What the bytes are.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: DecodeKind,

    /// Encode what was decoded again and compare every byte.
    #[arg(long)]
    pub(crate) check: bool,

    /// Hexadecimal digits (blanks and colons between them do not matter), @FILE, or - for standard input.
    #[arg(value_name = "HEX|@FILE|-", default_value = "-")]
    pub(crate) input: String,
}

/// What `clowder decode` understands.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DecodeKind {
    /// A member record, or a heartbeat datagram.
    Member,
    /// A message record: the content of one frame.
    Data,
    /// What travels on a connection: frames with messages or acknowledgements.
    Frames,
    /// A Java object stream.
    Java,
    /// The body of a session message.
    Session,
    /// The changes of one request, as a session message carries them.
    Delta,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
