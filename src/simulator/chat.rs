//! The chats: who has written when, what the account may send, and what each user sees.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    time::Duration,
};

use tokio::time::Instant;

use super::{Shown, api::Refusal};
use crate::message::{self, Head, TextMessage};

/// What one user sees in the chat with the account, in order: the user's own messages, passive replies, parts that a
/// later message has fetched, fault texts and customer-service messages. [`Simulator::chat`](super::Simulator::chat)
/// returns it.
///
/// [`Display`](fmt::Display) and [`Debug`] show one line for each message, and by which [way](Way) it came if it is no
/// plain reply:
///
/// ```text
/// at 0.0 s, the user: 讲个故事
/// at 14.5 s: 请稍候
/// at 30.0 s, the user: 继续
/// at 30.0 s: 从前 (fetched)
/// at 31.0 s: 完 (customer service)
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Chat {
    shown: Vec<ChatMessage>,
    sent: Vec<SentMessage>,
    is_typing: bool,
}

/// A message of the user's.
#[derive(Clone, PartialEq, Eq)]
struct SentMessage {
    at: Duration,
    said: String,
    /// The number of the account's messages before it.
    after: usize,
}

impl Chat {
    /// Returns the account's messages, in the order in which the user sees them.
    ///
    /// A message is equal to a `&str` that it is [displayed](ChatMessage) as:
    ///
    /// ```
    /// # use tower_wechat::{Account, simulator::{Simulator, USER}};
    /// # let wechat = Simulator::new(Account::plain("rosebud7")?);
    /// assert_eq!(wechat.chat(USER).shown(), [""; 0]);
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    pub fn shown(&self) -> &[ChatMessage] {
        &self.shown
    }

    /// Returns whether the user sees 对方正在输入 (typing) now.
    pub fn is_typing(&self) -> bool {
        self.is_typing
    }
}

impl fmt::Display for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut sent = self.sent.iter().peekable();
        for number in 0..=self.shown.len() {
            while let Some(message) = sent.next_if(|message| message.after <= number) {
                let at = message.at.as_secs_f64();
                write!(f, "{separator}at {at:.1} s, the user: {}", message.said)?;
                separator = "\n";
            }
            if let Some(message) = self.shown.get(number) {
                write!(f, "{separator}{message:?}")?;
                separator = "\n";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A message of the account in a [`Chat`].
///
/// [`Display`](fmt::Display) writes what the user sees. [`Debug`] adds the time, and the way if it is no plain reply.
#[derive(Clone, PartialEq, Eq)]
pub struct ChatMessage {
    at: Duration,
    shown: Shown,
    way: Way,
}

/// The way by which a message has come to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// The passive reply to the user's message.
    Reply,
    /// The passive reply to a later message: a part that [`NextMessage`](crate::late::NextMessage) has kept. It is a
    /// `Reply` if the bot is in another process, which does not say it.
    Fetched,
    /// A customer-service message.
    CustomerService,
    /// A message that a smart bot has posted to a `response_url`.
    ResponseUrl,
    /// WeChat's own text: no delivery got an answer.
    Fault,
}

impl ChatMessage {
    /// Returns when the user sees it, by tokio's clock. Counts from the first message of any user that the simulator
    /// delivers.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// Returns what the user sees.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// Returns the words, if it is a text.
    pub fn text(&self) -> Option<&str> {
        self.shown.text()
    }

    /// Returns by which way it has come.
    pub fn way(&self) -> Way {
        self.way
    }
}

impl fmt::Display for ChatMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

impl fmt::Debug for ChatMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.1} s: {}", self.at.as_secs_f64(), self.shown)?;
        f.write_str(match self.way {
            Way::Reply => "",
            Way::Fetched => " (fetched)",
            Way::CustomerService => " (customer service)",
            Way::ResponseUrl => " (response url)",
            Way::Fault => " (fault)",
        })
    }
}

/// Compares what the user sees.
impl PartialEq<&str> for ChatMessage {
    fn eq(&self, other: &&str) -> bool {
        self.shown.to_string() == **other
    }
}

/// What a push means for the customer-service messages that may follow it. Source: WeChat's page on customer-service
/// messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    /// Opens the long window.
    Message,
    /// Opens the short window.
    Action,
    /// Closes both windows.
    Unsubscribe,
    /// Changes nothing.
    Other,
}

impl Contact {
    pub(super) fn of(head: &Head, body: &[u8]) -> Self {
        if head.is_message() {
            return if is_menu_tap(head, body) {
                Self::Action
            } else {
                Self::Message
            };
        }
        let event = head.event().unwrap_or_default();
        let is = |name: &&str| name.eq_ignore_ascii_case(event);
        if ACTIONS.iter().any(is) {
            Self::Action
        } else if is(&"unsubscribe") {
            Self::Unsubscribe
        } else {
            Self::Other
        }
    }
}

/// Returns whether it is a tap on a menu that customer service has sent.
fn is_menu_tap(head: &Head, body: &[u8]) -> bool {
    head.msg_type() == Some("text")
        && message::from_slice::<TextMessage>(body)
            .ok()
            .and_then(|text| text.biz_msg_menu_id)
            .is_some_and(|id| !id.is_empty())
}

/// The users who have written, and the messages that they have seen.
#[derive(Default)]
pub(super) struct Chats {
    users: HashMap<String, User>,
    /// Each with its user, the oldest first.
    lines: VecDeque<(String, Line)>,
    begun: Option<Instant>,
    /// The number of pushes so far.
    pushes: u64,
}

enum Line {
    Sent(Duration, String),
    Shown(ChatMessage),
}

#[derive(Default)]
struct User {
    /// The number of the latest push.
    latest_push: u64,
    /// When the user last wrote or acted.
    heard: Option<Instant>,
    long: Option<Window>,
    short: Option<Window>,
    typing_until: Option<Instant>,
}

/// The time in which the account may send messages.
struct Window {
    closes: Instant,
    left: u32,
}

impl Chats {
    /// Notes a user's push.
    pub(super) fn hear(&mut self, openid: &str, contact: Contact, said: &str) {
        let now = Instant::now();
        self.begun.get_or_insert(now);
        self.push(openid, Line::Sent(self.elapsed(), said.to_owned()));
        self.pushes += 1;
        let user = self.users.entry(openid.to_owned()).or_default();
        user.latest_push = self.pushes;
        let window = |(life, left)| {
            let closes = now + life;
            Some(Window { closes, left })
        };
        match contact {
            Contact::Message => user.long = window(LONG),
            Contact::Action => user.short = window(SHORT),
            Contact::Unsubscribe => (user.long, user.short, user.heard) = (None, None, None),
            Contact::Other => {}
        }
        if matches!(contact, Contact::Message | Contact::Action) {
            user.heard = Some(now);
        }
        if self.users.len() > MAX_USERS {
            let latest = self.pushes.saturating_sub(MAX_USERS as u64 / 2);
            self.users.retain(|_, user| user.latest_push > latest);
        }
    }

    /// Notes the result of a user's push. It may be a part that was kept for it.
    pub(super) fn answer(&mut self, openid: &str, shown: &Shown, is_fetched: bool) {
        let way = match shown {
            Shown::Fault => Way::Fault,
            _ if is_fetched => Way::Fetched,
            _ => Way::Reply,
        };
        if let Some(user) = self.users.get_mut(openid)
            && *shown != Shown::Nothing
        {
            user.typing_until = None;
            self.show(openid, shown.clone(), way);
        }
    }

    /// Sends a customer-service message, if WeChat accepts one now.
    pub(super) fn send(&mut self, openid: &str, shown: Shown) -> Result<(), Refusal> {
        self.user(openid)?.spend(Instant::now())?;
        self.show(openid, shown, Way::CustomerService);
        Ok(())
    }

    /// Shows what a smart bot has posted.
    pub(super) fn respond(&mut self, user_id: &str, shown: Shown) {
        self.show(user_id, shown, Way::ResponseUrl);
    }

    /// Shows that an answer is being typed.
    pub(super) fn begin_typing(&mut self, openid: &str) -> Result<(), Refusal> {
        let now = Instant::now();
        let user = self.user(openid)?;
        if user.heard.is_none_or(|heard| heard + TYPING_WINDOW <= now) {
            return Err(Refusal::TYPING_WINDOW);
        }
        if user.is_typing(now) {
            return Err(Refusal::TYPING_ALREADY);
        }
        user.typing_until = Some(now + TYPING);
        Ok(())
    }

    pub(super) fn cancel_typing(&mut self, openid: &str) -> Result<(), Refusal> {
        self.user(openid)?.typing_until = None;
        Ok(())
    }

    pub(super) fn chat(&self, openid: &str) -> Chat {
        let user = self.users.get(openid);
        let mut chat = Chat {
            is_typing: user.is_some_and(|user| user.is_typing(Instant::now())),
            ..Chat::default()
        };
        for (_, line) in self.lines.iter().filter(|(user, _)| user == openid) {
            match line {
                Line::Shown(message) => chat.shown.push(message.clone()),
                Line::Sent(at, said) => chat.sent.push(SentMessage {
                    at: *at,
                    said: said.clone(),
                    after: chat.shown.len(),
                }),
            }
        }
        chat
    }

    fn user(&mut self, openid: &str) -> Result<&mut User, Refusal> {
        self.users.get_mut(openid).ok_or(Refusal::OPENID)
    }

    fn show(&mut self, openid: &str, shown: Shown, way: Way) {
        let at = self.elapsed();
        self.push(openid, Line::Shown(ChatMessage { at, shown, way }));
    }

    fn push(&mut self, openid: &str, line: Line) {
        self.lines.push_back((openid.to_owned(), line));
        if self.lines.len() > MAX_LINES {
            self.lines.pop_front();
        }
    }

    fn elapsed(&self) -> Duration {
        self.begun.map(|begun| begun.elapsed()).unwrap_or_default()
    }
}

impl User {
    /// Takes one message from the quota of an open window.
    fn spend(&mut self, now: Instant) -> Result<(), Refusal> {
        // The short window first: what is left of it is lost sooner.
        let windows = [&mut self.short, &mut self.long].into_iter().flatten();
        let mut open = windows.filter(|window| now < window.closes).peekable();
        if open.peek().is_none() {
            return Err(Refusal::WINDOW);
        }
        let window = open.find(|window| window.left > 0);
        window.ok_or(Refusal::QUOTA)?.left -= 1;
        self.typing_until = None;
        Ok(())
    }

    fn is_typing(&self, now: Instant) -> bool {
        self.typing_until.is_some_and(|until| now < until)
    }
}

/// The events that open the short window.
const ACTIONS: [&str; 5] = [
    "subscribe",
    "SCAN",
    "CLICK",
    "scancode_push",
    "scancode_waitmsg",
];

/// The time after a message, and the number of messages that the account may send in it.
const LONG: (Duration, u32) = (Duration::from_hours(48), 5);

/// The same after an action.
const SHORT: (Duration, u32) = (Duration::from_mins(1), 3);

/// The time after a message or an action in which typing may be shown.
const TYPING_WINDOW: Duration = Duration::from_secs(30);

/// How long typing is shown.
const TYPING: Duration = Duration::from_secs(15);

/// Above it, the users who have been silent longest are forgotten.
const MAX_USERS: usize = 10_000;

/// The number of messages kept for all chats together.
const MAX_LINES: usize = 4096;
