//! The mailbox of the built-in bot, which records what is kept and fetched.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tower_wechat::{
    dedup::Key,
    late::mailbox::{
        Cleared, Conversation, Expected, Fetch, Fetched, Mailbox, MemoryMailbox, Owner, Put,
        Question,
    },
};

use crate::exchange::Exchange;

/// A [`MemoryMailbox`] that writes what happens to an answer into the record of its question.
#[derive(Clone)]
pub(crate) struct RecordedMailbox {
    mailbox: Arc<MemoryMailbox>,
    questions: Arc<Mutex<VecDeque<(Key, Exchange)>>>,
}

impl RecordedMailbox {
    pub(crate) fn new() -> Self {
        Self {
            mailbox: Arc::new(MemoryMailbox::new()),
            questions: Arc::default(),
        }
    }

    /// Records what happens to the answer of this question from now on.
    pub(crate) fn follow(&self, question: Key, exchange: Exchange) {
        let mut questions = self.questions();
        questions.retain(|(key, _)| *key != question);
        if questions.len() == MAX_QUESTIONS {
            questions.pop_front();
        }
        questions.push_back((question, exchange));
    }

    fn record(&self, question: Key, record: impl FnOnce(&Exchange)) {
        let questions = self.questions();
        if let Some((_, exchange)) = questions.iter().find(|(key, _)| *key == question) {
            record(exchange);
        }
    }

    fn questions(&self) -> MutexGuard<'_, VecDeque<(Key, Exchange)>> {
        self.questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox for RecordedMailbox {
    type Error = Infallible;

    async fn peek(&self, conversation: Conversation) -> Result<bool, Infallible> {
        self.mailbox.peek(conversation).await
    }

    async fn expect(&self, question: Question, owner: Owner) -> Result<Expected, Infallible> {
        self.mailbox.expect(question, owner).await
    }

    async fn renew(&self, question: Question, owner: Owner) -> Result<bool, Infallible> {
        self.mailbox.renew(question, owner).await
    }

    async fn put(&self, question: Question, parts: &[Bytes]) -> Result<Put, Infallible> {
        let put = self.mailbox.put(question, parts).await?;
        if matches!(put, Put::Kept { .. }) {
            self.record(question.message, |exchange| exchange.kept(parts.len()));
        }
        Ok(put)
    }

    async fn close(&self, question: Question, owner: Owner) -> Result<(), Infallible> {
        self.mailbox.close(question, owner).await
    }

    async fn take(&self, fetch: Fetch) -> Result<Fetched, Infallible> {
        self.mailbox.take(fetch).await
    }

    async fn settle(
        &self,
        conversation: Conversation,
        by: Key,
        question: Key,
        number: u32,
    ) -> Result<bool, Infallible> {
        let settled = self.mailbox.settle(conversation, by, question, number);
        let is_settled = settled.await?;
        if is_settled {
            self.record(question, Exchange::fetched);
        }
        Ok(is_settled)
    }

    async fn give_back(
        &self,
        conversation: Conversation,
        by: Key,
        owner: Owner,
    ) -> Result<(), Infallible> {
        self.mailbox.give_back(conversation, by, owner).await
    }

    async fn clear(
        &self,
        conversation: Conversation,
        age: Duration,
    ) -> Result<Cleared, Infallible> {
        self.mailbox.clear(conversation, age).await
    }
}

/// The page has as many messages.
const MAX_QUESTIONS: usize = 100;
