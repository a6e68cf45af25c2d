//! Notes that client 0 imported by a request (IMPORT-1 to IMPORT-4).

use desk_client_core::Edit;
use desk_protocol::{Create, Operation, Point, Revision, StickerId};

use crate::net::Net;

fn notes(count: u64) -> Vec<Operation> {
    let note = |number: u64| {
        Operation::Create(Create {
            id: StickerId(1_000 + number),
            position: Point::default(),
            size: Default::default(),
            color: Default::default(),
            text: format!("note {number}"),
            ..Create::default()
        })
    };
    (0..count).map(note).collect()
}

fn shown(net: &mut Net, client: usize) -> usize {
    net.client(client).desk().live_stickers()
}

fn undo(net: &mut Net) -> bool {
    let now = net.now;
    net.client(0).undo(now)
}

/// Client 0 imports; its answer comes first or last.
fn imported(net: &mut Net, count: u64, long: bool, answer_first: bool) {
    let (revision, created) = net.import(0, notes(count), long);
    if !answer_first {
        net.settle();
    }
    net.client(0).imported(revision, created);
    net.settle();
}

#[test]
fn import_4_undo_takes_it_back_in_one_step() {
    for (count, long) in [(3, false), (1_300, true), (600, false)] {
        for answer_first in [true, false] {
            let mut net = Net::joined(2);
            imported(&mut net, count, long, answer_first);
            assert_eq!(shown(&mut net, 1), count as usize);
            assert!(undo(&mut net));
            assert_eq!(shown(&mut net, 0), 0, "at once");
            net.settle();
            net.assert_converged();
            assert_eq!(shown(&mut net, 1), 0);
            assert!(!net.client(0).can_undo());
            let now = net.now;
            assert!(net.client(0).redo(now));
            net.settle();
            net.assert_converged();
            assert_eq!(shown(&mut net, 1), count as usize);
        }
    }
}

#[test]
fn import_4_what_others_changed_since_stays() {
    for (changed_before_answer, long) in [(true, false), (false, true), (false, false)] {
        let mut net = Net::joined(2);
        let (revision, created) = net.import(0, notes(3), long);
        net.settle();
        if !changed_before_answer {
            net.client(0).imported(revision, created.clone());
        }
        let now = net.now;
        let moved = Edit::Move { id: created[1], to: Point { x: 9, y: 9 } };
        net.client(1).act(now, vec![moved]).expect("a sound edit");
        net.settle();
        if changed_before_answer {
            net.client(0).imported(revision, created.clone());
        }
        assert!(undo(&mut net));
        net.settle();
        net.assert_converged();
        let left: Vec<_> = net
            .client(0)
            .desk()
            .pile()
            .filter(|one| !one.deleted.value)
            .map(|one| one.id)
            .collect();
        assert_eq!(left, [created[1]]);
    }
}

#[test]
fn import_1_it_is_none_of_the_batches_on_their_way() {
    for long in [false, true] {
        let mut net = Net::joined(2);
        let now = net.now;
        let note = desk_client_core::NewSticker { text: "mine".into(), ..Default::default() };
        let id = net.client(0).create(now, note).expect("a sound note");
        net.pump(0);
        // It overtakes the batch in flight, whose number is 1.
        net.import(0, notes(2), long);
        while net.deliver_down(0) {}
        assert!(net.client(0).is_unsaved(id));
        net.settle();
        net.assert_converged();
        assert_eq!(net.server.desk.revision(), Revision(2));
        assert_eq!(net.server.log.len(), 1, "sent once");
    }
}
