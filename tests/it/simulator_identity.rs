//! No two pushes are one message by accident.

use std::{
    collections::HashSet,
    process::Command,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use tower_wechat::{
    Account,
    message::Head,
    simulator::{Push, Simulator, USER},
};

/// What WeChat tells two pushes by: the MsgId, or the sender and the CreateTime.
fn key(push: &Push) -> String {
    let body = push.request().unwrap().into_body();
    let head = Head::read(&body).unwrap();
    match head.message_id() {
        Some(id) => id.to_owned(),
        None => format!("{:?} {:?}", head.from_user_name(), head.create_time()),
    }
}

fn wechat() -> Simulator {
    Simulator::new(Account::plain("walnut42").unwrap())
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

proptest! {
    /// Each simulator has a clock that stands still, and may be that of another.
    #[test]
    fn each_push_has_a_key_of_its_own(
        clocks in prop::collection::vec(0_u64..3, 1..5),
        pushes in prop::collection::vec((0_usize..5, 0..3), 1..60),
    ) {
        let start = 1_760_000_000;
        let simulators: Vec<_> = clocks
            .iter()
            .map(|clock| {
                let now = at(start + clock);
                wechat().with_clock(move || now)
            })
            .collect();
        let mut keys = HashSet::new();
        for (number, kind) in pushes {
            let wechat = &simulators[number % simulators.len()];
            let push = match kind {
                0 => wechat.text("hi"),
                1 => wechat.event("CLICK").field("EventKey", "today"),
                _ => wechat.event("subscribe").from_user(format!("o{number}")),
            };
            let found = key(&push);
            prop_assert_eq!(&found, &key(&push.clone()), "a clone is the same message");
            prop_assert!(keys.insert(found.clone()), "twice: {}", found);
        }
    }
}

#[test]
fn the_events_of_a_user_follow_each_other() {
    let wechat = wechat().with_clock(|| at(1_234_567_890));
    let create_times = (0..3).map(|_| key(&wechat.event("VIEW").from_user("o-identity")));
    let expected = (1_234_567_890..).map(|time| {
        let time = tower_wechat::Timestamp::from_secs(time);
        format!("{:?} {:?}", Some("o-identity"), Some(time))
    });
    assert!(create_times.eq(expected.take(3)));
}

/// The clock of each process shows the same seconds.
#[test]
fn each_process_has_keys_of_its_own() {
    let mut keys = HashSet::new();
    for _ in 0..3 {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "simulator_identity::print_keys", "--ignored"])
            .arg("--nocapture")
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let found: Vec<_> = printed.lines().filter(|it| it.starts_with("key")).collect();
        assert_eq!(found.len(), 20, "{printed}");
        for key in found {
            assert!(keys.insert(key.to_owned()), "twice: {key}");
        }
    }
}

#[test]
#[ignore = "part of each_process_has_keys_of_its_own"]
fn print_keys() {
    let wechat = wechat();
    for _ in 0..10 {
        println!();
        println!("key {}", key(&wechat.text("hi")));
        println!("key {}", key(&wechat.event("subscribe").from_user(USER)));
    }
}
