//! Runs seeds: `desk-sim --seed 42` one, without a seed the set that CI runs.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

/// Runs the simulator.
#[derive(Parser)]
#[command(version, about = "Runs servers, clients, network and disks from a seed, in one thread.")]
struct Arguments {
    /// Run this seed alone, and print its plan.
    #[arg(long)]
    seed: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    count: u64,
    /// Go on with new seeds until one fails.
    #[arg(long)]
    soak: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        println!("{:#?}", desk_sim::Plan::of(seed));
        return match desk_sim::run(seed) {
            Ok(report) => {
                println!("sound: {report:?}");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                eprintln!("{failure}");
                ExitCode::FAILURE
            }
        };
    }
    let mut seed = arguments.from;
    let mut failed = 0u64;
    let mut sum = desk_sim::Report::default();
    while arguments.soak || seed < arguments.from + arguments.count {
        match desk_sim::run(seed) {
            Ok(report) => {
                sum.add(&report);
            }
            Err(failure) => {
                eprintln!("{failure}");
                failed += 1;
                if arguments.soak {
                    return ExitCode::FAILURE;
                }
            }
        }
        seed += 1;
        if seed.is_multiple_of(100) {
            println!("{seed} seeds, {failed} failed, {sum:?}");
        }
    }
    println!("{} seeds, {failed} failed", seed - arguments.from);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
