//! An API server over TLS that has pods, tells their changes, and misbehaves when it is told to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

pub(super) const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.first";

/// How it answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Mood {
    #[default]
    Well,
    /// This status and body, to every request.
    Answers(u16, String),
    /// Half of the list, then the connection ends. No watches.
    BreaksOff,
    /// Nothing at all.
    Hangs,
    /// Lists are answered, watches with this status.
    NoWatch(u16),
    /// Watches end at once.
    ClosesWatches,
    /// Watches begin with the word that the version is too old.
    Forgot,
}

#[derive(Default)]
struct State {
    mood: Mood,
    token: String,
    version: u64,
    pods: BTreeMap<String, Value>,
    watches: Vec<mpsc::UnboundedSender<Bytes>>,
    /// Changes and their versions, for watches that begin later.
    history: Vec<(u64, Bytes)>,
    requests: Vec<String>,
}

impl State {
    fn tell(&mut self, kind: &str, object: &Value) {
        let line = Bytes::from(format!("{}\n", json!({"type": kind, "object": object})));
        if kind != "BOOKMARK" {
            self.history.push((self.version, line.clone()));
        }
        self.watches.retain(|watch| watch.send(line.clone()).is_ok());
    }
}

#[derive(Clone)]
pub(super) struct ApiServer {
    pub(super) addr: SocketAddr,
    state: Arc<Mutex<State>>,
    files: Arc<tempfile::TempDir>,
}

/// A certificate authority's certificate, and a server's for 127.0.0.1 that it signed.
fn certificates() -> (String, ServerConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = names.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth();
    (authority.pem(), config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

impl ApiServer {
    pub(super) async fn start() -> Self {
        let (authority, tls) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = ApiServer {
            addr: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(State { token: TOKEN.to_owned(), version: 100, ..State::default() })),
            files: Arc::new(tempfile::tempdir().unwrap()),
        };
        std::fs::write(server.ca_file(), authority).unwrap();
        std::fs::write(server.token_file(), format!("{TOKEN}\n")).unwrap();
        tokio::spawn(server.clone().accept(listener, TlsAcceptor::from(Arc::new(tls))));
        server
    }

    pub(super) fn ca_file(&self) -> PathBuf {
        self.files.path().join("ca.crt")
    }

    pub(super) fn token_file(&self) -> PathBuf {
        self.files.path().join("token")
    }

    async fn accept(self, listener: TcpListener, tls: TlsAcceptor) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(self.clone().serve(stream, tls.clone()));
        }
    }

    async fn serve(self, stream: TcpStream, tls: TlsAcceptor) {
        let Ok(stream) = tls.accept(stream).await else { return };
        let service = service_fn(|request| self.answer(request));
        // A client that goes away is the point of some tests.
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn answer(&self, request: Request<hyper::body::Incoming>) -> Result<Response<Answer>, Infallible> {
        let uri = request.uri().to_string();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let token = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let (mood, expected) = {
            let mut state = self.state();
            state.requests.push(uri);
            (state.mood.clone(), format!("Bearer {}", state.token))
        };
        if mood == Mood::Hangs {
            return std::future::pending().await;
        }
        if let Mood::Answers(status, body) = mood {
            return Ok(respond(status, Answer::whole(body)));
        }
        if token != Some(expected) {
            return Ok(respond(401, Answer::whole(status(401, "Unauthorized"))));
        }
        if request.uri().path() != "/api/v1/namespaces/shop/pods" {
            return Ok(respond(404, Answer::whole(status(404, "the server could not find the requested resource"))));
        }
        Ok(if query.contains("watch=true") { self.watch(&mood, &query) } else { self.list(&mood, &query) })
    }

    fn list(&self, mood: &Mood, query: &str) -> Response<Answer> {
        let state = self.state();
        let address = query.split('&').find_map(|part| part.strip_prefix("fieldSelector=status.podIP%3D"));
        let labels = query.split('&').find_map(|part| part.strip_prefix("labelSelector=app%3D"));
        let chosen = |pod: &&Value| {
            address.is_none_or(|ip| pod["status"]["podIP"] == ip)
                && labels.is_none_or(|app| pod["metadata"]["labels"]["app"] == app)
        };
        let items: Vec<&Value> = state.pods.values().filter(chosen).collect();
        let version = state.version.to_string();
        let list =
            json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items});
        let list = list.to_string();
        if *mood == Mood::BreaksOff {
            let half = list[..list.len() / 2].to_owned();
            return Response::builder().header("content-length", list.len()).body(Answer::whole(half)).unwrap();
        }
        respond(200, Answer::whole(list))
    }

    fn watch(&self, mood: &Mood, query: &str) -> Response<Answer> {
        match mood {
            Mood::NoWatch(code) => respond(*code, Answer::whole(status(*code, "watching is not allowed"))),
            Mood::BreaksOff => respond(500, Answer::whole(status(500, "no"))),
            Mood::ClosesWatches => respond(200, Answer::whole(String::new())),
            Mood::Forgot => {
                let gone: Value = serde_json::from_str(&status(410, "too old resource version")).unwrap();
                respond(200, Answer::whole(format!("{}\n", json!({"type": "ERROR", "object": gone}))))
            }
            _ => {
                let (sender, receiver) = mpsc::unbounded_channel();
                let since = query.split('&').find_map(|part| part.strip_prefix("resourceVersion="));
                let since: u64 = since.expect("the version of the list").parse().unwrap();
                let mut state = self.state();
                for (_, line) in state.history.iter().filter(|(version, _)| *version > since) {
                    sender.send(line.clone()).unwrap();
                }
                state.watches.push(sender);
                drop(state);
                respond(200, Answer { whole: None, events: Some(receiver) })
            }
        }
    }

    pub(super) fn mood(&self, mood: Mood) {
        let mut state = self.state();
        state.mood = mood;
        state.watches.clear();
    }

    /// From now on this token alone is accepted.
    pub(super) fn renew_token(&self, token: &str) {
        self.state().token = token.to_owned();
    }

    /// Watches are told that all of it was changed.
    pub(super) fn put(&self, pod: Value) {
        let mut state = self.state();
        state.version += 1;
        let mut pod = pod;
        pod["metadata"]["resourceVersion"] = state.version.to_string().into();
        let name = pod["metadata"]["name"].to_string();
        let kind = if state.pods.contains_key(&name) { "MODIFIED" } else { "ADDED" };
        state.tell(kind, &pod);
        state.pods.insert(name, pod);
    }

    pub(super) fn delete(&self, name: &str) {
        let mut state = self.state();
        state.version += 1;
        let mut pod = state.pods.remove(&json!(name).to_string()).expect("the pod");
        pod["metadata"]["resourceVersion"] = state.version.to_string().into();
        state.tell("DELETED", &pod);
    }

    pub(super) fn bookmark(&self, version: u64) {
        self.state().version = version;
        let mark = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": version.to_string()}});
        self.state().tell("BOOKMARK", &mark);
    }

    /// Watches are told something that is none of the protocol's words.
    pub(super) fn garble(&self) {
        let garbage = Bytes::from_static(b"<html>\n");
        self.state().watches.retain(|watch| watch.send(garbage.clone()).is_ok());
    }

    pub(super) fn close_watches(&self) {
        self.state().watches.clear();
    }

    pub(super) fn watched(&self) -> usize {
        let mut state = self.state();
        state.watches.retain(|watch| !watch.is_closed());
        state.watches.len()
    }

    /// Paths and queries since the last look.
    pub(super) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state().requests)
    }
}

/// What an API server says instead of an answer.
pub(super) fn status(code: u16, message: &str) -> String {
    let reason = match code {
        403 => "Forbidden",
        410 => "Expired",
        _ => "",
    };
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code
    })
    .to_string()
}

fn respond(status: u16, body: Answer) -> Response<Answer> {
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}

/// One piece, or events for as long as somebody tells them.
pub(super) struct Answer {
    whole: Option<Bytes>,
    events: Option<mpsc::UnboundedReceiver<Bytes>>,
}

impl Answer {
    fn whole(text: String) -> Self {
        Answer { whole: Some(text.into()), events: None }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(whole) = self.whole.take() {
            return Poll::Ready(Some(Ok(Frame::data(whole))));
        }
        match &mut self.events {
            None => Poll::Ready(None),
            Some(events) => events.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event)))),
        }
    }
}
