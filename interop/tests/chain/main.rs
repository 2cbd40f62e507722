//! Every interceptor between real Tomcat channels and `clowder channel`, alone and in combinations.
//!
//! One text configures both sides. For each chain messages of many sizes go both ways with every combination of the
//! option bits, and each side keeps account of what came: nothing lost, repeated or damaged, in order where the chain
//! promises it. One JVM serves many chains, one after the other.

mod case;
mod combinations;
mod encryption;
mod key_change;
mod several;
mod single;
mod triple_des;
