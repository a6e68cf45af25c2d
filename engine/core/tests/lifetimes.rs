//! How long desks live: what the store keeps them for is what is promised.

use std::time::Duration;

use desk_engine_core::{Input, Lifetime, Request, ServiceError};
use desk_protocol::frame::CloseCode;

mod harness;
use harness::*;

const DAY: u64 = 86_400;

fn span(first_day: u64, end_day: u64, days: u64) -> Lifetime {
    let day = |days: u64| START.unix_seconds() + days * DAY;
    let first = u32::try_from(day(first_day)).expect("a second of this century");
    Lifetime { first, end: day(end_day), lasts: Duration::from_secs(days * DAY) }
}

#[test]
fn a_desk_is_promised_what_the_store_keeps() {
    let mut world = World::new();
    // The operator chose two days, and later a week: that holds from the second day on.
    world.input(Input::Lifetimes(vec![span(0, 1, 2), span(1, 9, 7)]));
    let start = START.unix_seconds();
    let first = world.create();
    assert_eq!(first.expires_at, start + 2 * DAY);
    world.advance(Duration::from_secs(DAY));
    let second = world.create();
    assert_eq!(second.expires_at, start + 8 * DAY);

    let mut world = world.restart(config());
    assert_eq!(world.join(first.link).expires_at, first.expires_at, "it keeps its promise");
    let connection = world.connect(first.key, 1, None);
    world.advance(Duration::from_secs(DAY) - Duration::from_micros(1));
    assert_eq!(world.closed.get(&connection), None);
    world.advance(Duration::from_micros(1));
    assert_eq!(world.closed[&connection], CloseCode::Expired);
    assert_eq!(world.join(second.link).expires_at, second.expires_at);
}

#[test]
fn no_desk_is_made_in_a_second_that_the_store_does_not_take() {
    let mut world = World::new();
    let create = || Request::Create { title: String::new(), content: false };
    for spans in [vec![], vec![span(1, 2, 7)]] {
        world.input(Input::Lifetimes(spans));
        let why = world.failure(create());
        assert!(matches!(why, ServiceError::Unavailable(_)), "{why:?}");
        assert!(world.log.is_empty(), "nothing is logged of it");
    }
    world.advance(Duration::from_secs(DAY));
    world.create();
}

#[test]
fn what_the_store_has_dropped_has_expired() {
    let mut world = World::new();
    let desk = world.create();
    let mut world = world.restart(config());
    (world.log, world.tables) = Default::default();
    let gone = Request::Export { link: desk.link, deleted: None };
    assert_eq!(world.failure(gone), ServiceError::NoDesk);
    // Its span has gone, and with it what there was of it.
    world.input(Input::Lifetimes(vec![span(1, 9, 7)]));
    let gone = Request::Export { link: desk.link, deleted: None };
    assert_eq!(world.failure(gone), ServiceError::Expired);
}
