//! TLS between nodes: what travels over it, who is refused, what the files may be.

mod authority;
mod stranger;
mod wire;

mod carried;
mod files;
mod refused;
mod reload;
mod required;
