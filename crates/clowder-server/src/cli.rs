//! The command line: what can be said, its defaults, and the help that teaches it.
//!
//! Only parsing and values live here; what a command does is in the file of its name. A value that parses is usable:
//! everything that can be refused without touching the machine is refused here, with exit code 2.

mod channel;
mod end;
mod member;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use crate::joining::chain_text;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clowder::chain::{Algorithm, Generation, Key};

pub(crate) use channel::{AnswersMode, ChannelArgs, ChannelKind, ListenArgs, RpcArgs, SendArgs};
pub(crate) use end::{ChainSource, EndArgs};
pub(crate) use member::MemberArgs;
#[cfg(feature = "tls")]
pub(crate) use tls::TlsArgs;

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
                       clowder demo                 three nodes on this machine and a tour to copy and paste\n  \
                       clowder node                 one node on 127.0.0.1:8080\n  \
                       clowder channel --help       messages by hand, beside Tomcats too\n  \
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
    /// Run one node: an HTTP server whose sessions live on every member of the cluster.
    Node(Box<NodeArgs>),
    /// Start three nodes on this machine and show what they are good for.
    Demo(DemoArgs),
    /// Take part in a channel by hand: receive, send, ask.
    Channel(ChannelArgs),
    /// Measure the channel, the sessions or the state transfer on this machine.
    Bench(BenchArgs),
    /// Explain captured bytes as JSON.
    Decode(DecodeArgs),
    /// A receiver for `bench channel`: started by it, of no use alone.
    #[command(hide = true)]
    BenchReceiver(BenchReceiverArgs),
}

/// Options of `clowder node`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Examples:\n  \
    A node alone, to try things out:\n    \
      clowder node\n    \
      curl -c jar -b jar 'http://127.0.0.1:8080/app/s?op=set&name=user&value=alice'\n\n  \
    Two nodes that know each other (the id is yours to choose, 32 hexadecimal digits):\n    \
      clowder node --http 10.0.0.1:8080 --cluster 10.0.0.1:4000 --id 01010101010101010101010101010101 \\\n        \
        --peer 10.0.0.2:4000/02020202020202020202020202020202\n    \
      clowder node --http 10.0.0.2:8080 --cluster 10.0.0.2:4000 --id 02020202020202020202020202020202 \\\n        \
        --peer 10.0.0.1:4000/01010101010101010101010101010101\n\n  \
    Beside Tomcats with <Cluster className=\"org.apache.catalina.ha.tcp.SimpleTcpCluster\"/> and nothing else,\n  \
    whose application is deployed as /shop:\n    \
      clowder node --cluster 10.0.0.3:4000 --multicast 228.0.0.4:45564 --context /shop\n    \
    and if there is a <Channel> with interceptors in it:\n    \
      clowder node --cluster 10.0.0.3:4000 --multicast 228.0.0.4:45564 --context /shop --chain @server.xml\n\n  \
    In Kubernetes, with all pods of the namespace that have the label app=shop; or with all addresses of a headless\n  \
    service:\n    \
      KUBERNETES_LABELS=app=shop clowder node --http 0.0.0.0:8080 --cluster 0.0.0.0:4000 --kubernetes\n    \
      clowder node --http 0.0.0.0:8080 --cluster 0.0.0.0:4000 --dns shop.default.svc.cluster.local\n\n  \
    Where multicast does not reach, every node with the same list (port 45564 is that of Tomcat's heartbeats):\n    \
      clowder node --cluster 10.0.0.3:4000 --heartbeat-to 10.0.0.3:45564 --heartbeat-to 10.0.0.4:45564\n\n\
    The cluster's protocol knows no passwords: bind --cluster to a network that only the members reach. The layer encrypt \
    of --chain encrypts messages; between Clowder nodes --tls-cert and its companions also tell members from strangers.\n\
    On standard output appears one line, READY http=ADDR cluster=ADDR, as soon as requests are answered from the \
    cluster's state. SIGTERM and Ctrl-C take leave of the cluster, finish running requests and exit with 0.")]
pub(crate) struct NodeArgs {
    /// Where browsers connect. Port 0: any free one, the READY line says which.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) http: SocketAddr,

    /// Path of the application. Sessions are shared with the Tomcats' application of the same path.
    #[arg(long, value_name = "PATH", default_value = "/app", value_parser = context_path)]
    pub(crate) context: String,

    /// Virtual host that the application belongs to at the Tomcats; with --context it makes the name by which the
    /// members tell applications apart (`localhost#/app`). Empty if their `<Cluster>` stands inside of a `<Host>`.
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub(crate) virtual_host: String,

    /// How sessions are kept: `delta` has all sessions on all members, as Tomcat's DeltaManager.
    #[arg(long, value_name = "KIND", default_value = "delta")]
    pub(crate) manager: Manager,

    /// When a request is answered: `sync` after the other members confirmed its changes, `async` at once.
    #[arg(long, value_name = "MODE", default_value = "sync")]
    pub(crate) replication: Replication,

    /// Name of this node behind a sticky load balancer (Tomcat's jvmRoute): session ids end with `.NAME`.
    #[arg(long, value_name = "NAME", value_parser = route)]
    pub(crate) route: Option<String>,

    /// How long running requests may take to finish after SIGTERM or Ctrl-C, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) drain: Duration,

    /// Send heartbeats to this address, where multicast does not reach: every address of the name, resolved again each
    /// 30 seconds. Repeat it for more; the node itself may be among them. Each node must send its own to the others. Those
    /// of the others arrive at the port of the first one, on every local address.
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    pub(crate) heartbeat_to: Vec<String>,

    /// Find members by the API server of the Kubernetes cluster that this node is a pod of. Tomcat's environment variables
    /// say more: KUBERNETES_NAMESPACE (default: the pod's own), KUBERNETES_LABELS (a selector such as app=shop; default:
    /// every pod), KUBERNETES_SERVICE_HOST and _PORT, SA_TOKEN_FILE, KUBERNETES_CA_CERTIFICATE_FILE, or their
    /// OPENSHIFT_KUBE_PING_ forms. All members use one --cluster port. The pods' service account needs `kubectl create
    /// role clowder --verb=list,watch --resource=pods`, bound to it. The node's id follows from its pod: leave out --id.
    #[cfg(feature = "kubernetes")]
    #[arg(long)]
    pub(crate) kubernetes: bool,

    /// Find members by the addresses of this name, such as a headless service, asked for every 5 seconds. All members use
    /// one --cluster port. Let a headless service publish addresses that are not ready, or a node that starts waits for
    /// the others longer than it needs to. The node's id follows from its address: leave out --id.
    #[arg(long, value_name = "NAME", value_parser = dns_name)]
    pub(crate) dns: Option<String>,

    /// Find members by the SRV records of this name, such as _tribes._tcp.shop.default.svc.cluster.local; unlike --dns,
    /// each member has a port of its own. The node's id follows from its address: leave out --id.
    #[cfg(feature = "dns-srv")]
    #[arg(long, value_name = "NAME", value_parser = dns_name)]
    pub(crate) dns_srv: Option<String>,

    #[command(flatten)]
    pub(crate) end: EndArgs,
}

/// Options of `clowder demo`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Everything happens on 127.0.0.1. Open a second terminal for the tour; Ctrl-C in the \
                             first one ends all three nodes.")]
pub(crate) struct DemoArgs {
    /// When a request is answered: `sync` after the other nodes confirmed its changes, `async` at once.
    #[arg(long, value_name = "MODE", default_value = "sync")]
    pub(crate) replication: Replication,
}

/// Options of `clowder bench`.
#[derive(Args, Debug)]
#[command(after_long_help = "Every node is a process of its own, clients are closed loops (a new request when the \
                             answer of the last one is there), and each case warms up before it counts. Progress is on \
                             standard error, one JSON line for each case on standard output.")]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) what: BenchKind,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchKind {
    /// Messages from one node to another: throughput and latency.
    Channel(BenchChannelArgs),
    /// Sessions over HTTP with two nodes: requests per second, and memory of many sessions.
    Sessions(BenchSessionsArgs),
    /// How long a starting node needs to get all sessions of a running one.
    Transfer(BenchTransferArgs),
}

/// Options of `clowder bench channel`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Without --senders and --ack a matrix is run: 1, 8, 24, 64, 256 and 2000 senders, each \
    without acknowledgement, acknowledged on receipt, and acknowledged after processing; in front of it stands the \
    plain TCP ping-pong of this machine ({\"case\":\"raw-pingpong\",…}) for comparison.\n\n\
    Examples:\n  \
      clowder bench channel\n  \
      clowder bench channel --senders 8 --ack processed --seconds 5\n  \
      clowder bench channel --senders 256 --ack processed --rounds 20 --seconds 1 --chain '' --chain order\n  \
      clowder bench channel --target 127.0.0.1:4000/01010101010101010101010101010101   # a Tomcat, for example")]
pub(crate) struct BenchChannelArgs {
    /// Bytes in the body of a message.
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(0..=16 << 20))]
    pub(crate) size: u32,

    /// Concurrent senders, each with one message under way. Repeat it for several cases.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) senders: Vec<u32>,

    /// What a sender waits for. Repeat it for several cases.
    #[arg(long, value_name = "WHAT")]
    pub(crate) ack: Vec<AckMode>,

    /// Measured time of each case.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub(crate) seconds: Duration,

    /// Send to a receiver that already runs instead of a process started for it.
    #[arg(long, value_name = "HOST:PORT/HEX32")]
    pub(crate) target: Option<Peer>,

    /// Who reads in the receiver that is started: tasks of the runtime, or a thread for each connection.
    #[arg(long, value_name = "KIND", default_value = "async", conflicts_with = "target")]
    pub(crate) receiver: ReceiverMode,

    /// The chain of both ends, as `clowder channel` takes it. Repeat it: the chains are compared, each case of one with
    /// the same case of the others right behind it.
    #[arg(long, value_name = "CHAIN", value_parser = chain)]
    pub(crate) chain: Vec<String>,

    /// How often each case runs. With several chains and rounds, a line for each tells what it costs against the first,
    /// as a share of the throughput, and of what the time on processors would allow: the median and quartiles of the
    /// rounds' own ratios.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
}

/// A chain as text, checked and kept as it is.
fn chain(text: &str) -> Result<String, String> {
    chain_text::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Options of `clowder bench sessions`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "The load is the sample application's op=set on one session for each client, a value of \
    --size bytes in each request. To drive it with wrk instead, start two nodes with `clowder node` and run\n  \
      wrk -t1 -c16 -d10 -H 'Cookie: JSESSIONID=ID' 'http://127.0.0.1:8080/app/s?op=inc'")]
pub(crate) struct BenchSessionsArgs {
    /// Concurrent clients, each with one connection, one session and one request under way.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) clients: u32,

    /// Bytes that one session holds.
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) size: u32,

    /// Sessions for the measurement of memory; 0 leaves it out.
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    pub(crate) sessions: u32,

    /// Measured time of each case.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) seconds: Duration,
}

/// Options of `clowder bench transfer`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchTransferArgs {
    /// Sessions to transfer.
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sessions: u32,

    /// Bytes that one session holds.
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) size: u32,

    /// How many nodes are started one after the other, each with a line of its own.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
}

/// Options of the hidden receiver.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchReceiverArgs {
    /// Where to receive.
    #[arg(long, default_value = "127.0.0.1:0", value_parser = listen)]
    pub(crate) cluster: String,

    /// The chain.
    #[arg(long, default_value = "", value_parser = chain)]
    pub(crate) chain: String,

    /// Who reads.
    #[arg(long, default_value = "async")]
    pub(crate) receiver: ReceiverMode,
}

/// Options of `clowder decode`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Examples:\n  \
      clowder decode --kind member 5452494245532d42…      bytes as hexadecimal digits\n  \
      clowder decode --kind frames @capture.bin            a file, raw or as hexadecimal digits\n  \
      tshark … -T fields -e tcp.payload | clowder decode --kind frames -\n  \
      clowder decode --kind session --check @body.hex      also encode again and compare every byte\n  \
      clowder decode --kind encrypt --key 0123…ef 8f14…    with the key of the cluster\n\n\
    Malformed bytes are an error that names what is wrong and at which offset, with exit code 1; frames in front of \
    the mistake are still printed.")]
pub(crate) struct DecodeArgs {
    /// What the bytes are.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: DecodeKind,

    /// Encode what was decoded again and compare every byte.
    #[arg(long)]
    pub(crate) check: bool,

    #[command(flatten)]
    pub(crate) key: DecodeKey,

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
    /// The body of an RPC message, or what the static membership service says plainly.
    Rpc,
    /// The body of a message between coordinators.
    Coordination,
    /// A body with what Tomcat's FragmentationInterceptor puts behind it.
    Fragment,
    /// A body with the number that the OrderInterceptor puts behind it.
    Order,
    /// A body of the TwoPhaseCommitInterceptor: a message, or what confirms one.
    TwoPhase,
    /// A body that the GzipInterceptor compressed.
    Gzip,
    /// A body that the EncryptInterceptor encrypted; needs --key.
    Encrypt,
}

/// How to open an encrypted body.
#[derive(Args, Clone, Debug)]
pub(crate) struct DecodeKey {
    /// The key of --kind encrypt: Tomcat's encryptionKey, hexadecimal digits.
    #[arg(long, value_name = "HEX", required_if_eq("kind", "encrypt"))]
    pub(crate) key: Option<Key>,

    /// Its algorithm, Tomcat's encryptionAlgorithm. Default: that of --generation.
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(crate) algorithm: Option<Algorithm>,

    /// A release of Tomcat whose format it has. Default: the current one.
    #[arg(long, value_name = "VERSION", requires = "key")]
    pub(crate) generation: Option<Generation>,
}

/// How sessions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Manager {
    /// All sessions on all members.
    Delta,
}

/// When a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Replication {
    /// After the other members confirmed the changes.
    Sync,
    /// At once; changes still arrive in order.
    Async,
}

impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Replication::Sync => "sync",
            Replication::Async => "async",
        })
    }
}

/// Who reads the connections of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReceiverMode {
    /// Tasks of the runtime.
    Async,
    /// A thread for each connection.
    Threads,
}

impl ReceiverMode {
    /// As the command line has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ReceiverMode::Async => "async",
            ReceiverMode::Threads => "threads",
        }
    }
}

/// What the sender of a message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AckMode {
    /// Nothing: the message was handed to the operating system.
    None,
    /// The receiver has it.
    Received,
    /// The receiver's application is done with it.
    Processed,
}

impl fmt::Display for AckMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AckMode::None => "none",
            AckMode::Received => "received",
            AckMode::Processed => "processed",
        })
    }
}

/// The 16 bytes that tell members at one address apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct UniqueId(pub(crate) [u8; 16]);

impl FromStr for UniqueId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| {
            let digits = text.chars().count();
            format!(
                "an id is 32 hexadecimal digits, this has {digits} characters; \
                 Tomcat's uniqueId=\"{{1,2,…,16}}\" is written 0102…10"
            )
        })?;
        Ok(UniqueId(id))
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A static member as the command line names it. The host may still be a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// `HOST:PORT`.
    pub(crate) address: String,
    /// Its unique id.
    pub(crate) unique_id: UniqueId,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "write HOST:PORT/HEX32, for example 10.0.0.2:4000/02020202020202020202020202020202";
        let (address, id) = text.split_once('/').ok_or_else(|| format!("the member's id is missing; {FORM}"))?;
        let (host, port) = address.rsplit_once(':').ok_or_else(|| format!("the port is missing; {FORM}"))?;
        if host.is_empty() {
            return Err(format!("the host is missing; {FORM}"));
        }
        if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            return Err(format!("an IPv6 address stands in brackets, [{host}]:{port}"));
        }
        match port.parse::<u16>() {
            Ok(0) | Err(_) => return Err(format!("'{port}' is no port, 1 to 65535; {FORM}")),
            Ok(_) => {}
        }
        Ok(Peer { address: address.to_owned(), unique_id: id.parse()? })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.unique_id)
    }
}

/// `IP:PORT` or `IP:FIRST-LAST`, kept as text: the channel binds the first free port of the range.
fn listen(text: &str) -> Result<String, String> {
    const FORM: &str = "write IP:PORT or IP:FIRST-LAST, for example 10.0.0.1:4000 or [::1]:4000-4100";
    let (host, ports) = text.rsplit_once(':').ok_or_else(|| format!("the port is missing; {FORM}"))?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().map_err(|_| format!("'{host}' is no IP address; {FORM}"))?;
    let port = |text: &str| text.parse::<u16>().map_err(|_| format!("'{text}' is no port; {FORM}"));
    if let Some((first, last)) = ports.split_once('-') {
        let (first, last) = (port(first)?, port(last)?);
        if first == 0 || first > last {
            return Err(format!("{first}-{last} is an empty range; {FORM}"));
        }
    } else {
        port(ports)?;
    }
    Ok(text.to_owned())
}

fn multicast_group(text: &str) -> Result<SocketAddr, String> {
    let group: SocketAddr =
        text.parse().map_err(|_| "write GROUP:PORT, for example 228.0.0.4:45564 (Tomcat's default)".to_owned())?;
    if !group.ip().is_multicast() {
        return Err(format!(
            "{} is not a multicast address (224.0.0.0 to 239.255.255.255, ff00::/8); for one member write --peer",
            group.ip()
        ));
    }
    if group.port() == 0 {
        return Err("port 0 cannot be shared; all members use one port, Tomcat's default is 45564".to_owned());
    }
    Ok(group)
}

fn host_and_port(text: &str) -> Result<String, String> {
    const FORM: &str = "write HOST:PORT, for example 10.0.0.2:45564 (the port of Tomcat's heartbeats)";
    let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("the port is missing; {FORM}"))?;
    if host.is_empty() {
        return Err(format!("the host is missing; {FORM}"));
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(format!("an IPv6 address stands in brackets, [{host}]:{port}"));
    }
    match port.parse::<u16>() {
        Ok(0) | Err(_) => Err(format!("'{port}' is no port, 1 to 65535; {FORM}")),
        Ok(_) => Ok(text.to_owned()),
    }
}

fn dns_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains([':', '/', ' ']) {
        return Err("a name alone, without a port, for example shop.default.svc.cluster.local".to_owned());
    }
    Ok(text.to_owned())
}

/// Tomcat's form of a context path: empty for the root, else a slash in front and none behind.
fn context_path(text: &str) -> Result<String, String> {
    match text {
        "" | "/" => Ok(String::new()),
        _ if !text.starts_with('/') => Err(format!("a context path begins with a slash: /{text}")),
        _ if text.ends_with('/') => Err(format!("without the slash at the end: {}", text.trim_end_matches('/'))),
        _ if text.contains(['{', '}', '*', '?', '#', ';', ' ']) => {
            Err("a context path has no blanks and none of {}*?#;".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

/// A route ends a session id, which is a cookie's value and is cut at the last point.
fn route(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err("a route consists of letters, digits, - and _".to_owned());
    }
    Ok(text.to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds from 0 to 86400, for example 2.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn peers() {
        let id = "000102030405060708090a0b0c0d0e0f";
        let peer: Peer = format!("10.0.0.2:4000/{id}").parse().unwrap();
        assert_eq!((peer.address.as_str(), peer.unique_id.to_string().as_str()), ("10.0.0.2:4000", id));
        assert_eq!(format!("[::1]:4000/{id}").parse::<Peer>().unwrap().address, "[::1]:4000");
        let refused = |text: &str, says: &str| {
            let error = text.parse::<Peer>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        };
        refused("10.0.0.2:4000", "id is missing");
        refused(&format!("10.0.0.2/{id}"), "port is missing");
        refused(&format!(":4000/{id}"), "host is missing");
        refused(&format!("10.0.0.2:0/{id}"), "no port");
        refused(&format!("::1:4000/{id}"), "[::1]:4000");
        refused("10.0.0.2:4000/0102", "32 hexadecimal digits, this has 4");
        refused("10.0.0.2:4000/zz0102030405060708090a0b0c0d0e0f", "32 hexadecimal digits");
    }

    #[test]
    fn listening_addresses() {
        for good in ["127.0.0.1:0", "0.0.0.0:4000-4100", "[::1]:4000"] {
            assert_eq!(listen(good).as_deref(), Ok(good));
        }
        for (bad, says) in [
            ("4000", "port is missing"),
            ("localhost:4000", "no IP address"),
            ("127.0.0.1:x", "'x' is no port"),
            ("127.0.0.1:4100-4000", "empty range"),
            ("127.0.0.1:0-3", "empty range"),
        ] {
            let error = listen(bad).unwrap_err();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn multicast_groups() {
        assert!(multicast_group("228.0.0.4:45564").is_ok() && multicast_group("[ff02::4]:45564").is_ok());
        assert!(multicast_group("10.0.0.1:4000").unwrap_err().contains("--peer"));
        assert!(multicast_group("228.0.0.4").unwrap_err().contains("GROUP:PORT"));
        assert!(multicast_group("228.0.0.4:0").unwrap_err().contains("45564"));
    }

    #[test]
    fn addresses_of_heartbeats() {
        for good in ["10.0.0.2:45564", "other.example:45564", "[::1]:45564"] {
            assert_eq!(host_and_port(good).as_deref(), Ok(good));
        }
        for (bad, says) in
            [("10.0.0.2", "port is missing"), (":1", "host is missing"), ("a:0", "no port"), ("::1:4", "[::1]:4")]
        {
            let error = host_and_port(bad).unwrap_err();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn names_of_directories_have_no_port() {
        assert_eq!(dns_name("_tribes._tcp.shop.test.").as_deref(), Ok("_tribes._tcp.shop.test."));
        for bad in ["", "shop:4000", "http://shop", "a b"] {
            assert!(dns_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn context_paths_are_written_as_tomcat_does() {
        assert_eq!((context_path("/"), context_path("/a/b")), (Ok(String::new()), Ok("/a/b".to_owned())));
        for bad in ["app", "/app/", "/a b", "/{x}", "/a*"] {
            assert!(context_path(bad).is_err(), "{bad}");
        }
    }
}
