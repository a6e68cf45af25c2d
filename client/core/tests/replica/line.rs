//! The line: how it comes back, how soon its end is noticed, and what is said.

use std::time::Duration;

use crate::net::{self, Net};
use desk_client_core::{Event, Line, NewSticker, Status, Trouble, limits};
use desk_protocol::Time;
use desk_protocol::frame::CloseCode;

/// The time by which people see that a line is dead.
const NOTICED: Duration = Duration::from_secs(5);
/// The step in which these tests let time pass.
const STEP: Duration = Duration::from_millis(100);

fn note(text: &str) -> NewSticker {
    NewSticker { text: text.into(), ..NewSticker::default() }
}

fn offline(trouble: Trouble) -> Status {
    Status::Offline { pending: 0, trouble }
}

/// Lets time pass, nothing being delivered, until client 0 is as wanted, and says how
/// long that took.
fn until(net: &mut Net, what: &str, wanted: impl Fn(&Net) -> bool) -> Duration {
    let from = net.now;
    while !wanted(net) {
        net.pass_time(STEP);
        let passed = net.now.since(from);
        assert!(passed < Duration::from_secs(120), "{what}: not within {passed:?}");
    }
    net.now.since(from)
}

fn status(net: &Net) -> Status {
    net.peers[0].client.status()
}

fn line(net: &Net) -> Line {
    net.peers[0].client.line()
}

#[test]
fn line_2_a_connection_that_never_opens_is_given_up() {
    let mut net = Net::new(1);
    net.peers[0].hangs = true;
    net.pump(0);
    assert_eq!(status(&net), Status::Connecting { pending: 0 });
    let noticed = until(&mut net, "given up", |net| line(net) == Line::Waiting);
    assert!(noticed <= limits::CONNECT_TIMEOUT + STEP, "{noticed:?}");
    assert_eq!(status(&net), offline(Trouble::NoAnswer));
    let dead = Event::LineDead { trouble: Trouble::NoAnswer };
    assert!(net.peers[0].events.contains(&dead), "the shell drops what hangs");
    net.peers[0].hangs = false;
    net.settle();
    assert_eq!(status(&net), Status::Saved);
}

#[test]
fn a_restored_client_gives_up_its_first_attempt_too() {
    let mut net = Net::durable(1, net::plenty(), 1_000, 5);
    net.settle();
    net.restart(0);
    net.peers[0].hangs = true;
    net.pump(0);
    until(&mut net, "given up", |net| line(net) == Line::Waiting);
}

#[test]
fn try_now_begins_anew_while_an_attempt_hangs() {
    let mut net = Net::joined(1);
    net.cut(0);
    net.peers[0].hangs = true;
    until(&mut net, "an attempt", |net| line(net) == Line::Connecting);
    assert_eq!(status(&net), offline(Trouble::Lost));
    net.peers[0].hangs = false;
    let now = net.now;
    net.client(0).retry_now(now);
    assert_eq!(status(&net), Status::Connecting { pending: 0 });
    net.pass_time(Duration::ZERO);
    while net.deliver_up(0) || net.deliver_down(0) {}
    assert_eq!((net.now, status(&net)), (now, Status::Saved), "without waiting");
}

#[test]
fn try_now_leaves_a_greeting_that_nobody_answers() {
    let mut net = Net::new(1);
    net.pump(0);
    assert_eq!(line(&net), Line::Joining);
    let first = net.peers[0].line;
    let now = net.now;
    net.client(0).retry_now(now);
    net.pass_time(Duration::ZERO);
    assert_eq!(net.peers[0].line, first, "an attempt just begun goes on");
    net.pass_time(limits::PING_AFTER);
    let now = net.now;
    net.client(0).retry_now(now);
    net.pass_time(Duration::ZERO);
    assert_ne!(net.peers[0].line, first);
    net.settle();
    assert_eq!(status(&net), Status::Saved);
}

#[test]
fn line_2_a_line_too_slow_for_an_attempt_gets_more_time() {
    let slow = Duration::from_secs(15);
    let mut net = Net::new(1);
    net.peers[0].hangs = true;
    net.pump(0);
    let mut begun = net.now;
    let mut was = line(&net);
    // The line takes 15 s to open, whenever an attempt begins.
    while line(&net) != Line::Joining {
        net.pass_time(STEP);
        assert!(net.now.since(Time::from_unix_seconds(1_000)) < Duration::from_secs(120));
        if was != Line::Connecting && line(&net) == Line::Connecting {
            begun = net.now;
        }
        was = line(&net);
        if was == Line::Connecting && net.now.since(begun) >= slow {
            net.open(0);
        }
    }
    net.settle();
    assert_eq!(status(&net), Status::Saved);
}

#[test]
fn line_3_a_dead_line_shows_within_five_seconds() {
    let mut net = Net::joined(1);
    let noticed = until(&mut net, "dead", |net| !matches!(status(net), Status::Saved));
    assert!(noticed <= NOTICED, "{noticed:?}");
    assert_eq!(status(&net), offline(Trouble::Silent));
    // With work in flight, whenever it went out.
    for late in [0, 1, 19] {
        let mut net = Net::joined(1);
        for _ in 0..late {
            net.pass_time(STEP);
        }
        let now = net.now;
        net.client(0).create(now, note("lost?")).unwrap();
        net.pump(0);
        let noticed = until(&mut net, "dead", |net| line(net) != Line::Live);
        assert!(noticed + STEP * late <= NOTICED, "{noticed:?} after {late}");
    }
}

#[test]
fn a_line_that_nobody_looks_at_is_asked_seldom() {
    let mut net = Net::joined(1);
    let now = net.now;
    net.client(0).set_watched(now, false);
    net.pass_time(Duration::ZERO);
    assert_eq!(status(&net), Status::Saved);
    let (at, reason) = net.peers[0].client.poll_timeout().expect("it is asked some time");
    assert_eq!((at.since(now), reason), (limits::PING_AFTER_UNWATCHED, "ping"));
    // The page comes to the front when the line is long dead.
    net.pass_time(limits::PING_AFTER_UNWATCHED - STEP);
    let now = net.now;
    net.client(0).set_watched(now, true);
    let noticed = until(&mut net, "dead", |net| !matches!(status(net), Status::Saved));
    assert!(noticed <= limits::PONG_TIMEOUT + 2 * STEP, "{noticed:?}");
}

#[test]
fn a_line_that_is_doubted_is_asked_at_once() {
    let mut net = Net::joined(1);
    let now = net.now;
    net.client(0).set_watched(now, false);
    net.client(0).doubt_line(now);
    net.pass_time(Duration::ZERO);
    while net.deliver_up(0) || net.deliver_down(0) {}
    assert_eq!(status(&net), Status::Saved, "it answers, so it stays");
    let now = net.now;
    net.client(0).doubt_line(now);
    let noticed = until(&mut net, "dead", |net| line(net) != Line::Live);
    assert!(noticed <= limits::PONG_TIMEOUT + 2 * STEP, "{noticed:?}");
}

#[test]
fn line_3_a_batch_on_a_slow_line_is_waited_for() {
    let mut net = Net::joined(1);
    let now = net.now;
    for _ in 0..16 {
        net.client(0).create(now, note(&"x".repeat(10_000))).unwrap();
    }
    net.pump(0);
    // 160 KB over 64 kbit/s take 20 s; until then no answer can be there.
    for _ in 0..190 {
        net.pass_time(STEP);
        assert_eq!(line(&net), Line::Live, "after {:?}", net.now.since(now));
    }
    net.settle();
    net.assert_converged();
    net.client(0).create(now, note("short")).unwrap();
    net.pump(0);
    until(&mut net, "dead", |net| line(net) != Line::Live);
}

#[test]
fn who_slept_through_a_deadline_asks_once_more() {
    let minute = Duration::from_secs(60);
    let mut net = Net::joined(1);
    net.pass_time(limits::PING_AFTER);
    // The ping is out, its answer came, and this side was too busy to read it.
    net.pass_time(minute);
    assert_eq!(line(&net), Line::Live);
    while net.deliver_up(0) || net.deliver_down(0) {}
    assert_eq!(status(&net), Status::Saved);
    // Of a line that is dead, it is told all the same.
    net.pass_time(minute);
    net.pass_time(minute);
    assert_eq!(line(&net), Line::Live);
    net.pass_time(minute);
    assert_eq!(line(&net), Line::Waiting);
}

#[test]
fn who_rendered_too_long_before_its_hello_comes_back() {
    let mut net = Net::new(1);
    net.pump(0);
    net.pass_time(Duration::from_secs(11));
    net.close(0, CloseCode::TimedOut);
    assert_eq!(status(&net), offline(Trouble::Server(CloseCode::TimedOut)));
    net.settle();
    assert_eq!(status(&net), Status::Saved);
}

#[test]
fn line_1_only_what_the_server_calls_over_is_over() {
    for code in CloseCode::ALL {
        let mut net = Net::joined(1);
        net.close(0, code);
        let over = matches!(
            code,
            CloseCode::KeyVoid
                | CloseCode::NotAllowed
                | CloseCode::Finished
                | CloseCode::LinkReplaced
                | CloseCode::Superseded
                | CloseCode::Deleted
                | CloseCode::Expired
        );
        if over {
            assert_eq!(status(&net), Status::Ended { code, pending: 0 });
            continue;
        }
        assert_eq!(status(&net), offline(Trouble::Server(code)), "the status says why");
        net.settle();
        assert_eq!(status(&net), Status::Saved, "{code:?}");
    }
}

#[test]
fn the_status_says_whether_an_attempt_has_failed() {
    let mut net = Net::new(1);
    assert_eq!(status(&net), Status::Connecting { pending: 0 });
    net.peers[0].online = false;
    net.pump(0);
    assert_eq!(status(&net), offline(Trouble::Lost));
    until(&mut net, "another attempt fails", |net| {
        let attempts = |event: &&Event| matches!(event, Event::Connect { .. });
        net.peers[0].events.iter().filter(attempts).count() == 2
    });
    assert_eq!(status(&net), offline(Trouble::Lost));
    net.go_online(0);
    assert_eq!(status(&net), Status::Connecting { pending: 0 });
    net.settle();
    assert_eq!(status(&net), Status::Saved);
}

#[test]
fn refused_work_does_not_hide_that_the_line_is_down() {
    let mut net = Net::joined(1);
    net.server.limits.desk.text_chars = 5;
    let now = net.now;
    net.client(0).create(now, note("too long")).unwrap();
    net.settle();
    assert_eq!(status(&net), Status::Rejected { unsaved: 1, pending: 0 });
    net.go_offline(0);
    assert_eq!(status(&net), offline(Trouble::Lost));
}

#[test]
fn line_5_expiry_is_judged_by_the_servers_clock() {
    let mut net = Net::new(1);
    assert_eq!(net.peers[0].client.server_time(net.now), None);
    // This device is eight days ahead of the server.
    let server = Time::from_unix_seconds(2_000_000);
    net.now = server + Duration::from_secs(8 * 86_400);
    net.server.clock_ms = server.unix_millis();
    net.settle();
    let later = net.now + Duration::from_secs(60);
    let told = net.peers[0].client.server_time(later).expect("the welcome told it");
    assert_eq!(told.since(server), Duration::from_secs(60));
}
