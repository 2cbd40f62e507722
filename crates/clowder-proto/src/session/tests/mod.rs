//! Tests of the machine: real machines over a network in memory, with a modelled Tomcat beside them, in simulated time.

mod basics;
mod expiry;
mod mixed;
mod net;
mod peers;
mod simulation;
mod tomcat;
mod transfer;
mod vectors;
