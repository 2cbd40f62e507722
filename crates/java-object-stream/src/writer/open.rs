//! An object or array that is being written: which kind of data has its place next.

use crate::descriptor::{CONTENTS, ClassDescriptor};
use std::sync::Arc;

/// What an open value consists of.
#[derive(Debug)]
enum Places {
    /// Type codes of fields, and [`CONTENTS`].
    Fields(Arc<[u8]>),
    /// So many elements of one type.
    Elements { type_code: u8, count: u32 },
}

#[derive(Debug)]
pub(super) struct Open {
    places: Places,
    /// The place that comes next.
    next: usize,
    /// Within contents: primitive data goes to blocks, values are not counted.
    pub(super) in_contents: bool,
    fits: bool,
}

impl Open {
    pub(super) fn object(class: &ClassDescriptor) -> Self {
        Self::with_places(Places::Fields(class.layout.clone()))
    }

    pub(super) fn array(class: &ClassDescriptor, count: u32) -> Self {
        let element = class.name().strip_prefix('[').and_then(|name| name.bytes().next());
        let places = Places::Elements { type_code: element.unwrap_or_default(), count };
        Open { fits: element.is_some(), ..Self::with_places(places) }
    }

    /// Contents outside of any object.
    pub(super) fn contents() -> Self {
        Open { in_contents: true, ..Self::with_places(Places::Fields([].into())) }
    }

    fn with_places(places: Places) -> Self {
        Open { places, next: 0, in_contents: false, fits: true }
    }

    fn expected(&self) -> Option<u8> {
        match &self.places {
            Places::Fields(layout) => layout.get(self.next).copied(),
            Places::Elements { type_code, count } => (self.next < *count as usize).then_some(*type_code),
        }
    }

    /// A primitive of this type comes.
    pub(super) fn take(&mut self, type_code: u8) {
        self.fits &= self.expected() == Some(type_code);
        self.next += 1;
    }

    /// A value comes; whether its class is that of the field or array is for the caller to know.
    pub(super) fn take_value(&mut self) {
        self.fits &= matches!(self.expected(), Some(b'L' | b'['));
        self.next += 1;
    }

    pub(super) fn begin_contents(&mut self) {
        self.fits &= !self.in_contents;
        self.take(CONTENTS);
        self.in_contents = true;
    }

    pub(super) fn end_contents(&mut self) {
        self.fits &= self.in_contents;
        self.in_contents = false;
    }

    /// Each place was taken by what belongs there.
    pub(super) fn is_complete(&self) -> bool {
        self.fits && self.expected().is_none()
    }
}
