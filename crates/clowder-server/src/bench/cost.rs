//! What a chain costs: its share of the throughput of the first one, round by round.
//!
//! On a machine whose speed changes by the minute, two cases that run one behind the other are alike, and two figures of
//! different minutes are not: so each round has a ratio of its own, and the median of those counts.

use serde_json::{Value, json};

/// What one case with one chain came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// Messages for each second.
    pub(super) throughput: f64,
    /// Time on processors for each message, if the system tells it.
    pub(super) cpu_us: Option<f64>,
}

/// One case with several chains: a row for each round, the first chain in front.
#[derive(Debug, Default)]
pub(super) struct Rounds(Vec<Vec<Figures>>);

impl Rounds {
    /// One more round, in the order of the chains.
    pub(super) fn push(&mut self, figures: Vec<Figures>) {
        self.0.push(figures);
    }

    /// Median and quartiles of what `ratio` makes of the first chain and the one at `index`: 1 is no cost.
    fn cost(&self, index: usize, ratio: impl Fn(Figures, Figures) -> Option<f64>) -> Option<[f64; 3]> {
        let of_round = |round: &Vec<Figures>| Some(1.0 - ratio(*round.first()?, *round.get(index)?)?);
        let mut costs: Vec<f64> = self.0.iter().filter_map(of_round).filter(|cost| cost.is_finite()).collect();
        costs.sort_by(f64::total_cmp);
        let at = |quarter: usize| costs.get(costs.len().saturating_sub(1) * quarter / 4);
        Some([at(1)?, at(2)?, at(3)?].map(|cost| (cost * 1000.0).round() / 1000.0))
    }

    /// A line for each chain but the first; none for a single round.
    pub(super) fn lines(&self, chains: &[&str], senders: u32, ack: &str) -> Vec<Value> {
        if self.0.len() < 2 {
            return Vec::new();
        }
        let line = |(index, chain): (usize, &&str)| {
            let [low, cost, high] = self.cost(index, |base, this| Some(this.throughput / base.throughput))?;
            let cpu = self.cost(index, |base, this| Some(base.cpu_us? / this.cpu_us?));
            Some(json!({
                "case": "chain-cost",
                "chain": chain,
                "against": chains[0],
                "senders": senders,
                "ack": ack,
                "rounds": self.0.len(),
                "cost": cost,
                "cost_quartiles": [low, high],
                "cpu_cost": cpu.map(|[_, cost, _]| cost),
                "cpu_cost_quartiles": cpu.map(|[low, _, high]| [low, high]),
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
            let figures = |throughput, cpu_us| Figures { throughput, cpu_us: Some(cpu_us) };
            rounds.push(vec![figures(base, 4.0), figures(base * (1.0 - cost), 5.0)]);
        }
        let lines = rounds.lines(&["", "order"], 8, "processed");
        let expected = json!({
            "case": "chain-cost", "chain": "order", "against": "", "senders": 8, "ack": "processed", "rounds": 5,
            "cost": 0.1, "cost_quartiles": [0.1, 0.1], "cpu_cost": 0.2, "cpu_cost_quartiles": [0.2, 0.2],
        });
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn one_round_or_a_base_that_did_nothing_tells_no_cost() {
        let mut rounds = Rounds::default();
        for _ in 0..2 {
            rounds.push(vec![Figures::default(), Figures { throughput: 1.0, cpu_us: None }]);
            assert!(rounds.lines(&["", "order"], 1, "none").is_empty());
        }
        rounds.push(vec![Figures { throughput: 1.0, cpu_us: None }; 2]);
        let lines = rounds.lines(&["", "order"], 1, "none");
        assert_eq!((&lines[0]["cost"], &lines[0]["cpu_cost"]), (&0.0.into(), &Value::Null));
    }
}
