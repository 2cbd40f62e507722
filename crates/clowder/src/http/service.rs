//! The service around the application: bind the request, run the handler, send what changed, perhaps wait.
//!
//! No task is spawned and nothing is boxed here; the future is the handler's with a few words around it. The request
//! is finished exactly once: with the handler's answer, or when the future is dropped before (a panic, a client that
//! went away).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::header::SET_COOKIE;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::cookie::CookieSettings;
use crate::session::{CookieChange, Session};
use crate::sessions::{Confirmation, Sessions};

/// A service whose requests carry a [`Session`]; made by [`SessionLayer`](crate::SessionLayer).
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    sessions: Sessions,
    cookie: Arc<CookieSettings>,
}

impl<S> SessionService<S> {
    pub(crate) fn new(inner: S, sessions: Sessions, cookie: Arc<CookieSettings>) -> Self {
        Self { inner, sessions, cookie }
    }
}

impl<S, B, R> Service<Request<B>> for SessionService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let session = Session::of_request(&self.sessions, self.cookie.candidates(request.headers()));
        let running = Running { session: session.clone(), cookie: self.cookie.clone(), finished: false };
        request.extensions_mut().insert(session);
        ResponseFuture { stage: Stage::Handler { handler: self.inner.call(request), running } }
    }
}

/// A request between its arrival and the moment when its changes are handed to the channel.
struct Running {
    session: Session,
    cookie: Arc<CookieSettings>,
    finished: bool,
}

impl Running {
    /// The handler has answered: sends what changed, and gives the answer its cookie.
    fn finish<R>(&mut self, response: Option<&mut Response<R>>) -> Confirmation {
        self.finished = true;
        let finished = self.session.finish();
        if let Some(response) = response {
            let cookie = match &finished.cookie {
                CookieChange::Keep => None,
                CookieChange::Set(id) => Some(self.cookie.setting(&id.to_text())),
                CookieChange::Remove => Some(self.cookie.removal()),
            };
            if let Some(cookie) = cookie {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
        }
        finished.confirmation
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.finished {
            // Panicked or cancelled: nobody is left to wait, but what was recorded is sent.
            drop(self.session.finish());
        }
    }
}

pin_project! {
    /// The answer on its way; see [`SessionLayer`](crate::SessionLayer) for what it waits for.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, R> {
        #[pin]
        stage: Stage<F, R>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F, R> {
        Handler { #[pin] handler: F, running: Running },
        Confirming { confirmation: Confirmation, since: Instant, response: Option<Response<R>> },
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        if let StageProjection::Handler { handler, running } = stage.as_mut().project() {
            let mut result = ready!(handler.poll(cx));
            let confirmation = running.finish(result.as_mut().ok());
            match result {
                Ok(response) if !confirmation.is_empty() => {
                    let since = Instant::now();
                    stage.set(Stage::Confirming { confirmation, since, response: Some(response) });
                }
                // An error of the service tells the client nothing about its changes, so it waits for nothing.
                result => return Poll::Ready(result),
            }
        }
        match stage.project() {
            StageProjection::Confirming { confirmation, since, response } => {
                ready!(Pin::new(confirmation).poll(cx));
                metrics::histogram!("clowder_session_confirmation_seconds").record(since.elapsed());
                Poll::Ready(Ok(response.take().expect("a future is not polled after it was ready")))
            }
            StageProjection::Handler { .. } => unreachable!("the handler's stage returned or was replaced above"),
        }
    }
}
