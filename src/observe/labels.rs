//! The bound on the number of account labels.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

/// Returns the label of an account: its name, or [`OTHER`] at the bound.
pub(super) fn label(account: &str) -> Arc<str> {
    static LABELS: Labels = Labels::new(MAX_LABELS);
    LABELS.label(account)
}

/// The names that have become labels. A series is never forgotten, and neither is its name.
struct Labels {
    names: RwLock<BTreeSet<Arc<str>>>,
    max: usize,
}

impl Labels {
    const fn new(max: usize) -> Self {
        Self {
            names: RwLock::new(BTreeSet::new()),
            max,
        }
    }

    fn label(&self, account: &str) -> Arc<str> {
        // Each change is one insertion, so a poisoned lock guards a whole set.
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.get(account) {
            return Arc::clone(name);
        }
        drop(names);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= self.max {
            return Arc::from(OTHER);
        }
        let name: Arc<str> = Arc::from(account);
        names.insert(Arc::clone(&name));
        name
    }
}

/// As many accounts as a process can reasonably serve.
const MAX_LABELS: usize = 10_000;

/// The label of all accounts beyond the bound.
const OTHER: &str = "other";

#[cfg(test)]
mod tests;
