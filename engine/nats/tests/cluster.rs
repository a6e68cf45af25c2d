//! Nodes over three real nats-servers.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[allow(dead_code, reason = "each test uses a part of the rig")]
mod rig;

use desk_nats::{Key, Record, StartError, UNITS, What};
use desk_protocol::Time;
use rig::{LATER, Peer, Servers, settings, until};

fn record(sequence: u64) -> Record {
    let what = What::Entry(format!("entry {sequence}").into_bytes());
    Record { key: Key([3; 16]), sequence, expires_at: LATER, what }
}

#[test]
fn nodes_share_the_units_and_take_over() {
    let mut servers = Servers::start("share", true);
    let mut a = Peer::join(settings(&servers, "a", 0)).unwrap();
    let mut b = Peer::join(settings(&servers, "b", 1)).unwrap();
    assert_eq!(a.session_key, b.session_key, "the first node's key is the cluster's");
    until("both own units, all in all", &mut [&mut a, &mut b], |peers| {
        let owned: Vec<usize> = peers.iter().map(|peer| peer.owned.len()).collect();
        owned[0] > 8 && owned[1] > 8 && owned[0] + owned[1] == usize::from(UNITS)
    });
    let (unit, epoch) = a.owned.first_key_value().map(|(unit, epoch)| (*unit, *epoch)).unwrap();
    for ticket in 1..=40 {
        a.handle.append(unit, epoch, vec![record(2 * ticket - 1), record(2 * ticket)], ticket);
    }
    until("all is durable", &mut [&mut a, &mut b], |peers| {
        peers[0].acknowledged.last() == Some(&(unit, 40))
    });

    // A lane's server dies, and the node goes on.
    servers.kill(2);
    a.handle.append(unit, epoch, vec![record(81)], 41);
    until("all is durable with two servers", &mut [&mut a, &mut b], |peers| {
        peers[0].acknowledged.last() == Some(&(unit, 41))
    });

    // The node ends, and the other has what it said.
    a.handle.stop();
    until("the other owns everything", &mut [&mut b], |peers| {
        peers[0].owned.len() == usize::from(UNITS)
    });
    let sequences: Vec<u64> = b.store[&unit].iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, (1..=81).collect::<Vec<u64>>());
    let view = b.handle.members();
    assert!(view.is_own(unit), "{view:?}");
    assert!(!view.nodes.iter().any(|node| node.name == "a" && node.is_living));
    b.handle.stop();
}

#[test]
fn what_has_expired_leaves_the_lanes() {
    const ENTRY_BYTES: usize = 400 << 10;
    let servers = Servers::start("expire", true);
    let mut a = Peer::join(settings(&servers, "a", 0)).unwrap();
    until("the node owns everything", &mut [&mut a], |peers| {
        peers[0].owned.len() == usize::from(UNITS)
    });
    let (unit, epoch) = a.owned.first_key_value().map(|(unit, epoch)| (*unit, *epoch)).unwrap();
    // More than the unit may have in its lanes at once.
    let over = |sequence| Record {
        key: Key([4; 16]),
        expires_at: Time(1),
        what: What::Entry(vec![7; ENTRY_BYTES]),
        sequence,
    };
    for sequence in 1..=30 {
        a.handle.append(unit, epoch, vec![over(sequence)], sequence);
    }
    let appended = (1..=5).map(record).collect();
    a.handle.append(unit, epoch, appended, 100);
    until("all is durable", &mut [&mut a], |peers| {
        peers[0].acknowledged.last() == Some(&(unit, 100))
    });
    until("the lanes are small", &mut [&mut a], |_| servers.lane_bytes() < 1 << 20);

    // Another node takes the unit: it finds what has not expired, and misses nothing.
    let mut b = Peer::join(settings(&servers, "b", 1)).unwrap();
    b.handle.take(unit);
    until("another node owns the unit", &mut [&mut a, &mut b], |peers| {
        peers[1].owned.contains_key(&unit)
    });
    let sequences: Vec<u64> = b.store[&unit].iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
    assert_eq!(b.notices, [""; 0]);
    a.handle.stop();
    b.handle.stop();
}

#[test]
fn lanes_that_fill_up_are_cleaned() {
    const ENTRY_BYTES: usize = 400 << 10;
    /// Three times what the unit may have in its lanes.
    const RECORDS: u64 = 75;
    let servers = Servers::start("clean", true);
    let mut a = Peer::join(settings(&servers, "a", 0)).unwrap();
    until("the node owns everything", &mut [&mut a], |peers| {
        peers[0].owned.len() == usize::from(UNITS)
    });
    let (unit, epoch) = a.owned.first_key_value().map(|(unit, epoch)| (*unit, *epoch)).unwrap();
    for sequence in 1..=RECORDS {
        let what = What::Entry(vec![sequence as u8; ENTRY_BYTES]);
        let record = Record { what, ..record(sequence) };
        a.handle.append(unit, epoch, vec![record.clone()], sequence);
        until("it is durable", &mut [&mut a], |peers| {
            peers[0].acknowledged.last() == Some(&(unit, sequence))
        });
        a.keep(unit, record);
    }
    assert!(a.shown > 0);
    // Another node has all of it, by states and records.
    let mut b = Peer::join(settings(&servers, "b", 1)).unwrap();
    b.handle.take(unit);
    until("another node owns the unit", &mut [&mut a, &mut b], |peers| {
        peers[1].owned.contains_key(&unit)
    });
    let sequences: Vec<u64> = b.store[&unit].iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, (1..=RECORDS).collect::<Vec<u64>>());
    a.handle.stop();
    b.handle.stop();
}

#[test]
fn what_cannot_carry_a_cluster_is_refused() {
    let servers = Servers::start("refuse", false);
    let refused = |settings| match Peer::join(settings) {
        Ok(_) => panic!("it joined"),
        Err(error) => error,
    };
    let mut wrong = settings(&servers, "a", 0);
    wrong.servers.iter_mut().for_each(|server| *server = server.replace("secret", "guess"));
    let error = refused(wrong);
    assert!(matches!(error, StartError::Refused(_)), "{error}");

    let error = refused(settings(&servers, "a", 0));
    assert!(error.to_string().contains("sync_interval: always"), "{error}");

    let mut nowhere = settings(&servers, "a", 0);
    nowhere.servers = vec!["nats://127.0.0.1:1".to_owned()];
    let error = refused(nowhere);
    assert!(matches!(error, StartError::Unreachable { .. }), "{error}");

    for bad in ["", "a.b", "a b", &"a".repeat(64)] {
        let mut named = settings(&servers, "a", 0);
        named.node = bad.to_owned();
        assert!(matches!(refused(named), StartError::Setting(_)), "{bad}");
    }
    for bad in ["a.example.org", "ftp://a", "https://a/path"] {
        let mut placed = settings(&servers, "a", 0);
        placed.advertise = bad.to_owned();
        assert!(matches!(refused(placed), StartError::Setting(_)), "{bad}");
    }
}

#[test]
fn nodes_of_one_cluster_agree() {
    let servers = Servers::start("agree", true);
    let a = Peer::join(settings(&servers, "a", 0)).unwrap();
    let mut other = settings(&servers, "b", 1);
    other.desk_ttl_s = 60;
    let error = Peer::join(other).err().unwrap().to_string();
    assert!(error.contains("--desk-ttl") && error.contains("604800"), "{error}");

    // Another node of the same name hears the first, and gives up.
    let mut twin = settings(&servers, "a", 1);
    twin.seed = [9; 32];
    let mut twin = Peer::join(twin).unwrap();
    until("the second of one name fails", &mut [&mut twin], |peers| {
        peers[0].failed.as_ref().is_some_and(|why| why.contains("--node"))
    });
    twin.handle.stop();
    a.handle.stop();
}
