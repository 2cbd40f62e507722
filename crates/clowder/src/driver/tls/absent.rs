//! What TLS is without the feature: nothing that a connection could be made of.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use crate::driver::env::Env;
use crate::driver::net::{self, TcpListener};
use crate::driver::refused::Refusals;
use crate::transport::SocketOptions;

pub(crate) enum Tls {}

impl Tls {
    pub(crate) fn listen(&self) -> Option<&str> {
        match *self {}
    }

    pub(crate) fn requires(&self) -> bool {
        match *self {}
    }

    pub(crate) async fn connect(
        &self,
        _: &Refusals,
        _: SocketAddr,
        _: &SocketOptions,
    ) -> io::Result<(net::ReadHalf, net::WriteHalf)> {
        match *self {}
    }
}

pub(crate) enum ReadHalf {}

impl ReadHalf {
    pub(crate) fn poll_read(&mut self, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

pub(crate) enum WriteHalf {}

impl WriteHalf {
    pub(crate) fn try_write_vectored(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn try_flush(&self) -> io::Result<bool> {
        match *self {}
    }

    pub(crate) fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

pub(crate) fn complaint(_: &io::Error) -> Option<(&'static str, String)> {
    None
}

pub(crate) async fn run(_: Arc<Env>, _: TcpListener) {}
