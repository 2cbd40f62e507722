//! What a chain costs: its share of the throughput of the first one, round by round.
//!
//! On a machine whose speed changes by the minute, two cases that run one behind the other are alike, and two figures of
//! different minutes are not: so each round has a ratio of its own, and the median of those counts.

use serde_json::{Value, json};

/// Throughputs of one case with several chains: a row for each round, the first chain in front.
#[derive(Debug, Default)]
pub(super) struct Rounds(Vec<Vec<f64>>);

impl Rounds {
    /// The throughputs of one more round, in the order of the chains.
    pub(super) fn push(&mut self, throughputs: Vec<f64>) {
        self.0.push(throughputs);
    }

    /// The cost of the chain at `index`: median and quartiles, of 1. `None`: there is no ratio.
    fn cost(&self, index: usize) -> Option<[f64; 3]> {
        let ratio = |round: &Vec<f64>| Some(1.0 - round.get(index)? / round.first().filter(|base| **base > 0.0)?);
        let mut costs: Vec<f64> = self.0.iter().filter_map(ratio).collect();
        costs.sort_by(f64::total_cmp);
        let at = |quarter: usize| costs.get(costs.len().saturating_sub(1) * quarter / 4).copied();
        Some([at(1)?, at(2)?, at(3)?])
    }

    /// A line for each chain but the first; none for a single round.
    pub(super) fn lines(&self, chains: &[&str], senders: u32, ack: &str) -> Vec<Value> {
        if self.0.len() < 2 {
            return Vec::new();
        }
        let line = |(index, chain): (usize, &&str)| {
            let [low, median, high] = self.cost(index)?.map(|cost| (cost * 1000.0).round() / 1000.0);
            Some(json!({
                "case": "chain-cost",
                "chain": chain,
                "against": chains[0],
                "senders": senders,
                "ack": ack,
                "rounds": self.0.len(),
                "cost": median,
                "cost_quartiles": [low, high],
            }))
        };
        chains.iter().enumerate().skip(1).filter_map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_the_median_of_the_rounds_own_ratios() {
        let mut rounds = Rounds::default();
        // The machine gets twice as fast; the second chain costs a tenth, but for two rounds.
        for (base, cost) in [(100.0, 0.1), (200.0, 0.1), (100.0, 0.9), (100.0, -0.5), (200.0, 0.1)] {
            rounds.push(vec![base, base * (1.0 - cost)]);
        }
        let lines = rounds.lines(&["", "order"], 8, "processed");
        let expected = json!({
            "case": "chain-cost", "chain": "order", "against": "", "senders": 8, "ack": "processed", "rounds": 5,
            "cost": 0.1, "cost_quartiles": [0.1, 0.1],
        });
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn one_round_or_a_base_that_did_nothing_tells_no_cost() {
        let mut rounds = Rounds::default();
        rounds.push(vec![0.0, 1.0]);
        assert!(rounds.lines(&["", "order"], 1, "none").is_empty());
        rounds.push(vec![0.0, 1.0]);
        assert!(rounds.lines(&["", "order"], 1, "none").is_empty());
    }
}
