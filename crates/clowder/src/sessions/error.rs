//! What can go wrong with sessions, as seen by an application.

use thiserror::Error;

/// Why a session, one of its attributes or its configuration could not be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The session was invalidated, or expired, while the request ran. Nobody's fault; nothing was changed. The user
    /// has to begin anew.
    #[error("the session ended while the request ran")]
    Ended,
    /// An attribute does not fit the type that was asked for. The caller's or another node's doing; the attribute and
    /// all others stay as they are.
    #[error("attribute {name:?} of class {class} cannot be read as asked for")]
    Unreadable {
        /// The attribute.
        name: String,
        /// The Java class of its value, or `?` where the bytes do not even name one.
        class: String,
        /// What did not fit.
        source: java_object_stream::Error,
    },
    /// A value has no Java form. The caller's doing; nothing was changed.
    #[error("attribute {name:?} cannot be written as a Java object")]
    Unwritable {
        /// The attribute.
        name: String,
        /// What has no Java form.
        source: java_object_stream::Error,
    },
    /// A name or value is longer than the protocol or the configured limit allows. The caller's doing; nothing was
    /// changed.
    #[error("attribute {name:?} takes {len} bytes, more than the limit of {max}")]
    TooLarge {
        /// The attribute, its name cut to a length that can be shown.
        name: String,
        /// Bytes of the name or value.
        len: usize,
        /// The limit that was exceeded.
        max: usize,
    },
    /// Bytes that were to become an attribute are not a Java object stream with exactly one object. The caller's doing;
    /// nothing was changed.
    #[error("the bytes for attribute {name:?} are not a Java object")]
    NotAValue {
        /// The attribute.
        name: String,
    },
    /// The session has as many attributes as it may. The caller's doing; nothing was changed.
    #[error("no room for attribute {name:?}: the session holds {max} values")]
    TooManyAttributes {
        /// The attribute.
        name: String,
        /// The limit.
        max: usize,
    },
    /// The operating system gave no random bytes, so no unguessable id could be made. Nothing was changed.
    #[error("the system's random source failed")]
    NoRandomness,
    /// The limit of sessions on this node is reached. Nothing was changed; existing sessions go on.
    #[error("the limit of {max} sessions is reached")]
    TooManySessions {
        /// The limit, see [`SessionsBuilder::sessions_max`](crate::SessionsBuilder::sessions_max).
        max: usize,
    },
    /// The handler asks for a session, but its route is not under a [`SessionLayer`](crate::SessionLayer). A fault of
    /// the application.
    #[error("no SessionLayer around this route")]
    NoLayer,
    /// Another manager of the same channel has this context. A fault of the application.
    #[error("the context {context:?} has a session manager on this channel already")]
    ContextTaken {
        /// Its name.
        context: String,
    },
    /// A cookie cannot be written with this setting. A fault of the configuration.
    #[error("{value:?} cannot be the {setting} of a cookie")]
    CookieSetting {
        /// `name`, `path` or `domain`.
        setting: &'static str,
        /// What was given.
        value: String,
    },
    /// A route may have 1 to 64 ASCII letters, digits, `-`, `_` and `.`. A fault of the configuration.
    #[error("{route:?} cannot be a route")]
    Route {
        /// What was given.
        route: String,
    },
    /// An attribute filter is no regular expression. A fault of the configuration.
    #[error("{pattern:?} is no regular expression: {reason}")]
    Filter {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}
