//! A browser for tests: calls a router without a socket and keeps the session cookie.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{Request, StatusCode};
use tower_service::Service;

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    /// The whole `Set-Cookie` header, if there was one.
    pub(crate) set_cookie: Option<String>,
}

impl Answer {
    /// The id in `Set-Cookie`.
    pub(crate) fn id(&self) -> Option<&str> {
        self.set_cookie.as_deref()?.strip_prefix("JSESSIONID=")?.split(';').next()
    }
}

/// One request with this cookie.
pub(crate) async fn call(app: &Router, path: &str, id: Option<&str>) -> Answer {
    let mut request = Request::builder().uri(path);
    if let Some(id) = id {
        request = request.header(COOKIE, format!("theme=dark; JSESSIONID={id}"));
    }
    let response = app.clone().call(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let cookies: Vec<_> = parts.headers.get_all(SET_COOKIE).iter().collect();
    assert!(cookies.len() <= 1, "one answer sets one session cookie: {cookies:?}");
    let set_cookie = cookies.first().map(|value| value.to_str().unwrap().to_owned());
    let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
    Answer { status: parts.status, body, set_cookie }
}

/// A user's browser.
#[derive(Default)]
pub(crate) struct Browser {
    pub(crate) id: Option<String>,
}

impl Browser {
    /// Requests `path` and keeps what `Set-Cookie` says.
    pub(crate) async fn get(&mut self, app: &Router, path: &str) -> Answer {
        let answer = call(app, path, self.id.as_deref()).await;
        if let Some(id) = answer.id() {
            self.id = (!id.is_empty()).then(|| id.to_owned());
        }
        answer
    }
}
