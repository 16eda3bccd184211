//! The state that the page shows: the last messages, with a subscription to changes.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;

use crate::{letter::Letter, record::Record, sound::Sound};

/// The chat. It outlives the page: a page that is loaded again gets all messages from here.
pub(crate) struct Chat {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    epoch: Epoch,
    /// The number of changes so far.
    revision: u64,
    records: VecDeque<Record>,
    last_id: u64,
}

/// The identity of a chat. It changes when the program starts and when the chat is cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Epoch {
    started: u128,
    cleared: u64,
}

/// The last change that a page has received. On the wire, it is the id of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position(String, u64);

/// The changes that a page has not received.
pub(crate) struct News {
    /// Whether the page must first remove the messages that it shows.
    pub(crate) is_another_chat: bool,
    /// The id of each event with the changed message in JSON, in the order of the changes.
    pub(crate) records: Vec<(String, String)>,
    pub(crate) position: Position,
}

impl Chat {
    pub(crate) fn new() -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            state: Mutex::new(State {
                epoch: Epoch {
                    started: started.unwrap_or_default().as_millis(),
                    cleared: 0,
                },
                revision: 0,
                records: VecDeque::new(),
                last_id: 0,
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// Adds a message and returns its id, or `None` if too many are under way.
    pub(crate) fn open(&self, letter: &Letter, sent: SystemTime) -> Option<u64> {
        let mut state = self.lock();
        let under_way = state.records.iter().filter(|record| !record.is_over());
        if under_way.count() >= MAX_UNDER_WAY {
            return None;
        }
        state.last_id += 1;
        let id = state.last_id;
        state.records.push_back(Record::new(id, letter, sent));
        if state.records.len() > MAX_RECORDS {
            state.records.pop_front();
        }
        drop(state);
        self.change(id, |_| {});
        Some(id)
    }

    /// Changes the record of a message, if it is still there.
    pub(crate) fn change(&self, id: u64, change: impl FnOnce(&mut Record)) {
        let mut guard = self.lock();
        let state = &mut *guard;
        if let Some(record) = state.records.iter_mut().find(|record| record.id == id) {
            change(record);
            state.revision += 1;
            record.revision = state.revision;
        }
        drop(guard);
        self.changed.send_replace(());
    }

    /// Returns the recording of a message.
    pub(crate) fn sound(&self, id: u64) -> Option<Sound> {
        let state = self.lock();
        let record = state.records.iter().find(|record| record.id == id)?;
        record.content.sound().cloned()
    }

    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.epoch.cleared += 1;
        state.records.clear();
        drop(state);
        self.changed.send_replace(());
    }

    /// Returns the changes after `position`, or `None` if there are none.
    pub(crate) fn news(&self, position: Option<&Position>) -> Option<News> {
        let state = self.lock();
        let epoch = format!("{}.{}", state.epoch.started, state.epoch.cleared);
        let heard = position.filter(|position| position.0 == epoch);
        if heard.is_some_and(|heard| heard.1 == state.revision) {
            return None;
        }
        let since = heard.map_or(0, |heard| heard.1);
        let mut records: Vec<_> = state.records.iter().collect();
        records.retain(|record| record.revision > since);
        records.sort_by_key(|record| record.revision);
        let records = records.into_iter().filter_map(|record| {
            let id = format!("{epoch}-{}", record.revision);
            Some((id, serde_json::to_string(record).ok()?))
        });
        Some(News {
            is_another_chat: heard.is_none(),
            records: records.collect(),
            position: Position(epoch, state.revision),
        })
    }

    /// Subscribes to all changes from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Position {
    /// Parses the id of the last event that a page has received.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let (epoch, revision) = id.rsplit_once('-')?;
        Some(Self(epoch.to_owned(), revision.parse().ok()?))
    }
}

/// The page keeps the same number. All recordings together have at most 200 MiB.
const MAX_RECORDS: usize = 100;

const MAX_UNDER_WAY: usize = 20;
