//! The report: rows with goals, as JSON. Its form is what scripts rely on:
//! fields may be added, not renamed.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// All that one run found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// What ran.
    pub commit: String,
    /// The figures.
    pub rows: Vec<Row>,
}

/// The machine of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many cores there are.
    pub cores: usize,
    /// The kernel's version.
    pub kernel: String,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Other work during the run makes figures worse; this tells.
    pub load_average: String,
}

/// One figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// What scripts know it by.
    pub id: String,
    /// What it is, in words.
    pub what: String,
    /// What it is measured in.
    pub unit: String,
    /// The median of all rounds.
    pub value: f64,
    /// The least and the most of all rounds.
    pub spread: [f64; 2],
    /// Where it should be.
    pub target: f64,
    /// Where it must be, if there is such a bound.
    pub limit: Option<f64>,
    /// What others have.
    pub peers: BTreeMap<String, f64>,
    /// The least and the most of what others have, where all rounds measured them.
    #[serde(default)]
    pub peer_spreads: BTreeMap<String, [f64; 2]>,
    /// Whether the value reaches the target.
    pub met: bool,
    /// What measures it again.
    pub command: String,
    /// Whether less or more is better.
    pub better: Better,
    /// How many rounds there were.
    pub rounds: usize,
    /// What else is to be known of this run's figure; may be empty.
    pub note: String,
}

/// The direction of a goal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// See [`Row::target`].
    pub target: f64,
    /// See [`Row::limit`].
    pub limit: Option<f64>,
    /// See [`Row::better`].
    pub better: Better,
}

impl Goal {
    /// At most `target`.
    pub const fn at_most(target: f64) -> Self {
        Self { target, limit: None, better: Better::Lower }
    }

    /// At least `target`.
    pub const fn at_least(target: f64) -> Self {
        Self { target, limit: None, better: Better::Higher }
    }

    /// With a bound that must be kept.
    pub const fn limit(self, limit: f64) -> Self {
        Self { limit: Some(limit), ..self }
    }
}

impl Row {
    /// The row of what all rounds measured.
    ///
    /// # Panics
    /// There is no sample, or one is no number.
    pub fn new(
        id: impl Into<String>,
        what: impl Into<String>,
        unit: &str,
        goal: Goal,
        samples: &[f64],
    ) -> Self {
        assert!(samples.iter().all(|sample| sample.is_finite()), "a sample is no number");
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        let met = match goal.better {
            Better::Lower => median <= goal.target,
            Better::Higher => median >= goal.target,
        };
        let id = id.into();
        let part = id.split('.').next().unwrap_or_default();
        Self {
            command: format!("make bench ONLY={part}"),
            what: what.into(),
            unit: unit.to_owned(),
            value: rounded(median),
            spread: [rounded(low), rounded(high)],
            target: rounded(goal.target),
            limit: goal.limit.map(rounded),
            peers: BTreeMap::new(),
            peer_spreads: BTreeMap::new(),
            met,
            better: goal.better,
            rounds: samples.len(),
            note: String::new(),
            id,
        }
    }

    /// With what others have.
    pub fn peers(mut self, peers: impl IntoIterator<Item = (String, f64)>) -> Self {
        self.peers.extend(peers.into_iter().map(|(name, value)| (name, rounded(value))));
        self
    }

    /// With what others have: medians, and the least and the most of all rounds.
    pub fn spread_peers(
        mut self,
        peers: impl IntoIterator<Item = (String, (f64, [f64; 2]))>,
    ) -> Self {
        for (name, (value, spread)) in peers {
            self.peers.insert(name.clone(), rounded(value));
            self.peer_spreads.insert(name, spread.map(rounded));
        }
        self
    }

    /// With a remark.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// Four digits: more would be noise.
pub fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

impl Machine {
    /// This one.
    pub fn here() -> Result<Self> {
        let info = fs::read_to_string("/proc/cpuinfo")?;
        let field = |line: &str| line.split_once(':').map(|(_, value)| value.trim().to_owned());
        let cpu = info.lines().find(|line| line.starts_with("model name")).and_then(field);
        let memory = rustix::system::sysinfo();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(Self {
            cpu: cpu.unwrap_or_else(|| "unknown".to_owned()),
            cores: info.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            memory_mib: (memory.totalram as u64 * u64::from(memory.mem_unit)) >> 20,
            load_average: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        })
    }
}

/// The commit of the working tree, `+` behind it if there are changes on top.
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    commit + if changed.is_none_or(|changed| changed.is_empty()) { "" } else { "+" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let row = Row::new(
            "ws.50x2.cpu_us_per_op",
            "words",
            "µs",
            Goal::at_most(12.0).limit(23.0),
            &[14.0, 11.0, 10.123_456],
        )
        .peers([("relay".to_owned(), 5.5)]);
        Report { machine: Machine::here().unwrap(), commit: commit(), rows: vec![row] }
    }

    #[test]
    fn the_json_has_the_promised_form() {
        let json = serde_json::to_value(report()).unwrap();
        assert!(json["machine"].is_object() && json["commit"].is_string());
        let row = &json["rows"][0];
        for name in ["id", "what", "unit", "command"] {
            assert!(row[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        }
        assert_eq!(row["value"], 11.0);
        assert_eq!(row["spread"], serde_json::json!([10.12, 14.0]));
        assert_eq!(row["target"], 12.0);
        assert_eq!(row["limit"], 23.0);
        assert_eq!(row["peers"], serde_json::json!({ "relay": 5.5 }));
        assert_eq!(row["met"], true);
        assert_eq!(row["command"], "make bench ONLY=ws");
        let again: Row = serde_json::from_value(row.clone()).unwrap();
        assert_eq!(serde_json::to_value(again).unwrap(), *row);
    }

    #[test]
    fn rows_without_a_limit_say_null() {
        let row = Row::new("resolver.head", "words", "1/s", Goal::at_least(2e6), &[1.9e6, 1.7e6]);
        let json = serde_json::to_value(&row).unwrap();
        assert!(json["limit"].is_null());
        assert_eq!(json["value"], 1.8e6);
        assert_eq!(json["met"], false);
        assert_eq!(json["better"], "higher");
    }

    #[test]
    fn figures_have_four_digits() {
        assert_eq!(rounded(0.0), 0.0);
        assert_eq!(rounded(12_345.6), 12_350.0);
        assert_eq!(rounded(0.001_234_56), 0.001_235);
    }
}
