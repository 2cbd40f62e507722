//! What a coordinator is told at its start. Every value has Tomcat's default, or says why not.

use std::time::Duration;

use crate::wire::Limits;

/// Settings of one [`Election`](super::Election). Tomcat: `NonBlockingCoordinator`, where all times are fixed.
#[derive(Clone, Debug)]
pub struct ElectionConfig {
    /// After that long without a result an election starts again with a new id, and a node that waits for one of a
    /// higher ranking member starts one itself. Default 15 s, the time that Tomcat waits.
    pub election_timeout: Duration,
    /// Pause before the member that ranks first tries again to bring view and membership together. Default 5 s,
    /// Tomcat's channel heartbeat.
    pub check_interval: Duration,
    /// Tomcats are told of the view again after that long, and again: one may have lost it without any other member's
    /// notice. Default 30 s; a message of some hundred bytes to each.
    pub remind_interval: Duration,
    /// Time for finding out whether a stranger in a message lives; after it, it does not. Tomcat waits 15 s for each,
    /// one after the other. Default 3 s for all at once.
    pub reach_timeout: Duration,
    /// Most strangers about whom this node asks at a time; further ones count as dead. Default 64.
    pub strangers_max: usize,
    /// Bounds for messages.
    pub limits: Limits,
    /// Seed of election ids. Nothing secret depends on it.
    pub seed: u64,
}

impl Default for ElectionConfig {
    fn default() -> Self {
        ElectionConfig {
            election_timeout: Duration::from_secs(15),
            check_interval: Duration::from_secs(5),
            remind_interval: Duration::from_secs(30),
            reach_timeout: Duration::from_secs(3),
            strangers_max: 64,
            limits: Limits::default(),
            seed: 0,
        }
    }
}

/// Settings of one [`SimpleCoordinator`](super::SimpleCoordinator).
#[derive(Clone, Debug)]
pub struct SimpleConfig {
    /// A new view follows the last change of the membership after that long. Default 2.5 s: Tomcat looks ten times,
    /// 250 ms apart.
    pub quiet: Duration,
    /// It follows the first change after that long at the latest, however often a member comes and goes. Default 25 s.
    pub quiet_max: Duration,
}

impl Default for SimpleConfig {
    fn default() -> Self {
        SimpleConfig { quiet: Duration::from_millis(2500), quiet_max: Duration::from_secs(25) }
    }
}
