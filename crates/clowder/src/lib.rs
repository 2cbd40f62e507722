//! Replicated web sessions and group communication, on the wire protocol of Apache Tomcat.

mod driver;
pub mod membership;
pub mod view;
