//! Nodes that steal units from one another, from seeds.
//!
//! `CLUSTER_SEEDS` and `CLUSTER_STEPS` make a run longer, `CLUSTER_SEED` replays one.
#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod town;

use town::{Report, Town};

fn number(name: &str, without: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(without)
}

#[test]
fn owners_who_steal_lose_and_double_nothing() {
    let seeds = number("CLUSTER_SEEDS", 60);
    let steps = number("CLUSTER_STEPS", 1_500);
    let first = number("CLUSTER_SEED", 0);
    let mut sum = Report::default();
    for seed in first..first + if first == 0 { seeds } else { 1 } {
        let report = Town::new(seed).run(steps);
        sum.steps += report.steps;
        sum.acknowledged += report.acknowledged;
        sum.owned += report.owned;
        sum.deposed += report.deposed;
        sum.deaths += report.deaths;
        sum.twice += report.twice;
        sum.purged += report.purged;
        sum.shown += report.shown;
    }
    println!("{sum:?}");
    assert!(sum.acknowledged > 0 && sum.owned > 0 && sum.deaths > 0, "{sum:?}");
    assert!(first != 0 || sum.purged > 0, "something expired: {sum:?}");
    assert!(first != 0 || sum.shown > 0, "lanes were cleaned: {sum:?}");
    assert!(first != 0 || sum.twice > 0, "batches stood in both lanes: {sum:?}");
}

#[test]
fn a_seed_replays() {
    assert_eq!(Town::new(7).run(400), Town::new(7).run(400));
}
