//! Late replies that wait for the user's next message.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::Request;
use tokio::time::{self, Instant};

use super::{
    LateReply,
    mailbox::{
        Cleared, Conversation, Expected, Fetch, Fetched, Mailbox, MemoryMailbox, Owner, Part, Put,
        Question,
    },
};
use crate::{
    breaker::{Guarded, TIMEOUT},
    delivery::Verified,
    key::Key,
    message::{self, TextMessage, event::Click, smart_bot::BotMessage},
    observe::{self, Way},
    reply::{self, Reply},
    response::Taken,
};

/// Keeps late replies until the user's next message, for accounts without the customer-service API.
///
/// The next message gets what is kept as its passive reply, in the order of the questions, each part once, on any node.
/// The message itself is handled as well, and its own reply queues behind. So no question is swallowed. A *bare* message
/// only fetches: one of the [words](Self::with_words), WeChat's text in place of a message that it does not pass on, or a
/// click on one of the [menu keys](Self::with_menu_keys). If nothing is kept, a bare message is handled like any other.
///
/// A message that comes while the reply is still awaited waits for it, at most as long as WeChat waits: about 14.5 s. Then
/// it gets the fallback.
///
/// Tell the user to write again with the layer's [fallback](crate::dedup::DedupBuilder::with_fallback), and what has become
/// of a failed message with its [failure reply](crate::dedup::DedupBuilder::with_failure_reply).
///
/// ```
/// use tower_wechat::{DedupLayer, Reply, late::NextMessage};
///
/// let layer = DedupLayer::builder()
///     .with_fallback(Reply::text("还在想，回复“继续”看结果"))?
///     .with_failure_reply(Reply::text("抱歉，没有得到结果"))?
///     .with_next_message(NextMessage::in_memory().with_words(["继续"])?)
///     .build();
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct NextMessage {
    /// With other nodes.
    is_shared: bool,
    mailbox: Arc<dyn BoxedMailbox>,
    settings: Arc<Settings>,
}

#[derive(Debug, Clone)]
struct Settings {
    words: Vec<String>,
    menu_keys: Vec<String>,
    waits: bool,
    only_fetches: bool,
    cut_marker: Arc<str>,
}

/// The reason why a [`NextMessage`] cannot be built: a word or a menu key that no message has.
#[derive(Debug)]
#[non_exhaustive]
pub struct EmptyWord;

impl fmt::Display for EmptyWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a word or a menu key that fetches, found an empty one")
    }
}

impl std::error::Error for EmptyWord {}

impl NextMessage {
    /// Keeps the replies in this process. Another node or a restart does not find them. If the layer has a
    /// [store](crate::dedup::Store), which other nodes share, the log has a warning.
    pub fn in_memory() -> Self {
        Self::new(MemoryMailbox::new(), false)
    }

    /// Keeps the replies in `mailbox`, which all nodes share. They need a common [store](crate::dedup::Store) as well.
    pub fn shared(mailbox: impl Mailbox) -> Self {
        Self::new(mailbox, true)
    }

    fn new(mailbox: impl Mailbox, is_shared: bool) -> Self {
        Self {
            is_shared,
            mailbox: Arc::new(Guarded::new(mailbox, "mailbox")),
            settings: Arc::new(Settings {
                words: Vec::new(),
                menu_keys: Vec::new(),
                waits: true,
                only_fetches: false,
                cut_marker: reply::CUT_MARKER.into(),
            }),
        }
    }

    /// Sets the words that only fetch, such as `继续`; none by default. A text is one of them if it is the same without
    /// white space around it.
    ///
    /// # Errors
    ///
    /// If a word is empty or white space.
    pub fn with_words<W: Into<String>>(
        mut self,
        words: impl IntoIterator<Item = W>,
    ) -> Result<Self, EmptyWord> {
        Arc::make_mut(&mut self.settings).words = checked(words)?;
        Ok(self)
    }

    /// Sets the menu keys whose click only fetches; none by default. No other event fetches.
    ///
    /// # Errors
    ///
    /// If a key is empty or white space.
    pub fn with_menu_keys<W: Into<String>>(
        mut self,
        keys: impl IntoIterator<Item = W>,
    ) -> Result<Self, EmptyWord> {
        Arc::make_mut(&mut self.settings).menu_keys = checked(keys)?;
        Ok(self)
    }

    /// Answers a message with the [fallback](crate::dedup::DedupBuilder::with_fallback) at once if the reply that it would
    /// fetch is still awaited. By default it waits.
    #[must_use]
    pub fn without_waiting(mut self) -> Self {
        Arc::make_mut(&mut self.settings).waits = false;
        self
    }

    /// Makes every message only fetch as long as something is kept or awaited: the handler does not get the message. By
    /// default the handler gets every message that is not bare.
    #[must_use]
    pub fn with_fetching_only(mut self) -> Self {
        Arc::make_mut(&mut self.settings).only_fetches = true;
        self
    }

    /// Sets what a part of a long text ends in if more follows; the default is `…`.
    ///
    /// # Errors
    ///
    /// If the marker has more than 1023 bytes.
    pub fn with_cut_marker(mut self, marker: impl Into<String>) -> Result<Self, reply::Error> {
        Arc::make_mut(&mut self.settings).cut_marker = reply::addition(marker)?;
        Ok(self)
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Whether a message waits for a reply that is still awaited.
    pub(crate) fn waits(&self) -> bool {
        self.settings.waits
    }

    /// What a message does with what is kept.
    pub(crate) fn fetching_of(&self, message: &Verified) -> Fetching {
        let Ok(head) = message.head() else {
            return Fetching::None;
        };
        let has = |texts: &[String], text: &str| texts.iter().any(|known| known == text.trim());
        if head.is_message() {
            let is_bare = self.settings.only_fetches
                || head.is_smart_bot()
                    && matches!(message::from_slice::<BotMessage>(message.as_bytes()), Ok(bot)
                        if bot.content.text().is_some_and(|text| has(&self.settings.words, text)))
                || head.msg_type() == Some("text")
                    && matches!(message::from_slice::<TextMessage>(message.as_bytes()), Ok(text)
                        if text.replaces_unsupported_message()
                            || has(&self.settings.words, &text.content));
            return if is_bare {
                Fetching::Only
            } else {
                Fetching::Beside
            };
        }
        let is_click = head
            .event()
            .is_some_and(|event| event.eq_ignore_ascii_case("CLICK"));
        if self.settings.menu_keys.is_empty() || !is_click {
            return Fetching::None;
        }
        match message::from_slice::<Click>(message.as_bytes()) {
            Ok(click)
                if has(
                    &self.settings.menu_keys,
                    click.event_key.as_deref().unwrap_or_default(),
                ) =>
            {
                Fetching::Only
            }
            _ => Fetching::None,
        }
    }

    /// Keeps what is left of a late reply.
    pub(super) async fn keep(&self, late: &mut LateReply) {
        let Some(conversation) = conversation_of(late.request()) else {
            return;
        };
        let question = Question::new(conversation, late.key(), late.age());
        if let Some(reply) = late.reply()
            && self.keep_reply(question, reply, late.account()).await
        {
            late.hand_over();
        }
    }

    /// Keeps the reply to a question. Returns whether it is kept, or the user has unsubscribed.
    pub(crate) async fn keep_reply(
        &self,
        question: Question,
        reply: &Reply,
        account: &str,
    ) -> bool {
        let parts = reply.passive_parts(&self.settings.cut_marker);
        let encoded = parts.iter().map(|part| part.encode(None).map(Bytes::from));
        let Ok(parts) = encoded.collect::<Result<Vec<_>, _>>() else {
            return false;
        };
        let key = question.message.observed();
        let first_put = Instant::now();
        // The question has its place by its age, which grows from one attempt to the next.
        let put = || {
            let age = question.age + first_put.elapsed();
            self.mailbox.put(Question { age, ..question }, &parts)
        };
        let put = patiently(put).await;
        if let Some((Put::Kept { .. }, true)) = put {
            observe::parts_may_be_evicted(account);
        }
        match put.map(|(put, _)| put) {
            Some(Put::Kept { dropped }) => {
                observe::parts_went(account, key, Way::Kept, parts.len());
                observe::parts_evicted(account, dropped);
                true
            }
            Some(Put::Closed) => {
                observe::parts_went(account, key, Way::Unsubscribed, parts.len());
                true
            }
            Some(Put::GivenUp | Put::NoRoom) | None => false,
        }
    }
}

fn checked<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Result<Vec<String>, EmptyWord> {
    let words = words.into_iter().map(|word| match word.into().trim() {
        "" => Err(EmptyWord),
        word => Ok(word.to_owned()),
    });
    words.collect()
}

/// What a message does with what is kept for its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetching {
    /// Nothing.
    None,
    /// It fetches a part, and is handled as well.
    Beside,
    /// It fetches a part. Only if there is none, it is handled.
    Only,
    /// It has fetched a part, and is handled as well: its own reply is for a later message.
    Queued,
    /// Another node runs it, and this one follows it no more.
    Elsewhere,
}

/// The user and the account of a message. `None` if the message names no sender.
pub(crate) fn conversation_of(request: &Request<Verified>) -> Option<Conversation> {
    let body = request.body();
    let (head, account) = (body.head().ok()?, body.delivery().account());
    let openid = head.from_user_name()?;
    Some(match head.chat_id() {
        None => Conversation::new(account, openid),
        Some(chat_id) => Conversation::in_chat(account, openid, chat_id),
    })
}

/// The operations of the mailbox. `None`: it has not answered, which the log has.
impl NextMessage {
    pub(crate) async fn peek(&self, conversation: Conversation) -> Option<bool> {
        self.mailbox.peek(conversation).await
    }

    pub(crate) async fn expect(&self, question: Question, owner: Owner) -> Option<Expected> {
        self.mailbox.expect(question, owner).await
    }

    pub(crate) async fn renew(&self, question: Question, owner: Owner) -> Option<bool> {
        self.mailbox.renew(question, owner).await
    }

    pub(crate) async fn close(&self, question: Question, owner: Owner) {
        patiently(|| self.mailbox.close(question, owner)).await;
    }

    pub(crate) async fn take(&self, fetch: Fetch) -> Option<Fetched> {
        self.mailbox.take(fetch).await
    }

    /// Drops a part that the message `by` has shown. Returns `false` if it may be shown again.
    pub(crate) async fn settle(&self, conversation: Conversation, by: Key, part: Taken) -> bool {
        let (question, number) = (part.question, part.number);
        let settle = || self.mailbox.settle(conversation, by, question, number);
        matches!(patiently(settle).await, Some((true, _)))
    }

    pub(crate) async fn give_back(&self, conversation: Conversation, by: Key, part: Taken) {
        let owner = Owner::new(part.owner);
        patiently(|| self.mailbox.give_back(conversation, by, owner)).await;
    }

    /// The user has unsubscribed this long ago.
    pub(crate) async fn clear(&self, conversation: Conversation, age: Duration) -> Option<Cleared> {
        let first_clear = Instant::now();
        let clear = || {
            self.mailbox
                .clear(conversation, age + first_clear.elapsed())
        };
        patiently(clear)
            .await
            .map(|(cleared, _is_repeated)| cleared)
    }
}

/// The reply that a part says.
pub(crate) fn reply_of(part: &Part) -> Option<Reply> {
    let (reply, _rest) = Reply::decode(str::from_utf8(&part.bytes).ok()?).ok()?;
    Some(reply)
}

/// A [`Mailbox`] as an object. Its operations end soon, with an answer or without one.
trait BoxedMailbox: Send + Sync {
    fn peek(&self, conversation: Conversation) -> Answer<'_, bool>;
    fn expect(&self, question: Question, owner: Owner) -> Answer<'_, Expected>;
    fn renew(&self, question: Question, owner: Owner) -> Answer<'_, bool>;
    fn put<'a>(&'a self, question: Question, parts: &'a [Bytes]) -> Answer<'a, Put>;
    fn close(&self, question: Question, owner: Owner) -> Answer<'_, ()>;
    fn take(&self, fetch: Fetch) -> Answer<'_, Fetched>;
    fn settle(&self, of: Conversation, by: Key, question: Key, number: u32) -> Answer<'_, bool>;
    fn give_back(&self, of: Conversation, by: Key, owner: Owner) -> Answer<'_, ()>;
    fn clear(&self, conversation: Conversation, age: Duration) -> Answer<'_, Cleared>;
}

type Answer<'a, T> = BoxFuture<'a, Option<T>>;

impl<M: Mailbox> BoxedMailbox for Guarded<M> {
    fn peek(&self, conversation: Conversation) -> Answer<'_, bool> {
        let peek = self.unless_away("mailbox_peek", move |mailbox| mailbox.peek(conversation));
        Box::pin(peek.map(Result::ok))
    }

    fn expect(&self, question: Question, owner: Owner) -> Answer<'_, Expected> {
        let expect = self.unless_away("mailbox_expect", move |mailbox| {
            mailbox.expect(question, owner)
        });
        Box::pin(expect.map(Result::ok))
    }

    fn renew(&self, question: Question, owner: Owner) -> Answer<'_, bool> {
        ask(self, "mailbox_renew", move |mailbox| {
            mailbox.renew(question, owner)
        })
    }

    fn put<'a>(&'a self, question: Question, parts: &'a [Bytes]) -> Answer<'a, Put> {
        ask(self, "mailbox_put", move |mailbox| {
            mailbox.put(question, parts)
        })
    }

    fn close(&self, question: Question, owner: Owner) -> Answer<'_, ()> {
        ask(self, "mailbox_close", move |mailbox| {
            mailbox.close(question, owner)
        })
    }

    fn take(&self, fetch: Fetch) -> Answer<'_, Fetched> {
        ask(self, "mailbox_take", move |mailbox| mailbox.take(fetch))
    }

    fn settle(&self, of: Conversation, by: Key, question: Key, number: u32) -> Answer<'_, bool> {
        ask(self, "mailbox_settle", move |mailbox| {
            mailbox.settle(of, by, question, number)
        })
    }

    fn give_back(&self, of: Conversation, by: Key, owner: Owner) -> Answer<'_, ()> {
        ask(self, "mailbox_give_back", move |mailbox| {
            mailbox.give_back(of, by, owner)
        })
    }

    fn clear(&self, conversation: Conversation, age: Duration) -> Answer<'_, Cleared> {
        ask(self, "mailbox_clear", move |mailbox| {
            mailbox.clear(conversation, age)
        })
    }
}

/// Asks for an operation that must not be left out, although the mailbox is away.
fn ask<'a, M, T, F>(
    mailbox: &'a Guarded<M>,
    operation: &'static str,
    asked: impl FnOnce(&'a M) -> F + Send + 'a,
) -> Answer<'a, T>
where
    M: Mailbox,
    F: Future<Output = Result<T, M::Error>> + Send + 'a,
    T: Send + 'a,
{
    let asked = mailbox.ask(operation, TIMEOUT, asked);
    Box::pin(asked.map(Result::ok))
}

/// Asks until there is an answer, for some seconds. Returns it, and whether an earlier attempt may have been carried out.
async fn patiently<'a, T>(ask: impl Fn() -> Answer<'a, T>) -> Option<(T, bool)> {
    let mut is_repeated = false;
    for pause in PAUSES {
        if let Some(answer) = ask().await {
            return Some((answer, is_repeated));
        }
        is_repeated = true;
        time::sleep(pause).await;
    }
    Some((ask().await?, is_repeated))
}

impl fmt::Debug for NextMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextMessage")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Between the attempts of an operation that must not be left out.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
];
