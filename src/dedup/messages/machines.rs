//! The machines by their keys.

use std::collections::HashMap;

use slab::Slab;

use crate::{
    dedup::machine::Machine,
    key::{BuildKeyHasher, Key},
};

/// A new machine takes the place that became free last. Once there is no more room, each new one makes one that is forgotten: then
/// they lie in the order of being forgotten, and those that nobody may have read for minutes are read in a row.
#[derive(Debug, Clone, Default)]
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
}

/// Wherever they lie.
impl PartialEq for Machines {
    fn eq(&self, other: &Self) -> bool {
        let mut keys = self.places.keys();
        self.len() == other.len() && keys.all(|key| self.get(key) == other.get(key))
    }
}

#[cfg(test)]
mod tests;
