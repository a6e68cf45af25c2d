//! The seeds that run with every test.

/// How many seeds each test takes; together they are CI's set.
const SHARE: u64 = 60;

fn run_share(share: u64) {
    let failures: Vec<String> = (share * SHARE..(share + 1) * SHARE)
        .filter_map(|seed| desk_sim::run(seed).err())
        .map(|failure| failure.to_string())
        .collect();
    assert!(failures.is_empty(), "{} seeds failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn seeds_of_the_first_share_are_sound() {
    run_share(0);
}

#[test]
fn seeds_of_the_second_share_are_sound() {
    run_share(1);
}

#[test]
fn seeds_of_the_third_share_are_sound() {
    run_share(2);
}

#[test]
fn seeds_of_the_fourth_share_are_sound() {
    run_share(3);
}

#[test]
fn a_seed_repeats_its_run() {
    for seed in [3, 8, 20] {
        assert_eq!(desk_sim::run(seed), desk_sim::run(seed));
    }
}
