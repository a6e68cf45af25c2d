//! A disk that says it is full although there was room a moment ago: another
//! process took it, or there is a quota.

use crate::node::{NOW, Node, key, small};
use crate::oracle::Oracle;
use desk_storage_lsm::Options;
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune, drive};

/// Several buckets' worth of upkeep: tables are made, written and sealed.
fn work(node: &mut Node, oracle: &mut Oracle) {
    for round in 0..12 {
        for tail in 0..6 {
            oracle.append(node, key(round % 3 * 6 + tail));
        }
        oracle.commit(node);
        if node.has_failed() {
            return;
        }
        for tail in 0..6 {
            oracle.put(node, key(round % 3 * 6 + tail));
        }
        // What a full disk keeps from a table is readable all the same.
        oracle.check(node, NOW);
        if drive(node.stores[0].checkpoint()).is_err() {
            return;
        }
        if !node.upkeep(NOW) {
            return;
        }
    }
}

fn no_space_at(access: u64) -> Faults {
    Faults { at: vec![(access, Misfortune::NoSpace)], capacity_bytes: None }
}

#[test]
fn a_table_that_finds_no_room_poisons_nothing() {
    // Tables that are sealed after each block, and one that stays open.
    let (sealed, open) = (sweep(24 * 1024), sweep(1 << 20));
    println!("{sealed:?} and {open:?} writes and makings of tables found no room");
    assert!(sealed.0 > 10 && sealed.1 > 5 && open.0 > 10 && open.1 > 1);
}

fn sweep(table_bytes: u64) -> (u32, u32) {
    let options = Options { table_bytes, ..small() };
    let (mut writes, mut made) = (0, 0);
    for access in 0.. {
        let disk = MemoryDisk::with_seed(access);
        let mut node = Node::start(&disk, options, NOW, 1).unwrap();
        let begin = disk.accesses();
        disk.set_faults(no_space_at(begin + access));
        let mut oracle = Oracle::default();
        work(&mut node, &mut oracle);
        if disk.accesses() <= begin + access {
            break;
        }
        let strikes = disk.strikes();
        let Some(strike) = strikes.first() else { continue };
        // A sync that fails may have lost what was written before, and the log
        // and the manifest are written ahead: those are other stories.
        let of_table = strike.file.ends_with(".table") && strike.operation != "sync";
        if !of_table && !strike.file.is_empty() {
            continue;
        }
        assert_eq!(node.stores[0].poisoned(), None, "{strike:?}");
        writes += u32::from(strike.operation == "write");
        made += u32::from(strike.operation != "write");
        drive(node.stores[0].checkpoint()).unwrap();
        let waiting = node.stores[0].counters().backlog_bytes;
        assert_eq!(waiting, 0, "it is written when there is room: {strike:?}");
        assert!(node.manifest_round(NOW));
        while drive(node.owner.unlink_step()).unwrap() {}
        let names = drive(disk.list()).unwrap();
        let tables = names.iter().filter(|name| name.ends_with(".table")).count();
        assert_eq!(tables, node.owner.manifest().tables.len(), "{strike:?}");
        oracle.check(&node, NOW);
        disk.crash();
        disk.restart();
        oracle.restart();
        let node = Node::start(&disk, options, NOW, 2).unwrap();
        assert!(node.report.is_sound(), "{strike:?}: {:?}", node.report);
        oracle.check(&node, NOW);
    }
    (writes, made)
}
