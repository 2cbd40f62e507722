//! Sockets on loopback. Every wait is for a condition.

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

async fn receiver() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap().to_string();
    (socket, addr)
}

async fn next(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2000];
    let (length, _) = tokio::time::timeout(PATIENCE, socket.recv_from(&mut buffer)).await.expect("in time").unwrap();
    buffer[..length].to_vec()
}

fn config(to: &[&str]) -> UnicastHeartbeats {
    UnicastHeartbeats::new(to.to_vec()).bind("127.0.0.1:0".parse().unwrap())
}

#[tokio::test]
async fn a_heartbeat_goes_to_every_address() {
    let ((a, to_a), (b, to_b)) = (receiver().await, receiver().await);
    let unicast = Unicast::open(config(&[&to_a, "name.invalid:45564", &to_b])).unwrap();
    unicast.send(Bytes::from_static(b"one"));
    assert_eq!((next(&a).await, next(&b).await), (b"one".to_vec(), b"one".to_vec()));
}

#[tokio::test]
async fn what_was_sent_leaves_before_the_end() {
    let (a, to_a) = receiver().await;
    let unicast = Unicast::open(config(&[&to_a])).unwrap();
    unicast.send(Bytes::from_static(b"one"));
    unicast.send(Bytes::from_static(b"goodbye"));
    unicast.flushed().await;
    assert_eq!((next(&a).await, next(&a).await), (b"one".to_vec(), b"goodbye".to_vec()));
}

#[tokio::test]
async fn heartbeats_of_others_are_received() {
    let (to, addr) = receiver().await;
    let mut unicast = Unicast::open(config(&[&addr])).unwrap();
    unicast.send(Bytes::from_static(b"here"));
    let mut buffer = [0; 10];
    let (_, from) = to.recv_from(&mut buffer).await.unwrap();
    to.send_to(b"there", from).await.unwrap();
    let (source, datagram) = tokio::time::timeout(PATIENCE, unicast.received()).await.expect("in time");
    assert_eq!((source.to_string(), &datagram[..]), (addr, &b"there"[..]));
}

#[tokio::test]
async fn names_that_fail_keep_their_addresses() {
    let (_, to_a) = receiver().await;
    let socket = socket("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut task = Task { config: config(&[&to_a]), socket, targets: BTreeMap::new() };
    let name = || "a.test:1".to_owned();
    let addr: SocketAddr = to_a.parse().unwrap();
    let other: SocketAddr = "[::1]:1".parse().unwrap();
    assert_eq!(task.learn(vec![(name(), Ok(vec![other, addr]))]), Duration::from_secs(30));
    for failed in [Err(io::ErrorKind::NotFound.into()), Ok(vec![other])] {
        assert_eq!(task.learn(vec![(name(), failed)]), RETRY, "it is tried again soon");
        assert_eq!(task.targets[&name()], [addr]);
    }
}

#[tokio::test]
async fn an_address_that_is_not_here_is_an_error_with_its_name() {
    let bind: SocketAddr = "192.0.2.7:45564".parse().unwrap();
    let config = UnicastHeartbeats::new(["127.0.0.1:1"]).bind(bind);
    let error = Unicast::open(config).err().expect("no such address");
    assert!(error.to_string().contains("192.0.2.7:45564"), "{error}");
}
