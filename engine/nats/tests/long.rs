//! Owners who steal units while servers die, over three real nats-servers.
//!
//! `CLUSTER_TAKES` says how many take-overs a run waits for. With 500, which write 1,000
//! fences, 17 servers were killed in a minute and a half.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[allow(dead_code, reason = "each test uses a part of the rig")]
mod rig;

use std::collections::BTreeMap;
use std::time::Duration;

use desk_nats::{Key, Record, UNITS, UnitId, What};
use rig::{LATER, PATIENCE, Peer, Servers, now, settings, until};

/// Take-overs that a short run waits for; each writes two fences.
const TAKES: usize = 40;
/// Records that are acknowledged for each of them, at least.
const RECORDS_PER_TAKE: usize = 60;
/// Take-overs from which on servers were surely killed.
const TAKES_LONG: usize = 500;
/// Records of one append.
const AT_ONCE: u64 = 8;
/// Units that are fought for.
const UNITS_USED: u16 = 8;

/// What was appended with a ticket.
type Said = BTreeMap<(UnitId, u64), Vec<Record>>;

fn key(unit: UnitId) -> Key {
    let mut key = [0; 16];
    key[0] = unit.number() as u8;
    Key(key)
}

/// Appends at a peer what follows on what it has.
fn append(peer: &mut Peer, unit: UnitId, ticket: u64, said: &mut Said) {
    let Some(epoch) = peer.owned.get(&unit).copied() else { return };
    let last = peer.memory.get(&unit).copied().unwrap_or_default();
    let record = |sequence| Record {
        key: key(unit),
        sequence,
        expires_at: LATER,
        what: What::Entry(format!("{ticket} {sequence}").into_bytes()),
    };
    let records: Vec<Record> = (last + 1..=last + AT_ONCE).map(record).collect();
    peer.memory.insert(unit, last + AT_ONCE);
    said.insert((unit, ticket), records.clone());
    peer.handle.append(unit, epoch, records, ticket);
}

/// Moves what was acknowledged from `said` to `kept`, one content a sequence.
fn collect(peer: &mut Peer, said: &mut Said, kept: &mut BTreeMap<(UnitId, u64), Record>) {
    for (unit, ticket) in std::mem::take(&mut peer.acknowledged) {
        for record in said.remove(&(unit, ticket)).unwrap_or_default() {
            peer.keep(unit, record.clone());
            let before = kept.insert((unit, record.sequence), record.clone());
            assert_eq!(before, None, "two acknowledged for one sequence");
        }
    }
}

#[test]
fn owners_who_steal_while_servers_die_lose_nothing() {
    let takes = std::env::var("CLUSTER_TAKES").ok().and_then(|text| text.parse().ok());
    let takes = takes.unwrap_or(TAKES);
    let records = takes * RECORDS_PER_TAKE;
    let mut servers = Servers::start("steal", true);
    let mut peers: Vec<Peer> = ["a", "b", "c"]
        .iter()
        .enumerate()
        .map(|(at, name)| Peer::join(settings(&servers, name, at)).unwrap())
        .collect();
    let mut refs: Vec<&mut Peer> = peers.iter_mut().collect();
    until("all units are owned", &mut refs, |peers| {
        peers.iter().map(|peer| peer.owned.len()).sum::<usize>() == usize::from(UNITS)
    });
    let units: Vec<UnitId> = UnitId::all().take(usize::from(UNITS_USED)).collect();
    let (mut said, mut kept) = (Said::new(), BTreeMap::new());
    let (mut ticket, mut turns, mut kills) = (0, 0u64, 0);
    let begun = now();
    let mut dead: Option<(usize, u64)> = None;
    let taken = |peers: &[Peer]| peers.iter().map(|peer| peer.taken).sum::<usize>();
    while kept.len() < records || taken(&peers) < takes {
        assert!(begun.elapsed() < Duration::from_secs(500), "{} {}", kept.len(), taken(&peers));
        turns += 1;
        for peer in &mut peers {
            for unit in &units {
                ticket += 1;
                append(peer, *unit, ticket, &mut said);
            }
            peer.listen(Duration::from_millis(3));
            collect(peer, &mut said, &mut kept);
        }
        // Somebody wants a unit that another has.
        let unit = units[(turns * 7 % u64::from(UNITS_USED)) as usize];
        peers[(turns % 3) as usize].handle.take(unit);
        match dead {
            Some((server, until)) if turns > until => {
                servers.start_one(server);
                dead = None;
            }
            None if turns % 400 == 399 => {
                let server = (kills % 3) as usize;
                kills += 1;
                servers.kill(server);
                dead = Some((server, turns + 150));
            }
            _ => {}
        }
    }
    for peer in &peers {
        peer.notices.iter().for_each(|notice| println!("{notice}"));
    }
    println!(
        "{} records, {} take-overs, {kills} servers killed, in {:?}",
        kept.len(),
        taken(&peers),
        begun.elapsed()
    );
    if let Some((server, _)) = dead {
        servers.start_one(server);
    }
    // One more node reads all of it from the streams.
    let mut last = Peer::join(settings(&servers, "last", 0)).unwrap();
    // The others still race for some of them, and a race that is lost is given up.
    let asked = now();
    while !units.iter().all(|unit| last.memory.contains_key(unit)) {
        assert!(asked.elapsed() < PATIENCE, "it owned {:?}; {:?}", last.memory, last.notices);
        let missing = units.iter().filter(|unit| !last.memory.contains_key(unit));
        missing.for_each(|unit| last.handle.take(*unit));
        last.listen(Duration::from_millis(200));
    }
    for ((unit, sequence), record) in &kept {
        let stored = last.store.get(unit).and_then(|all| all.get(*sequence as usize - 1));
        assert_eq!(stored, Some(record), "acknowledged, and lost");
    }
    assert!(takes < TAKES_LONG || kills > 0);
}
