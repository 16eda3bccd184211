//! The machines by their keys.

use std::{collections::HashMap, fmt};

use slab::Slab;

use crate::{
    dedup::machine::Machine,
    key::{BuildKeyHasher, Key},
};

/// The machines lie in the order in which they are forgotten, or nearly so: a new one takes the place that became free last.
/// So those that are forgotten next, which nobody may have read for minutes, are read in a row.
#[derive(Clone, Default)]
pub(super) struct Machines {
    places: HashMap<Key, usize, BuildKeyHasher>,
    machines: Slab<Machine>,
}

impl Machines {
    pub(super) fn get(&self, key: &Key) -> Option<&Machine> {
        self.machines.get(*self.places.get(key)?)
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Machine> {
        self.machines.get_mut(*self.places.get(key)?)
    }

    /// Adds the machine of a key that has none.
    pub(super) fn insert(&mut self, key: Key, machine: Machine) {
        self.places.insert(key, self.machines.insert(machine));
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Machine> {
        self.machines.try_remove(self.places.remove(key)?)
    }

    pub(super) fn len(&self) -> usize {
        self.machines.len()
    }

    fn iter(&self) -> impl Iterator<Item = (&Key, Option<&Machine>)> {
        let places = self.places.iter();
        places.map(|(key, place)| (key, self.machines.get(*place)))
    }
}

/// Wherever they lie.
impl PartialEq for Machines {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, machine)| machine == other.get(key))
    }
}

impl fmt::Debug for Machines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
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
}
