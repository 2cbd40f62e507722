//! What has no parts: strings, blocks, references, lengths and raw bytes.

use super::{Parser, Result};
use crate::code;
use crate::error::{ReadError, ReadErrorKind as Kind};
use crate::graph::{Node, NodeId, Span};
use crate::limits::Limit;

impl<'a> Parser<'a> {
    /// Reads a string whose code has been read.
    pub(super) fn string(&mut self, code: u8) -> Result<NodeId> {
        let start = self.at - 1;
        let long = code == code::STRING_LONG;
        let len = if long { self.length(8)? } else { usize::from(u16::from_be_bytes(self.array()?)) };
        if len > self.limits.string_bytes_max {
            return Err(ReadError::new(Kind::Limit(Limit::StringBytes), start));
        }
        let text = self.span(len)?;
        let node = self.graph.push(Node::Text { long, text }, start);
        self.assign(node)?;
        Ok(node)
    }

    pub(super) fn block(&mut self) -> Result<NodeId> {
        let start = self.at;
        let long = self.u8()? == code::BLOCK_LONG;
        let len = if long { self.length(4)? } else { usize::from(self.u8()?) };
        let data = self.span(len)?;
        Ok(self.graph.push(Node::Block { long, data }, start))
    }

    pub(super) fn reference(&mut self) -> Result<NodeId> {
        let start = self.at - 1;
        let handle = u32::from_be_bytes(self.array()?);
        handle
            .checked_sub(code::BASE_HANDLE)
            .and_then(|number| self.scratch.handles.get(number as usize))
            .copied()
            .ok_or(ReadError::new(Kind::UnknownHandle(handle), start))
    }

    pub(super) fn at_end_mark(&mut self) -> Result<bool> {
        let end = self.peek()? == code::END_BLOCK;
        self.at += usize::from(end);
        Ok(end)
    }

    pub(super) fn peek(&self) -> Result<u8> {
        self.remaining(1)?;
        Ok(self.source[self.at])
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("take gives N bytes"))
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        self.remaining(len)?;
        let bytes = &self.source[self.at..self.at + len];
        self.at += len;
        Ok(bytes)
    }

    pub(super) fn span(&mut self, len: usize) -> Result<Span> {
        let start = self.at;
        self.take(len)?;
        Ok(Span { start: start as u32, len: len as u32 })
    }

    pub(super) fn short_span(&mut self) -> Result<Span> {
        let len = u16::from_be_bytes(self.array()?);
        self.span(usize::from(len))
    }

    /// Reads a signed length of `width` bytes (4 or 8).
    pub(super) fn length(&mut self, width: usize) -> Result<usize> {
        let start = self.at;
        let value =
            if width == 8 { i64::from_be_bytes(self.array()?) } else { i64::from(i32::from_be_bytes(self.array()?)) };
        if value < 0 {
            return Err(ReadError::new(Kind::NegativeLength(value), start));
        }
        Ok(usize::try_from(value).unwrap_or(usize::MAX))
    }

    pub(super) fn remaining(&self, needed: usize) -> Result<()> {
        if self.source.len() - self.at < needed { self.fail(Kind::Truncated { needed }) } else { Ok(()) }
    }

    pub(super) fn fail<T>(&self, kind: Kind) -> Result<T> {
        Err(ReadError::new(kind, self.at))
    }
}

pub(super) fn unexpected(code: u8, expected: &'static str, at: usize) -> ReadError {
    ReadError::new(Kind::UnexpectedCode { code, expected }, at)
}
