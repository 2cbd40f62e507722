//! Bounds on what a stream may make a reader hold.
//!
//! Every bound has a name, a default and a test; reaching one is a [`ReadErrorKind::Limit`], never a
//! large allocation: lengths are checked against the bytes that are really there before anything is kept.
//!
//! [`ReadErrorKind::Limit`]: crate::ReadErrorKind::Limit

/// Default of [`Limits::class_depth_max`].
pub(crate) const CLASS_DEPTH_MAX: usize = 100;

/// What a reader accepts before it refuses a stream.
///
/// Parsing takes at most 24 bytes per byte of input (a stream of resets; 5 to 10 are usual), for a moment three times
/// that while memory grows. So `bytes_max` bounds memory as well.
///
/// ```
/// use java_object_stream::{Document, Limit, Limits, ReadErrorKind};
///
/// let limits = Limits { string_bytes_max: 4, ..Limits::default() };
/// let error = Document::parse(&b"\xac\xed\x00\x05\x74\x00\x05hello"[..], &limits).unwrap_err();
/// assert_eq!(error.kind, ReadErrorKind::Limit(Limit::StringBytes));
/// assert_eq!(error.at, 4);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Length of the whole stream in bytes. Default 64 MiB; never more than 4 GiB - 2.
    pub bytes_max: usize,
    /// How deep values may nest. Default 10,000 (a linked list of a user's own class nests per element).
    pub depth_max: usize,
    /// Objects, strings, arrays, enums, class values and descriptors of the whole stream. Default 4,194,304.
    pub handles_max: usize,
    /// Array elements that are objects, annotation contents and top-level contents. Default 4,194,304.
    /// Through serde also the elements of the Rust value, shared ones each time they are mentioned.
    pub elements_max: usize,
    /// Length of one string in bytes of modified UTF-8. Default 16 MiB.
    pub string_bytes_max: usize,
    /// Superclasses of one class, itself included. Default 100.
    pub class_depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            bytes_max: 64 << 20,
            depth_max: 10_000,
            handles_max: 1 << 22,
            elements_max: 1 << 22,
            string_bytes_max: 16 << 20,
            class_depth_max: CLASS_DEPTH_MAX,
        }
    }
}

/// Which of the [`Limits`] a stream reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// `bytes_max`
    Bytes,
    /// `depth_max`
    Depth,
    /// `handles_max`
    Handles,
    /// `elements_max`
    Elements,
    /// `string_bytes_max`
    StringBytes,
    /// `class_depth_max`
    ClassDepth,
}
