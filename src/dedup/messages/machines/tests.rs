use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::Machines;
use crate::{
    dedup::{
        machine::Machine,
        store::{Claim, ClaimId, Run, Ttls},
    },
    key::Key,
};

fn entry(number: u32) -> (Key, Machine) {
    let key = Key::new([number.to_be_bytes()]);
    let claim = Claim::new(key, ClaimId::random(), Ttls::new(Duration::from_secs(5)));
    let run = Run::new(Duration::ZERO, number);
    (key, Machine::vacant(claim, claim.id, run, Instant::now()))
}

#[test]
fn what_is_forgotten_in_a_row_lies_in_a_row() {
    const ROOM: u32 = 8;
    let mut machines = Machines::default();
    let mut known = VecDeque::new();
    let mut forgotten = Vec::new();
    for number in 0..5 * ROOM {
        let (key, machine) = entry(number);
        machines.insert(key, machine.clone());
        assert_eq!(machines.get(&key), Some(&machine));
        known.push_back((key, machine));
        // Like `Messages`, which makes room for a message that it has by then.
        if known.len() > ROOM as usize {
            let (key, machine) = known.pop_front().unwrap();
            forgotten.push(machines.places[&key]);
            assert_eq!(machines.remove(&key), Some(machine));
            assert_eq!(machines.get(&key), None);
        }
    }

    assert_eq!(machines.len(), ROOM as usize);
    let places = ROOM as usize + 1;
    for pair in forgotten.windows(2) {
        assert_eq!(pair[1], (pair[0] + 1) % places);
    }
}

#[test]
fn equal_wherever_they_lie() {
    let [one, other] = [entry(1), entry(2)];
    let of = |entries: [&(Key, Machine); 2]| {
        let mut machines = Machines::default();
        for (key, machine) in entries {
            machines.insert(*key, machine.clone());
        }
        machines
    };
    let machines = of([&one, &other]);
    assert_eq!(machines, of([&other, &one]));

    let mut fewer = machines.clone();
    fewer.remove(&one.0);
    assert_ne!(machines, fewer);
    assert_ne!(fewer, machines);

    let changed = (other.0, entry(3).1);
    assert_ne!(machines, of([&one, &changed]));
}
