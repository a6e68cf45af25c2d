//! Several machines: any of them leads to a desk, and a desk outlives its machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use desk_client_native::Carriers;
use desk_e2e::cluster::{Cluster, MACHINES};
use desk_e2e::http::KEY;
use desk_e2e::programs::{note, opened, soon, texts};
use desk_e2e::{Setup, create, eventually, http, join, now};
use serde_json::json;

#[test]
fn any_machine_leads_to_a_desk() {
    let cluster = Cluster::start();
    let desk = create(&cluster.nodes[0], "Retro");
    assert_eq!(cluster.owner(&desk.id), 0, "a machine with units makes desks itself");
    let nodes = desk.answer["nodes"].as_array().unwrap();
    let urls: Vec<_> = cluster.nodes.iter().map(|node| node.url().into()).collect();
    assert!(urls.iter().all(|url| nodes.contains(url)) && nodes.len() == MACHINES, "{nodes:?}");
    let page = http::get(&cluster.nodes[1], &format!("/d/{}?x=1", desk.id), &[]).expect(307);
    let there = format!("{}/d/{}?x=1", cluster.nodes[0].url(), desk.id);
    assert_eq!(page.field("Location"), Some(&*there));
    let ops = json!([{ "create": { "x": 0, "y": 0, "text": "by another" } }]);
    desk.sync(&cluster.nodes[1], 1, 0, ops.clone()).expect(307);
    cluster.ask(2, |node| desk.sync(node, 1, 0, ops.clone())).expect(221);
    assert_eq!(cluster.texts(1, &desk.id), ["by another"]);
    // A session key of one machine is good on another.
    let again = cluster.ask(2, |node| {
        let body = json!({ "name": desk.id, "create_new": false, "session_key": desk.key });
        http::post(node, "/api/desk/init", &[], &body)
    });
    assert_eq!(again.expect(200).json()["resumed"], true);
    // A page of one machine may ask another; a page of others may not.
    let ask = |origin: &str| {
        let fields = [("Origin", origin)];
        http::get(&cluster.nodes[0], &format!("/api/desk/{}/export?format=json", desk.id), &fields)
    };
    let page = cluster.nodes[1].url();
    assert_eq!(ask(&page).field("Access-Control-Allow-Origin"), Some(&*page));
    assert_eq!(ask("http://elsewhere.example").field("Access-Control-Allow-Origin"), None);
}

#[test]
fn a_desk_goes_on_when_its_machine_is_gone() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut cluster = Cluster::start();
    let desk = create(&cluster.nodes[0], "Retro");
    let owner = cluster.owner(&desk.id);
    let link = format!("{}/d/{}", cluster.nodes[(owner + 1) % MACHINES].url(), desk.id);
    let carriers = [Carriers::WebSocket, Carriers::Quic, Carriers::Poll];
    let people = carriers.map(|carrier| runtime.block_on(opened(&link, carrier)));
    let mut all = Vec::new();
    for round in 0..20 {
        for (number, person) in people.iter().enumerate() {
            let text = format!("before {round} of {number}");
            person.add(note(&text)).unwrap();
            all.push(text);
        }
        runtime.block_on(soon(people[round % 3].saved())).unwrap();
    }
    cluster.kill9(owner);
    for (number, person) in people.iter().enumerate() {
        let text = format!("after of {number}");
        person.add(note(&text)).unwrap();
        all.push(text);
    }
    for person in &people {
        runtime.block_on(soon(person.saved())).unwrap();
    }
    all.sort();
    let living = (owner + 1) % MACHINES;
    assert_eq!(cluster.texts(living, &desk.id), all);
    for person in &people {
        runtime
            .block_on(soon(person.clone().until(|desk| desk.pile().count() == all.len())))
            .unwrap();
        let mut seen: Vec<_> = texts(person).into_iter().map(|(_, text)| text).collect();
        seen.sort();
        assert_eq!(seen, all);
    }
    // The machine comes back, and leads to the desk as the others do.
    cluster.up(owner);
    cluster.wait_for_units();
    assert_eq!(cluster.texts(owner, &desk.id), all);
}

#[test]
fn a_machine_that_is_stopped_gives_its_desks_away() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut cluster = Cluster::start();
    let desk = create(&cluster.nodes[2], "Retro");
    let owner = cluster.owner(&desk.id);
    let link = format!("{}/d/{}", cluster.nodes[owner].url(), desk.id);
    let carriers = [Carriers::WebSocket, Carriers::Quic, Carriers::Poll];
    let people = carriers.map(|carrier| runtime.block_on(opened(&link, carrier)));
    let mut all = Vec::new();
    let mut add = |round: usize| {
        for (number, person) in people.iter().enumerate() {
            let text = format!("{round} of {number}");
            person.add(note(&text)).unwrap();
            all.push(text);
        }
    };
    (0..5).for_each(&mut add);
    cluster.nodes[owner].terminate();
    (5..10).for_each(&mut add);
    for person in &people {
        runtime.block_on(soon(person.saved())).unwrap();
    }
    let (status, log, _) = cluster.nodes[owner].ended();
    assert!(status.success(), "{status}:\n{log}");
    all.sort();
    assert_eq!(cluster.texts((owner + 1) % MACHINES, &desk.id), all);
}

#[test]
fn the_operator_sees_who_serves_what() {
    let cluster = Cluster::start();
    let told = eventually("owners that all have heard of", || {
        let told = http::get(&cluster.nodes[1], "/admin/cluster", &[]).expect(200);
        (!told.text().contains("nobody")).then(|| told.text().to_owned())
    });
    for (name, node) in ["a", "b", "c"].iter().zip(&cluster.nodes) {
        assert!(told.contains(&format!("{name}    {}    yes", node.url())), "{told}");
    }
    let units = told.lines().filter(|line| line.split("    ").count() == 4).count();
    assert_eq!(units, 1 + 64, "{told}");
    let alone = desk_e2e::Server::new();
    let why = http::get(&alone, "/admin/cluster", &[]).problem(404);
    assert!(why.contains("--cluster"), "{why}");
}

#[test]
fn owners_are_served_at_any_machine() {
    let mut cluster = Cluster::start();
    let ada = create(&cluster.nodes[0], "Retro");
    assert_eq!(cluster.owner(&ada.id), 0);
    let person = join(&cluster.nodes[0], &ada.id);
    let owner = ada.as_owner(&cluster.nodes[0]);
    let target = format!("/api/desk/{}", ada.id);
    // The machine that is asked has no such desk, and is answered by the one that has.
    let shown = ada.link(&cluster.nodes[1], "viewer", false);
    let replaced = ada.link(&cluster.nodes[2], "viewer", true);
    assert_ne!(shown, replaced);
    assert_eq!(ada.link(&cluster.nodes[0], "viewer", false), replaced);
    desk_e2e::desk::init(&cluster.nodes[0], &shown).problem(404);
    let refused = http::delete(&cluster.nodes[1], &target, &[(KEY, &person.key)]);
    assert_eq!(refused.code(403), "not_allowed");
    let finish = "/api/desk/collaboration/finish";
    http::patch(&cluster.nodes[1], finish, &[(KEY, &owner.key)], &json!({ "diff": "" }))
        .expect(200);
    let again = ada.as_owner(&cluster.nodes[0]);
    http::delete(&cluster.nodes[2], &target, &[(KEY, &again.key)]).expect(200);
    desk_e2e::desk::init(&cluster.nodes[0], &ada.id).problem(404);

    // A takedown is kept until a machine has the desk.
    let bad = create(&cluster.nodes[0], "Bad");
    cluster.kill9(0);
    let takedown = format!("/admin/desk/{}", bad.id);
    http::delete(&cluster.nodes[1], &takedown, &[]).expect(200);
    for node in 1..MACHINES {
        assert_eq!(cluster.ask(node, |at| desk_e2e::desk::init(at, &bad.id)).status, 404);
    }
    let told = http::get(&cluster.nodes[1], "/admin/queue", &[]).expect(200).text().to_owned();
    let of = |what: &str, state: &str| {
        told.lines().any(|line| line.contains(what) && line.ends_with(state))
    };
    assert!(of("takedown", "acknowledged") && of("finish", "acknowledged"), "{told}");
    assert!(of("delete", "refused"), "{told}");
    let count =
        |what: &str| cluster.nodes[1].metric(&format!("sticker_desk_cluster_requests_{what}"));
    assert_eq!((count("acknowledged_total"), count("refused_total")), (3, 1), "{told}");
    eventually("a queue without open requests", || (count("open") == 0).then_some(()));
}

#[test]
fn a_loaded_machine_hands_desks_over() {
    const DESKS: usize = 16;
    const PEOPLE: usize = 6;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = Cluster::start();
    let desks: Vec<_> = (0..DESKS).map(|_| create(&cluster.nodes[0], "Crowd")).collect();
    let carriers = [Carriers::WebSocket, Carriers::Quic, Carriers::Poll];
    let mut people = Vec::new();
    for desk in &desks {
        let link = format!("{}/d/{}", cluster.nodes[1].url(), desk.id);
        for person in 0..PEOPLE {
            people.push(runtime.block_on(opened(&link, carriers[person % 3])));
        }
    }
    let handed = || cluster.nodes[0].metric("sticker_desk_cluster_units_handed_over_total");
    let mut round = 0;
    eventually("units that were handed over", || {
        for (number, person) in people.iter().enumerate() {
            person.add(note(&format!("{round} of {}", number % PEOPLE))).unwrap();
        }
        people.iter().for_each(|person| runtime.block_on(soon(person.saved())).unwrap());
        round += 1;
        (handed() >= 2).then_some(())
    });
    for (desk, people) in desks.iter().zip(people.chunks(PEOPLE)) {
        people.iter().for_each(|person| runtime.block_on(soon(person.saved())).unwrap());
        assert_eq!(cluster.texts(1, &desk.id).len(), round * PEOPLE, "nothing lost or doubled");
    }
    let served = |node: usize| cluster.nodes[node].metric("sticker_desk_sessions");
    eventually("people on other machines", || (served(1) + served(2) >= 2).then_some(()));
    let told = http::get(&cluster.nodes[0], "/admin/cluster", &[]).expect(200);
    assert!(told.text().contains("a has handed"), "{}", told.text());
}

/// How often a machine is killed: `make cluster-test` sets it higher.
fn kills() -> usize {
    std::env::var("CLUSTER_KILLS").map_or(1, |kills| kills.parse().unwrap())
}

#[test]
fn nothing_is_lost_or_doubled_over_many_deaths() {
    let kills = kills();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut cluster = Cluster::start();
    let desk = create(&cluster.nodes[0], "Retro");
    let link = format!("{}/d/{}", cluster.nodes[1].url(), desk.id);
    let carriers = [Carriers::WebSocket, Carriers::Quic, Carriers::Poll];
    let people = carriers.map(|carrier| runtime.block_on(opened(&link, carrier)));
    let (mut all, mut without) = (Vec::new(), Vec::new());
    for kill in 0..kills {
        let owner = cluster.owner(&desk.id);
        // Some are under way when the machine dies.
        for round in 0..10 {
            for (number, person) in people.iter().enumerate() {
                let text = format!("{kill} {round} of {number}");
                person.add(note(&text)).unwrap();
                all.push(text);
            }
        }
        let begin = now();
        cluster.kill9(owner);
        for person in &people {
            runtime.block_on(soon(person.saved())).unwrap();
        }
        without.push(begin.elapsed());
        cluster.up(owner);
        cluster.wait_for_units();
    }
    all.sort();
    assert_eq!(cluster.texts(0, &desk.id), all);
    without.sort();
    eprintln!(
        "all saved after a death: median {:?}, worst {:?}",
        without[kills / 2],
        without[kills - 1]
    );
}

#[test]
fn a_machine_that_was_stopped_shows_nothing_old() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = Cluster::start();
    let desk = create(&cluster.nodes[0], "Retro");
    let owner = cluster.owner(&desk.id);
    let other = (owner + 1) % MACHINES;
    let link = format!("{}/d/{}", cluster.nodes[other].url(), desk.id);
    let person = runtime.block_on(opened(&link, Carriers::WebSocket));
    person.add(note("before")).unwrap();
    runtime.block_on(soon(person.saved())).unwrap();
    cluster.nodes[owner].pause();
    person.add(note("meanwhile")).unwrap();
    runtime.block_on(soon(person.saved())).unwrap();
    assert_eq!(cluster.texts(other, &desk.id), ["before", "meanwhile"]);
    cluster.nodes[owner].go_on();
    // It leads to the new owner, or, before it knows of one, refuses.
    let target = format!("/api/desk/{}/export?format=json", desk.id);
    eventually("a machine that knows the owner", || {
        let reply = http::get(&cluster.nodes[owner], &target, &[]);
        assert!(reply.status != 200 || reply.text().contains("meanwhile"), "{}", reply.text());
        matches!(reply.status, 200 | 307).then_some(())
    });
    person.add(note("after")).unwrap();
    runtime.block_on(soon(person.saved())).unwrap();
    assert_eq!(cluster.texts(owner, &desk.id), ["after", "before", "meanwhile"]);
}

#[test]
fn a_nats_server_that_stands_still_harms_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = Cluster::start();
    let desk = create(&cluster.nodes[0], "Retro");
    let owner = cluster.owner(&desk.id);
    let link = format!("{}/d/{}", cluster.nodes[owner].url(), desk.id);
    let person = runtime.block_on(opened(&link, Carriers::WebSocket));
    let mut all = Vec::new();
    let mut write = |text: String| {
        person.add(note(&text)).unwrap();
        runtime.block_on(soon(person.saved())).unwrap();
        all.push(text);
    };
    // Each leads a part of the streams. One that wakes up takes the lead from others.
    for stopped in 0..MACHINES {
        cluster.pause_nats(stopped, true);
        (0..5).for_each(|number| write(format!("{stopped} stands still {number}")));
        cluster.pause_nats(stopped, false);
        (0..5).for_each(|number| write(format!("{stopped} wakes up {number}")));
    }
    all.sort();
    assert_eq!(cluster.texts((owner + 1) % MACHINES, &desk.id), all);
}

#[test]
fn a_machine_that_is_cut_off_shows_nothing_old() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(cluster) = Cluster::start_on_islands("desk") else { return };
    let desk = create(&cluster.nodes[0], "Retro");
    let owner = cluster.owner(&desk.id);
    let other = (owner + 1) % MACHINES;
    let link = |node: usize| format!("{}/d/{}", cluster.nodes[node].url(), desk.id);
    let ann = runtime.block_on(opened(&link(owner), Carriers::WebSocket));
    let bob = runtime.block_on(opened(&link(other), Carriers::WebSocket));
    ann.add(note("before")).unwrap();
    runtime.block_on(soon(ann.saved())).unwrap();
    runtime.block_on(soon(bob.clone().until(|desk| desk.pile().count() == 1))).unwrap();

    // It has its nats-server and its people, and nobody else. Nobody writes there, so no
    // answer that fails to come tells it so.
    cluster.cut(owner, true);
    // The others take the desk, and somebody writes there as soon as that is done.
    let ops = json!([{ "create": { "x": 0, "y": 0, "text": "of Eve" } }]);
    eventually("a change at another machine", || {
        let nodes = (0..MACHINES).filter(|node| *node != owner);
        let mut asked = nodes.map(|node| desk.sync(&cluster.nodes[node], 1, 0, ops.clone()));
        asked.any(|reply| reply.status == 221).then_some(())
    });
    // From now on nobody is shown the desk without that.
    let target = format!("/api/desk/{}/export?format=json", desk.id);
    for _ in 0..200 {
        let reply = http::get(&cluster.nodes[owner], &target, &[]);
        assert!(reply.status != 200 || reply.text().contains("of Eve"), "{}", reply.text());
    }
    ann.add(note("of Ann")).unwrap();
    cluster.cut(owner, false);
    for person in [&ann, &bob] {
        runtime.block_on(soon(person.saved())).unwrap();
        let mut person = person.clone();
        runtime.block_on(soon(person.until(|desk| desk.pile().count() == 3))).unwrap();
    }
    assert_eq!(cluster.texts(other, &desk.id), ["before", "of Ann", "of Eve"]);
}

#[test]
fn without_two_of_three_nothing_is_shown() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut cluster = Cluster::start();
    let desk = create(&cluster.nodes[0], "Retro");
    let link = format!("{}/d/{}", cluster.nodes[0].url(), desk.id);
    let (ann, bob) = (
        runtime.block_on(opened(&link, Carriers::WebSocket)),
        runtime.block_on(opened(&link, Carriers::WebSocket)),
    );
    ann.add(note("before")).unwrap();
    runtime.block_on(soon(ann.saved())).unwrap();
    runtime.block_on(soon(bob.clone().until(|desk| desk.pile().count() == 1))).unwrap();
    cluster.kill_nats(1);
    cluster.kill_nats(2);
    ann.add(note("meanwhile")).unwrap();
    // Nobody can acknowledge it, so nobody sees it.
    let mut looking = bob.clone();
    let shown = runtime.block_on(async {
        let seen = looking.until(|desk| desk.pile().count() == 2);
        tokio::time::timeout(std::time::Duration::from_secs(5), seen).await
    });
    assert!(shown.is_err());
    assert!(ann.with(|client, _| client.pending()) > 0);
    cluster.nats_up(1);
    cluster.nats_up(2);
    runtime.block_on(soon(ann.saved())).unwrap();
    runtime.block_on(soon(bob.clone().until(|desk| desk.pile().count() == 2))).unwrap();
}

#[test]
fn a_desk_outlives_its_streams_and_all_data_folders() {
    /// Changes of some 190 KB, three times what a unit may have in its two streams.
    const ROUNDS: u64 = 330;
    const NOTES: usize = 20;
    let setup = Setup::default().flag("--log-budget", "24MiB").limit("segment", "\"1MiB\"");
    let mut cluster = Cluster::start_with(&setup);
    let desk = create(&cluster.nodes[0], "Retro");
    let small = create(&cluster.nodes[0], "Small");
    let owner = cluster.owner(&desk.id);
    small.add(&cluster.nodes[cluster.owner(&small.id)], 1, "from the beginning");
    let texts = |round: u64| -> Vec<String> {
        let text = |note| format!("{note:02} {round:04} {}", "x".repeat(9_500));
        (0..NOTES).map(text).collect()
    };
    let change = |seq, base, ops: serde_json::Value| {
        eventually("a change that is taken", || {
            let reply = desk.sync(&cluster.nodes[owner], seq, base, ops.clone());
            (reply.status == 221).then(|| reply.json())
        })
    };
    let first: Vec<_> =
        texts(0).iter().map(|text| json!({ "create": { "x": 0, "y": 0, "text": text } })).collect();
    let made = change(1, 0, first.into());
    let ids = made["created"].as_array().unwrap().clone();
    let mut base = made["revision"].as_u64().unwrap();
    for round in 1..=ROUNDS {
        let edits = ids.iter().zip(texts(round)).map(|(id, text)| {
            let delta = json!([{ "delete": text.len() }, { "insert": text }]);
            json!({ "edit_text": { "id": id, "delta": delta } })
        });
        let answer = change(round + 1, base, edits.collect());
        base = answer["revision"].as_u64().unwrap();
    }
    let sum = |cluster: &Cluster, name: &str| -> u64 {
        cluster.nodes.iter().map(|node| node.metric(name)).sum()
    };
    assert!(sum(&cluster, "sticker_desk_cluster_states_shown_total") > 0);
    cluster.kill9(owner);
    cluster.wait_for_units();
    let other = (owner + 1) % MACHINES;
    assert_eq!(cluster.texts(other, &desk.id), texts(ROUNDS));
    cluster.up(owner);
    cluster.wait_for_units();
    cluster.lose_all_data();
    assert_eq!(cluster.texts(other, &desk.id), texts(ROUNDS));
    assert_eq!(cluster.texts(other, &small.id), ["from the beginning"]);
    assert!(sum(&cluster, "sticker_desk_cluster_states_absorbed_total") > 0, "as a whole");
    // The disks have it again, and it goes on.
    let ops = json!([{ "delete": { "id": ids[0] } }]);
    cluster.ask(other, |node| desk.sync(node, ROUNDS + 2, base, ops.clone())).expect(221);
    for node in &mut cluster.nodes {
        node.kill9();
        node.up();
    }
    cluster.wait_for_units();
    assert_eq!(cluster.texts(other, &desk.id), texts(ROUNDS)[1..]);
}
