//! The users: what they write, and what they see.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    super::{
        deployment::NODES,
        random::Random,
        traffic::{Target, Task, Told, Traffic, uri},
    },
    answer::{Answer, WORD, parts_of},
    wechat::WeChat,
};

/// How an account's late replies reach its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    /// Their next message fetches them, and they are kept in Redis.
    NextMessage,
    /// By customer service, else likewise.
    CustomerService,
    /// Their next message fetches them. Each node is alone and keeps them in its memory, so the users always reach one
    /// node.
    Memory,
}

impl Setup {
    pub(super) const ALL: [Self; 3] = [Self::NextMessage, Self::CustomerService, Self::Memory];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NextMessage => "next message",
            Self::CustomerService => "customer service",
            Self::Memory => "memory",
        }
    }
}

/// The accounts, each with [`USERS`] users.
pub(super) const ACCOUNTS: [(&str, Setup); 6] = [
    ("next0", Setup::NextMessage),
    ("next1", Setup::NextMessage),
    ("service0", Setup::CustomerService),
    ("service1", Setup::CustomerService),
    ("memory0", Setup::Memory),
    ("memory1", Setup::Memory),
];

/// A user of an account.
#[derive(Debug, Clone)]
pub(super) struct User {
    /// Among all.
    pub(super) number: u64,
    account: usize,
    seed: u64,
    /// The number of the last message.
    last: u64,
    traffic: Traffic,
}

/// All that a user has written and seen.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) user: u64,
    pub(super) account: &'static str,
    pub(super) setup: Setup,
    pub(super) written: Vec<Written>,
    /// The customer-service messages.
    pub(super) sent: Vec<String>,
    /// Whether a bare word had nothing to fetch at last.
    pub(super) is_empty: bool,
}

/// A message of a user.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) what: What,
    pub(super) told: Told,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// The answer to it.
    Question(Answer),
    Bare,
    Unsubscribe,
}

impl User {
    pub(super) fn all(seed: u64, traffic: &Traffic) -> Vec<Self> {
        let users = (0..).zip((0..ACCOUNTS.len()).flat_map(|account| [account; USERS]));
        users
            .map(|(number, account)| Self {
                number,
                account,
                seed,
                last: (number + 1) * MESSAGES,
                traffic: traffic.clone(),
            })
            .collect()
    }

    /// Writes now and then until `end`, then waits until each message is answered or given up.
    pub(super) async fn write(&mut self, wechat: &WeChat, end: Instant) -> Vec<Written> {
        let mut random = Random::new(self.seed, WRITING ^ (self.number << 8));
        let mut sent = JoinSet::new();
        loop {
            sleep(random.milliseconds(PAUSE)).await;
            if Instant::now() >= end {
                return sent.join_all().await;
            }
            self.last += 1;
            let what = match random.below(40) {
                0 => What::Unsubscribe,
                1..14 => What::Bare,
                _ => What::Question(Answer::pick(self.last, &mut random)),
            };
            sent.spawn(self.send(wechat, what));
        }
    }

    /// Writes the bare word until nothing is there to fetch. Returns whether that is the case.
    pub(super) async fn empty(&mut self, wechat: &WeChat, written: &mut Vec<Written>) -> bool {
        for _ in 0..LONGEST {
            self.last += 1;
            let bare = self.send(wechat, What::Bare).await;
            let shown = bare.told.transcript.shown().text();
            let is_own = shown.is_some_and(|text| parts_of(text) == Some(vec![(self.last, 0)]));
            written.push(bare);
            if is_own {
                return true;
            }
        }
        false
    }

    pub(super) fn conversation(
        &self,
        wechat: &WeChat,
        written: Vec<Written>,
        is_empty: bool,
    ) -> Conversation {
        let (account, setup) = ACCOUNTS[self.account];
        let chat = wechat.account(self.account).chat(self.openid());
        let sent = chat
            .shown()
            .iter()
            .filter(|it| it.way() == tower_wechat::simulator::Way::CustomerService);
        Conversation {
            user: self.number,
            account,
            setup,
            written,
            sent: sent.map(|it| it.text().unwrap().to_owned()).collect(),
            is_empty,
        }
    }

    fn send(&self, wechat: &WeChat, what: What) -> impl Future<Output = Written> + use<> {
        let (account, setup) = ACCOUNTS[self.account];
        let message = self.last;
        let wechat = wechat.account(self.account).clone();
        let wechat = wechat.with_uri(uri(PATH, account, message)).unwrap();
        let (push, task) = match what {
            What::Question(answer) => {
                let thinks = answer.thinks.as_millis().try_into().unwrap();
                let failures = answer.failures;
                let push = wechat.text(answer.to_string()).msg_id(message);
                (push, Task { thinks, failures })
            }
            What::Bare => (wechat.text(WORD).msg_id(message), QUICK),
            What::Unsubscribe => (wechat.event("unsubscribe"), QUICK),
        };
        let push = push.from_user(self.openid());
        let target = match setup {
            Setup::Memory => Target::Only(self.account % NODES),
            Setup::NextMessage | Setup::CustomerService => Target::Any,
        };
        let traffic = self.traffic.clone();
        async move {
            let told = traffic.push(message, task, push, target).await;
            Written { what, told }
        }
    }

    fn openid(&self) -> String {
        format!("oUser{}", self.number)
    }
}

/// The user who has written the message.
pub(super) fn user_of(message: u64) -> u64 {
    (message / MESSAGES).wrapping_sub(1)
}

pub(super) const PATH: &str = "/late/";

/// Of each account.
const USERS: usize = 2;

/// Numbers for the messages of one user.
const MESSAGES: u64 = 50_000;

/// Between two messages of a user, in milliseconds.
const PAUSE: std::ops::Range<u64> = 1_000..10_000;

/// More messages than what a mailbox keeps of one user, and the waiting for it.
const LONGEST: usize = 60;

const QUICK: Task = Task {
    thinks: 0,
    failures: 0,
};

/// How long an answer, what becomes of it, and the question for its owner may take when all deliveries are over.
pub(super) const SETTLING: Duration = Duration::from_secs(25);

/// The purpose of the random numbers.
const WRITING: u64 = 8;
