//! What all rounds measured, and the report's rows of it.

use std::collections::BTreeMap;

use desk_bench::report::{Goal, Row};

use crate::engines::EngineName;

/// A row of the report, before anything is measured.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its id without `store.`.
    pub id: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// What it is measured in.
    pub unit: &'static str,
    /// What our store should reach.
    pub goal: Goal,
}

/// Every figure of every store.
#[derive(Debug, Default)]
pub struct Samples {
    figures: BTreeMap<(&'static str, EngineName), Vec<f64>>,
    notes: BTreeMap<&'static str, String>,
}

impl Samples {
    /// One more figure.
    pub fn push(&mut self, id: &'static str, engine: EngineName, value: f64) {
        self.figures.entry((id, engine)).or_default().push(value);
    }

    /// What else is to be known of a row; the last word counts.
    pub fn note(&mut self, id: &'static str, note: String) {
        self.notes.insert(id, note);
    }

    /// A store's newest figure.
    pub fn last(&self, id: &'static str, engine: EngineName) -> Option<f64> {
        self.figures.get(&(id, engine)).and_then(|figures| figures.last().copied())
    }

    /// The median of a store's figures.
    pub fn median(&self, id: &'static str, engine: EngineName) -> Option<f64> {
        self.figures.get(&(id, engine)).map(|figures| quantile(figures, 0.5))
    }

    /// The rows of which our store has figures, in the order of `kinds`.
    pub fn rows(&self, kinds: &[Kind]) -> Vec<Row> {
        let row = |kind: &Kind| {
            let own = self.figures.get(&(kind.id, EngineName::Ours))?;
            let peers = EngineName::all().into_iter().filter(|engine| *engine != EngineName::Ours);
            let peers = peers.filter_map(|engine| {
                Some((engine.shown().to_owned(), self.median(kind.id, engine)?))
            });
            let id = format!("store.{}", kind.id);
            let row = Row::new(id, kind.what, kind.unit, kind.goal, own).peers(peers);
            Some(row.note(self.notes.get(kind.id).cloned().unwrap_or_default()))
        };
        kinds.iter().filter_map(row).collect()
    }

    /// A table of all stores, for people.
    pub fn table(&self, kinds: &[Kind]) -> String {
        let mut table = String::new();
        for kind in kinds {
            let cells = EngineName::all().into_iter().filter_map(|engine| {
                let figures = self.figures.get(&(kind.id, engine))?;
                let (low, high) = (quantile(figures, 0.0), quantile(figures, 1.0));
                let middle = quantile(figures, 0.5);
                Some(format!("  {:<22} {middle:>12.4} [{low:.4}, {high:.4}]\n", engine.shown()))
            });
            let cells: String = cells.collect();
            if !cells.is_empty() {
                let note = self.notes.get(kind.id).map(String::as_str).unwrap_or_default();
                let target = kind.goal.target;
                table += &format!("store.{} ({}), target {target}\n{cells}", kind.id, kind.unit);
                if !note.is_empty() {
                    table += &format!("  {note}\n");
                }
            }
        }
        table
    }
}

/// The value that `at` (0 to 1) of all are not above; the median of an even count
/// lies between the middle two.
///
/// # Panics
/// There is no value.
pub fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = at * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// A quantile of times, in microseconds.
pub fn quantile_us(times_ns: &[u64], at: f64) -> f64 {
    let times: Vec<f64> = times_ns.iter().map(|&time| time as f64 / 1e3).collect();
    quantile(&times, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_where_they_should() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&[4.0, 1.0], 0.5), 2.5);
        assert_eq!(quantile(&[4.0, 1.0], 1.0), 4.0);
        let times: Vec<u64> = (0..=100).map(|n| n * 1_000).collect();
        assert_eq!(quantile_us(&times, 0.99), 99.0);
    }

    #[test]
    fn rows_carry_what_was_measured() {
        let goal = Goal::at_most(2.0);
        let kinds = [
            Kind { id: "a.b", what: "words", unit: "×", goal },
            Kind { id: "a.c", what: "words", unit: "×", goal },
        ];
        let mut samples = Samples::default();
        for value in [1.0, 3.0, 2.0] {
            samples.push("a.b", EngineName::Ours, value);
        }
        samples.note("a.b", "a remark".to_owned());
        let rows = samples.rows(&kinds);
        assert_eq!(rows.len(), 1, "nothing is known of the second");
        assert_eq!((rows[0].id.as_str(), rows[0].value, rows[0].met), ("store.a.b", 2.0, true));
        assert_eq!((rows[0].spread, rows[0].note.as_str()), ([1.0, 3.0], "a remark"));
        assert_eq!(rows[0].command, "make bench ONLY=store");
        assert!(samples.table(&kinds).contains("Desk DB"));
    }
}
