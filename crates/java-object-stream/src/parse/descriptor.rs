//! Class descriptors, ordinary ones and those of dynamic proxies.

use super::input::unexpected;
use super::{Frame, Parser, Result, Step};
use crate::code;
use crate::error::{ReadError, ReadErrorKind as Kind};
use crate::graph::{Desc, Field, List, Node, NodeId, Span};

impl Parser<'_> {
    /// Reads what names a class: a descriptor, a reference to one, or null.
    pub(super) fn descriptor(&mut self) -> Result<Step> {
        let start = self.at;
        match self.u8()? {
            code::NULL => Ok(Step::Done(NodeId::NULL)),
            code::REFERENCE => {
                let id = self.reference()?;
                match self.graph.node(id) {
                    Node::Desc(_) => Ok(Step::Done(id)),
                    _ => Err(ReadError::new(Kind::NotADescriptor, start)),
                }
            }
            code @ (code::CLASS_DESC | code::PROXY_DESC) => self.begin_desc(code),
            code => Err(unexpected(code, "a class descriptor", start)),
        }
    }

    /// Reads a descriptor up to its annotation.
    pub(super) fn begin_desc(&mut self, code: u8) -> Result<Step> {
        let start = self.at - 1;
        let index = self.graph.descs.len() as u32;
        let is_proxy = code == code::PROXY_DESC;
        let (name, suid) = if is_proxy {
            (Span { start: self.at as u32, len: 0 }, 0)
        } else {
            (self.short_span()?, i64::from_be_bytes(self.array()?))
        };
        let node = self.graph.push(Node::Desc(index), start);
        self.assign(node)?;
        let (flags, count) =
            if is_proxy { (0, self.length(4)?) } else { (self.u8()?, usize::from(u16::from_be_bytes(self.array()?))) };
        // The shortest entry is an interface with an empty name: two bytes.
        self.remaining(count.saturating_mul(2))?;
        let fields_start = self.graph.fields.len() as u32;
        for _ in 0..count {
            let field = if is_proxy {
                Field { type_code: 0, name: self.short_span()?, signature: NodeId::NULL }
            } else {
                self.field()?
            };
            self.graph.fields.push(field);
        }
        let bare = self.bare.contains(&name.of(self.source));
        self.graph.descs.push(Desc {
            node,
            name,
            suid,
            flags,
            is_proxy,
            bare,
            finished: false,
            fields_start,
            fields_len: count as u32,
            annotation: List::EMPTY,
            superclass: NodeId::NULL,
            chain_len: 1,
        });
        let base = self.scratch.pending.len() as u32;
        self.open(Frame::DescNotes { desc: index, base })?;
        Ok(Step::Go)
    }

    pub(super) fn field(&mut self) -> Result<Field> {
        let start = self.at;
        let type_code = self.u8()?;
        let primitive = code::primitive_width(type_code).is_some();
        if !primitive && type_code != b'L' && type_code != b'[' {
            return Err(ReadError::new(Kind::UnknownFieldType(type_code), start));
        }
        let name = self.short_span()?;
        let signature = if primitive { NodeId::NULL } else { self.signature()? };
        Ok(Field { type_code, name, signature })
    }

    pub(super) fn signature(&mut self) -> Result<NodeId> {
        let start = self.at;
        match self.u8()? {
            code @ (code::STRING | code::STRING_LONG) => self.string(code),
            code::REFERENCE => {
                let id = self.reference()?;
                match self.graph.node(id) {
                    Node::Text { .. } => Ok(id),
                    _ => Err(ReadError::new(Kind::NotAString, start)),
                }
            }
            code => Err(unexpected(code, "a signature string", start)),
        }
    }
}
