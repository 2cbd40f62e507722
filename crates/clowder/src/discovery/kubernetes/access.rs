//! The way to the API server: files of the service account, certificates, one client.
//!
//! A cluster renews tokens and certificates while the node runs: the files are compared with what the client was made
//! from, and a new client takes the place of the old one.

use std::future::poll_fn;
use std::io::Read;
use std::path::Path;
use std::pin::Pin;

use http::{Request, StatusCode};
use http_body::Body;
use kube::{Client, Config};
use serde_json::Value;

use super::Kubernetes;

/// A token, a certificate or a key is smaller.
const FILE_MAX: u64 = 1024 * 1024;
/// A list of ten thousand pods is smaller.
const ANSWER_MAX: usize = 64 * 1024 * 1024;
/// What is told of an answer that is of no use.
const EXCERPT_MAX: usize = 200;

/// Why there is no answer: a short fixed name for the metrics, and a sentence for the operator.
pub(super) type Trouble = (&'static str, String);

/// Contents of the files.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    token: Option<String>,
    ca: Option<Vec<u8>>,
    certificate: Option<(Vec<u8>, Vec<u8>)>,
}

impl Files {
    fn read(config: &Kubernetes) -> Result<Self, Trouble> {
        let encrypted = config.server.starts_with("https:");
        let certificate = match &config.client_certificate {
            Some((certificate, key)) => Some((
                file(certificate).map_err(|error| ("certificate", format!("no client certificate: {error}")))?,
                file(key).map_err(|error| ("certificate", format!("no key of the client certificate: {error}")))?,
            )),
            None => None,
        };
        // Tomcat: with a certificate there is no token. It uses the file's content as it is; a header has one line.
        let token = match certificate {
            Some(_) => None,
            None => Some(token(&config.token_file)?),
        };
        let ca = encrypted.then(|| file(&config.ca_file)).transpose();
        let ca =
            ca.map_err(|error| ("ca", format!("no certificate authority to check the API server with: {error}")))?;
        Ok(Files { token, ca, certificate })
    }
}

fn token(path: &Path) -> Result<String, Trouble> {
    let remedy = "is automountServiceAccountToken off? Another place is named by SA_TOKEN_FILE";
    let bytes = file(path).map_err(|error| ("token", format!("no token: {error}; {remedy}")))?;
    let text = String::from_utf8(bytes).map_err(|_| ("token", format!("{} is no text", path.display())))?;
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_control) {
        return Err(("token", format!("{} holds no token", path.display())));
    }
    Ok(text.to_owned())
}

fn file(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    read().map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// A client, and what it was made from.
pub(super) struct Access {
    files: Files,
    pub(super) client: Client,
}

impl Access {
    pub(super) fn open(config: &Kubernetes) -> Result<Self, Trouble> {
        let files = Files::read(config)?;
        let url = config.server.parse().map_err(|error| ("environment", format!("{}: {error}", config.server)))?;
        let mut settings = Config::new(url);
        settings.default_namespace.clone_from(&config.namespace);
        settings.connect_timeout = Some(config.timeout);
        settings.write_timeout = Some(config.timeout);
        settings.default_retry = false; // when to ask again is decided in one place, not here
        settings.auth_info.token = files.token.clone().map(Into::into);
        if files.ca.is_some() {
            settings.root_cert_file = Some(config.ca_file.clone());
        }
        if let Some((certificate, key)) = &config.client_certificate {
            settings.auth_info.client_certificate = Some(certificate.display().to_string());
            settings.auth_info.client_key = Some(key.display().to_string());
        }
        let client = Client::try_from(settings).map_err(|error| ("certificate", chain(&error)))?;
        Ok(Access { files, client })
    }

    /// The files are others by now, and can be read.
    pub(super) fn is_outdated(&self, config: &Kubernetes) -> bool {
        Files::read(config).is_ok_and(|files| files != self.files)
    }

    /// The JSON that a request is answered with.
    pub(super) async fn ask(&self, config: &Kubernetes, request: Request<Vec<u8>>) -> Result<Value, Trouble> {
        let answer = async {
            let answer = self.client.send(request.map(Into::into)).await.map_err(|error| trouble(config, &error))?;
            let status = answer.status();
            let body = collect(answer.into_body()).await?;
            if status.is_success() { Ok(body) } else { Err(refused(config, status, &body)) }
        };
        let late = || ("timeout", format!("no answer of {} in {:?}", config.server, config.timeout));
        let body = tokio::time::timeout(config.timeout, answer).await.map_err(|_| late())??;
        serde_json::from_slice(&body).map_err(|error| {
            ("answer", format!("the answer of {} is not JSON: {error}: {}", config.server, excerpt(&body)))
        })
    }
}

async fn collect(
    mut body: impl Body<Data = bytes::Bytes, Error = impl std::error::Error> + Unpin,
) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| ("answer", format!("the answer broke off: {}", chain(&error))))?;
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > ANSWER_MAX {
            return Err(("answer", format!("the answer is larger than {ANSWER_MAX} bytes: narrow it by labels")));
        }
    }
    Ok(bytes)
}

/// What went wrong in the client.
pub(super) fn trouble(config: &Kubernetes, error: &kube::Error) -> Trouble {
    match error {
        kube::Error::Api(status) => {
            let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            refused(config, code, status.message.as_bytes())
        }
        error => ("connect", format!("cannot ask {}: {}", config.server, chain(error))),
    }
}

/// An answer that says no.
pub(super) fn refused(config: &Kubernetes, status: StatusCode, body: &[u8]) -> Trouble {
    let message = serde_json::from_slice::<Value>(body).ok();
    let message = message.as_ref().and_then(|status| status["message"].as_str()).map(str::to_owned);
    let message = message.unwrap_or_else(|| excerpt(body));
    let namespace = &config.namespace;
    let remedy = match status {
        StatusCode::FORBIDDEN => format!(
            "; allow it: kubectl -n {namespace} create role clowder --verb=list,watch --resource=pods && kubectl -n \
             {namespace} create rolebinding clowder --role=clowder --serviceaccount={namespace}:default (or the pods' \
             own service account)"
        ),
        StatusCode::UNAUTHORIZED if config.client_certificate.is_some() => {
            "; the client certificate is not accepted".into()
        }
        StatusCode::UNAUTHORIZED => format!("; the token in {} is not accepted", config.token_file.display()),
        _ => String::new(),
    };
    ("status", format!("{} answers {}: {message}{remedy}", config.server, status.as_u16()))
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_MAX)]);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}
