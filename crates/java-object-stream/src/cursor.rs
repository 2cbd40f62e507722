//! Reads contents in order, the way Java's `ObjectInputStream` does: primitives out of blocks, and values.
//!
//! A block has no meaning as a unit, so primitives run over consecutive blocks and may be split between them;
//! they stop at a value. Invariant: an error leaves the cursor where it was.

use crate::document::Document;
use crate::error::{ReadError, ReadErrorKind as Kind};
use crate::graph::{Node, NodeId};
use crate::mutf8;

type Result<T> = std::result::Result<T, ReadError>;

/// A reading position in the contents of a stream, of an annotation or of external data.
///
/// Made by [`Document::cursor`], [`Object::contents`](crate::Object::contents) and others. Resets between
/// contents are passed over: nothing is left for a reader to do about them.
///
/// A value that its writer gave up in the middle (an exception marker in the stream) is read like any other
/// and is [`Value::Aborted`](crate::Value::Aborted): skip it and read on.
#[derive(Debug, Clone)]
pub struct Cursor<'d> {
    document: &'d Document,
    /// Node ids of what was not begun yet.
    rest: &'d [u32],
    /// What is left of the current block, and its offset in the stream.
    block: &'d [u8],
    block_at: usize,
    /// Where the contents end, for errors.
    end: usize,
}

impl<'d> Cursor<'d> {
    pub(crate) fn new(document: &'d Document, contents: &'d [u32], end: usize) -> Self {
        Cursor { document, rest: contents, block: &[], block_at: end, end }
    }

    /// The document that is read.
    pub fn document(&self) -> &'d Document {
        self.document
    }

    /// Offset in the stream of what is read next.
    pub fn offset(&self) -> usize {
        match self.rest.first() {
            _ if !self.block.is_empty() => self.block_at,
            Some(&next) if next != 0 => self.document.offset(NodeId(next)),
            _ => self.end,
        }
    }

    /// True if neither data nor values are left.
    pub fn is_at_end(&self) -> bool {
        let mut probe = self.clone();
        probe.skip_empty();
        probe.block.is_empty() && probe.rest.is_empty()
    }

    /// True if primitive data comes next, false before a value and at the end.
    pub fn is_at_data(&self) -> bool {
        let mut probe = self.clone();
        probe.skip_empty();
        !probe.block.is_empty()
    }

    /// Steps into the next block that holds something; passes resets.
    fn skip_empty(&mut self) {
        while self.block.is_empty()
            && let Some((&next, rest)) = self.rest.split_first()
        {
            match self.document.graph.node(NodeId(next)) {
                Node::Block { data, .. } => {
                    self.block = data.of(&self.document.source);
                    self.block_at = data.start as usize;
                }
                Node::Reset => {}
                _ => return,
            }
            self.rest = rest;
        }
    }

    /// The next value.
    ///
    /// # Errors
    /// `UnreadData` if primitive data stands here, `NoMoreContents` at the end.
    pub fn read_object(&mut self) -> Result<NodeId> {
        let mut ahead = self.clone();
        ahead.skip_empty();
        if !ahead.block.is_empty() {
            return self.fail(Kind::UnreadData);
        }
        let Some((&next, rest)) = ahead.rest.split_first() else {
            return self.fail(Kind::NoMoreContents);
        };
        ahead.rest = rest;
        *self = ahead;
        Ok(NodeId(next))
    }

    /// Passes over primitive data up to the next value or the end.
    pub fn skip_data(&mut self) {
        loop {
            self.skip_empty();
            if self.block.is_empty() {
                return;
            }
            self.block = &[];
        }
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<()> {
        let mut ahead = self.clone();
        let mut filled = 0;
        while filled < out.len() {
            ahead.skip_empty();
            if ahead.block.is_empty() {
                return Err(ReadError::new(Kind::NoData, ahead.offset()));
            }
            let count = ahead.block.len().min(out.len() - filled);
            let (now, later) = ahead.block.split_at(count);
            out[filled..filled + count].copy_from_slice(now);
            ahead.block = later;
            ahead.block_at += count;
            filled += count;
        }
        *self = ahead;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        self.fill(&mut out)?;
        Ok(out)
    }

    /// A byte, unsigned.
    ///
    /// # Errors
    /// This and the other primitive readers: `NoData` if a value or the end comes too early.
    pub fn read_u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// A boolean: any byte but 0 is true.
    pub fn read_bool(&mut self) -> Result<bool> {
        Ok(self.read_u8()? != 0)
    }

    /// A short.
    pub fn read_i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    /// A char or an unsigned short.
    pub fn read_u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// An int.
    pub fn read_i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// A long.
    pub fn read_i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// A float.
    pub fn read_f32(&mut self) -> Result<f32> {
        Ok(f32::from_be_bytes(self.array()?))
    }

    /// A double.
    pub fn read_f64(&mut self) -> Result<f64> {
        Ok(f64::from_be_bytes(self.array()?))
    }

    /// `len` bytes. Allocates only what is there.
    pub fn read_bytes(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut probe = self.clone();
        let mut there = 0;
        while there < len {
            probe.skip_empty();
            if probe.block.is_empty() {
                return Err(ReadError::new(Kind::NoData, probe.offset()));
            }
            there += probe.block.len();
            probe.block = &[];
        }
        let mut out = vec![0; len];
        self.fill(&mut out)?;
        Ok(out)
    }

    /// What `writeUTF` wrote, as raw modified UTF-8.
    pub fn read_utf_bytes(&mut self) -> Result<Vec<u8>> {
        let mut ahead = self.clone();
        let len = ahead.read_u16()?;
        let bytes = ahead.read_bytes(usize::from(len))?;
        *self = ahead;
        Ok(bytes)
    }

    /// What `writeUTF` wrote, as text.
    ///
    /// # Errors
    /// `NotText` if it has an unpaired surrogate or is malformed.
    pub fn read_utf(&mut self) -> Result<String> {
        let mut ahead = self.clone();
        let bytes = ahead.read_utf_bytes()?;
        let Some(text) = mutf8::to_text(&bytes) else {
            return self.fail(Kind::NotText);
        };
        *self = ahead;
        Ok(text.into_owned())
    }

    fn fail<T>(&self, kind: Kind) -> Result<T> {
        let mut here = self.clone();
        here.skip_empty();
        Err(ReadError::new(kind, here.offset()))
    }
}
