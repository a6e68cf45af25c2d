//! Dead lines: who answers no ping is gone for the others.

use desk_e2e::server::Setup;
use desk_e2e::{Socket, create, join};
use desk_protocol::frame::{ClientFrame, Person, Presence};
use desk_protocol::{Author, ServerFrame};

fn show(socket: &mut Socket, hidden: bool) {
    let name = "somebody".to_owned();
    socket.send(&ClientFrame::Presence(Presence { name, hidden, ..Presence::default() }));
}

/// Reads until the next news of people.
fn people(socket: &mut Socket) -> Vec<Person> {
    loop {
        if let ServerFrame::Presence(people) = socket.frame() {
            return people;
        }
    }
}

#[test]
fn line_4_who_answers_no_ping_is_gone_for_the_others() {
    let setup = Setup::default().limit("probe-after", "\"100ms\"").limit("probe-time", "\"1s\"");
    let server = setup.start();
    let ada = create(&server, "");
    let (bob, cid) = (join(&server, &ada.id), join(&server, &ada.id));
    let mut looks = Socket::live(&server, &ada.key);
    let mut answers = Socket::live(&server, &bob.key);
    let mut silent = Socket::live(&server, &cid.key);
    show(&mut looks, false);
    show(&mut answers, true);
    show(&mut silent, true);
    std::thread::spawn(move || while answers.receive().is_ok() {});

    let mut gone = Vec::new();
    while !gone.contains(&Author(3)) {
        let news = people(&mut looks);
        let left = news.iter().filter(|person| person.presence.is_none());
        gone.extend(left.map(|person| person.author));
    }
    assert_eq!(gone, [Author(3)], "who answers stays");

    silent.send(&ClientFrame::Ping { nonce: 1 });
    let back = |person: &Person| person.author == Author(3) && person.presence.is_some();
    while !people(&mut looks).iter().any(back) {}
}
