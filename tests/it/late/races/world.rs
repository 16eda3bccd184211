//! One case: the nodes, the users, what they see, and what is promised.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fmt::Write,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_wechat::{
    Account, DedupLayer, Message, Reply, VerifySignatureLayer,
    dedup::store::MemoryStore,
    late::{
        NextMessage,
        mailbox::{Conversation, Mailbox, MemoryMailbox},
    },
    message_fn,
    simulator::Simulator,
};

use super::{
    draws::Draws,
    shared::{FarMailbox, FarStore, Kind, Outage, Way},
};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Setting {
    pub(super) nodes: usize,
    pub(super) fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    /// One of the nodes is lost.
    LostNode,
    /// The mailbox does not answer for some seconds, to one node or to all.
    Mailbox,
    /// Likewise the store.
    Store,
    /// Likewise both, as if they were one Redis.
    Redis,
}

const WORD: &str = "继续";
const WAIT: &str = "please wait";
const FAILED: &str = "it failed";
const USERS: [&str; 2] = ["oAnna", "oBert"];

/// What the user sends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Asked {
    Bare,
    /// The handler takes this long, and answers with as many lines. 0: it fails.
    Question(Duration, usize),
}

/// A message, and what becomes of its deliveries.
#[derive(Debug, Clone)]
struct Plan {
    id: u64,
    user: usize,
    at: Duration,
    asked: Asked,
    deliveries: Vec<Delivery>,
}

#[derive(Debug, Clone, Copy)]
struct Delivery {
    node: usize,
    fate: Fate,
    /// Another node gets a copy of it.
    copy: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Waits,
    /// The answer is lost.
    Loses,
    /// The client is gone after this time.
    Leaves(Duration),
}

/// What the world has seen.
#[derive(Default)]
struct Seen {
    story: String,
    /// The runs of each message.
    runs: BTreeMap<u64, u32>,
    shown: Vec<Shown>,
    /// The answers that were sent and did not arrive.
    lost: Vec<Shown>,
    /// When the user has seen that the answer is to come.
    told_to_wait: BTreeMap<u64, Duration>,
}

#[derive(Debug, Clone)]
struct Shown {
    at: Duration,
    /// The message whose passive reply it is.
    by: u64,
    text: String,
}

#[derive(Clone)]
struct World {
    setting: Setting,
    began: Instant,
    seen: Arc<Mutex<Seen>>,
    wechat: Simulator,
    nodes: Vec<(Stack, Way)>,
    plans: Arc<Mutex<BTreeMap<u64, Plan>>>,
}

type Stack =
    BoxCloneSyncService<Request<Full<Bytes>>, Response<tower_wechat::ResponseBody>, Infallible>;

fn account() -> Account {
    Account::plain("walnut42").unwrap()
}

/// Plays one case. Returns what happened, and what promise was broken.
pub(super) fn play(setting: Setting, seed: u64) -> (String, Result<(), String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        let draws = Draws::new(seed);
        let began = Instant::now();
        let plans = plan(&draws, setting);
        let (store, mailbox) = (MemoryStore::new(), MemoryMailbox::new());
        let mut world = World {
            setting,
            began,
            seen: Arc::default(),
            wechat: Simulator::new(account()),
            nodes: Vec::new(),
            plans: Arc::default(),
        };
        let mut layers = Vec::new();
        let at = began + Duration::from_millis(draws.below(60_000));
        // Most are longer than the lease of a slot, and none is longer than a node tries to fill it.
        let least = if setting.fault == Some(Fault::Redis) {
            4_000
        } else {
            0
        };
        let outage = Outage {
            from: at,
            until: at + Duration::from_millis(least + draws.below(8_000 - least / 2)),
            kind: draws.one_of(&[Kind::Fails, Kind::Hangs, Kind::LosesAnswers]),
        };
        let met = draws.index(setting.nodes + 1);
        if let Some(fault) = setting.fault {
            let seconds = |time: Instant| time.duration_since(began).as_millis();
            world.tell(format_args!(
                "{fault:?} at {}, until {}, {:?}, node {met}",
                seconds(at),
                seconds(outage.until),
                outage.kind
            ));
        }
        for node in 0..setting.nodes {
            let way = |fault| Way {
                draws: draws.clone(),
                lost: (setting.fault == Some(Fault::LostNode) && node == met % setting.nodes)
                    .then_some(at),
                outage: ([Some(fault), Some(Fault::Redis)].contains(&setting.fault)
                    && (node == met || met == setting.nodes))
                    .then_some(outage),
            };
            let next = if setting.nodes == 1 && setting.fault.is_none() {
                NextMessage::shared(mailbox.clone())
            } else {
                NextMessage::shared(FarMailbox(mailbox.clone(), way(Fault::Mailbox)))
            };
            let next = next.with_words([WORD]).unwrap();
            let layer = if setting.nodes == 1 {
                finish(DedupLayer::builder(), next)
            } else {
                let store = FarStore(store.clone(), way(Fault::Store));
                finish(DedupLayer::builder().with_store(store), next)
            };
            let way = way(Fault::LostNode);
            let stack = world.stack(&layer, way.clone());
            world.nodes.push((stack, way));
            layers.push(layer);
        }
        let messages = plans.iter().map(|plan| world.deliver(plan.clone()));
        futures_util::future::join_all(messages).await;
        // Longer than anything takes that nobody waits for.
        sleep(Duration::from_secs(90)).await;
        let users = plans.iter().map(|plan| plan.user).max().unwrap_or(0);
        let mut result = Ok(());
        for user in 0..=users {
            result = result.and(world.empty(&draws, setting, user).await);
        }
        sleep(Duration::from_secs(30)).await;
        result = result.and_then(|()| world.check());
        for user in USERS {
            let of = Conversation::new("", user);
            if mailbox.peek(of).await.unwrap() {
                result = result.and(Err(format!("something is left for {user}")));
            }
        }
        for (layer, (_, way)) in layers.iter().zip(&world.nodes) {
            if way.is_lost() {
                continue;
            }
            let began = Instant::now();
            layer.drain(Duration::from_mins(1)).await;
            if began.elapsed() > Duration::ZERO {
                result = result.and(Err("a task goes on".to_owned()));
            }
        }
        let told = std::mem::take(&mut world.seen().story);
        (told, result)
    })
}

fn finish<Scope>(
    builder: tower_wechat::dedup::DedupBuilder<Scope>,
    next: NextMessage,
) -> DedupLayer {
    builder
        .with_fallback(Reply::text(WAIT))
        .unwrap()
        .with_failure_reply(Reply::text(FAILED))
        .unwrap()
        .with_retry_delays([])
        .with_next_message(next)
        .build()
}

fn plan(draws: &Draws, setting: Setting) -> Vec<Plan> {
    let users = 1 + draws.index(2);
    let mut plans = Vec::new();
    for user in 0..users {
        let mut at = draws.below(3_000);
        for _ in 0..2 + draws.below(4) {
            at += 1 + draws.one_of(&[10, 1_000, 10_000, 30_000].map(|end| draws.below(end)));
            let asked = if draws.once_in(3) {
                Asked::Bare
            } else {
                let takes = draws
                    .one_of(&[0, 1, 4_490, 4_500, 14_490, 14_500, 14_510])
                    .max(draws.below(2) * draws.below(40_000));
                let lines = draws.one_of(&[0, 1, 1, 1, 1, 45]);
                Asked::Question(Duration::from_millis(takes), lines)
            };
            plans.push(Plan {
                id: 1 + plans.len() as u64,
                user,
                at: Duration::from_millis(at),
                asked,
                deliveries: deliveries(draws, setting),
            });
        }
    }
    plans
}

fn deliveries(draws: &Draws, setting: Setting) -> Vec<Delivery> {
    (0..3)
        .map(|number| Delivery {
            node: draws.index(setting.nodes),
            fate: match draws.below(8) {
                0 => Fate::Leaves(Duration::from_millis(
                    1 + draws.one_of(&[10, 200, 5_000].map(|end| draws.below(end))),
                )),
                1 if number < 2 => Fate::Loses,
                _ => Fate::Waits,
            },
            copy: draws.once_in(10).then(|| draws.index(setting.nodes)),
        })
        .collect()
}

impl World {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn tell(&self, what: impl std::fmt::Display) {
        let at = self.began.elapsed().as_millis();
        let _ = writeln!(self.seen().story, "{at:>7} {what}");
    }

    fn stack(&self, layer: &DedupLayer, way: Way) -> Stack {
        let world = self.clone();
        let handler = message_fn(move |message: Message| {
            let (world, way) = (world.clone(), way.clone());
            async move {
                if way.is_lost() {
                    pending::<()>().await;
                }
                let Message::Text(text) = message else {
                    return Err("another message");
                };
                let id: u64 = text.msg_id.unwrap().parse().unwrap();
                *world.seen().runs.entry(id).or_default() += 1;
                world.tell(format_args!("message {id} runs"));
                let asked = world.plans.lock().unwrap()[&id].asked;
                let (takes, lines) = match asked {
                    Asked::Bare => (Duration::ZERO, 1),
                    Asked::Question(takes, lines) => (takes, lines),
                };
                if !takes.is_zero() {
                    sleep(takes).await;
                }
                world.tell(format_args!("message {id} has run"));
                if lines == 0 {
                    return Err("no idea");
                }
                Ok(Reply::text(answer(id, lines).join("\n")))
            }
        });
        BoxCloneSyncService::new(
            ServiceBuilder::new()
                .layer(VerifySignatureLayer::new(account()))
                .layer(layer)
                .service(handler),
        )
    }

    /// Delivers a message as WeChat does.
    async fn deliver(&self, plan: Plan) {
        self.plans.lock().unwrap().insert(plan.id, plan.clone());
        sleep_until(self.began + plan.at).await;
        let id = plan.id;
        let words = match plan.asked {
            Asked::Bare => WORD.to_owned(),
            Asked::Question(..) => format!("question {id}"),
        };
        let push = self
            .wechat
            .text(words)
            .from_user(USERS[plan.user])
            .msg_id(id);
        let request = push.request().unwrap();
        for delivery in &plan.deliveries {
            self.tell(format_args!(
                "{} sends {id}, {:?}: {delivery:?}",
                USERS[plan.user], plan.asked
            ));
            let copies = delivery.copy.map(|node| {
                let (world, request) = (self.clone(), request.clone());
                tokio::spawn(async move {
                    if let Some(text) = world.send(node, request, HANG_UP).await {
                        world.tell(format_args!("the copy of {id} gets {:?}", short(&text)));
                        let at = world.began.elapsed();
                        world.seen().lost.push(Shown { at, by: id, text });
                    }
                })
            });
            let patience = match delivery.fate {
                Fate::Leaves(after) => after.min(HANG_UP),
                _ => HANG_UP,
            };
            let sent = Instant::now();
            let answer = self.send(delivery.node, request.clone(), patience).await;
            let is_hung_up = answer.is_none() && sent.elapsed() >= HANG_UP;
            match answer {
                Some(text) if delivery.fate == Fate::Loses => {
                    self.tell(format_args!("{id} loses {:?}", short(&text)));
                    let at = self.began.elapsed();
                    self.seen().lost.push(Shown { at, by: id, text });
                }
                Some(text) => {
                    self.tell(format_args!("{id} shows {:?}", short(&text)));
                    let at = self.began.elapsed();
                    if text == WAIT {
                        self.seen().told_to_wait.insert(id, at);
                    }
                    self.seen().shown.push(Shown { at, by: id, text });
                    if let Some(copies) = copies {
                        let _ = copies.await;
                    }
                    return;
                }
                None => self.tell(format_args!("{id} gets nothing")),
            }
            if !is_hung_up {
                sleep(Duration::from_millis(500)).await;
            }
        }
        self.tell(format_args!("{id} is given up"));
    }

    /// The text of the answer, empty for `success`. `None`: WeChat gets no answer that it accepts.
    async fn send(
        &self,
        node: usize,
        request: Request<Bytes>,
        patience: Duration,
    ) -> Option<String> {
        let (mut stack, mut way) = self.nodes[node].clone();
        if way.is_lost() {
            (stack, way) = self.nodes[1 - node].clone();
        }
        let sent = stack.oneshot(request.map(Full::new));
        let response = timeout(patience, sent).await.ok()?.unwrap();
        if way.is_lost() {
            return None;
        }
        if response.status() != 200 {
            self.tell(response.status());
            return None;
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let text = body.split_once("<Content><![CDATA[").map(|(_, text)| {
            let (text, _) = text.split_once("]]></Content>").unwrap();
            text.to_owned()
        });
        Some(text.unwrap_or_default())
    }

    /// Fetches with bare words until one is handled.
    async fn empty(&self, draws: &Draws, setting: Setting, user: usize) -> Result<(), String> {
        for number in 0..60 {
            sleep(Duration::from_secs(1)).await;
            let id = 1_000 * (1 + user as u64) + number;
            self.deliver(Plan {
                id,
                user,
                at: self.began.elapsed(),
                asked: Asked::Bare,
                deliveries: vec![
                    Delivery {
                        node: draws.index(setting.nodes),
                        fate: Fate::Waits,
                        copy: None,
                    };
                    3
                ],
            })
            .await;
            if self.seen().runs.contains_key(&id) {
                return Ok(());
            }
        }
        Err(format!("{} fetches for ever", USERS[user]))
    }

    /// Whether neither the store is away nor a node lost.
    fn is_strict(&self) -> bool {
        !self.is_without_store() && self.setting.fault != Some(Fault::LostNode)
    }

    fn is_without_store(&self) -> bool {
        matches!(self.setting.fault, Some(Fault::Store | Fault::Redis))
    }

    fn check(&self) -> Result<(), String> {
        let (seen, plans) = (self.seen(), self.plans.lock().unwrap());
        let shown_of = |line: &String| {
            seen.shown
                .iter()
                .filter(|shown| lines_of(&shown.text).any(|shown| shown == line))
                .count()
        };
        // The questions that end in the failure reply because their node was lost.
        let mut failed = BTreeMap::new();
        for plan in plans.values() {
            let (id, runs) = (plan.id, seen.runs.get(&plan.id).copied().unwrap_or(0));
            let lines = match plan.asked {
                Asked::Bare if runs == 0 => continue,
                Asked::Bare => 1,
                Asked::Question(_, lines) => lines,
            };
            let is_told = seen.told_to_wait.contains_key(&id);
            let may_be_unknown = self.setting.fault == Some(Fault::LostNode) && !is_told;
            if runs != 1 && (self.setting.fault.is_none() || runs == 0 && !may_be_unknown) {
                return Err(format!("{id} has been run {runs} times"));
            }
            for line in answer(id, lines) {
                let count = shown_of(&line);
                let has_line = |text: &str| lines_of(text).any(|lost| lost == line);
                if count == 0 && seen.may_be_lost(has_line) {
                    continue;
                }
                // Without the store, a node cannot know what another one has sent to nobody, and answers the next delivery with
                // something else. The mailbox has what was kept as shown. And it has the rest of a long answer as the answer,
                // so the first part cannot come before it any more. A short answer is kept then.
                let was_sent =
                    |lost: &Shown| has_line(&lost.text) && (lost.by != id || is_told && lines > 1);
                let is_sent_to_nobody = seen.lost.iter().any(was_sent);
                // A node without the mailbox handles a bare word, which another one takes for a fetch. The word's own answer
                // is of no use.
                let is_bare = plan.asked == Asked::Bare;
                if count == 0 && self.is_without_store() && (is_sent_to_nobody || is_bare) {
                    continue;
                }
                // A reply given twice is better than one given never.
                let is_twice = count > 1 && !self.is_strict();
                if count == 0 && self.setting.fault == Some(Fault::LostNode) {
                    // The rest of a long answer dies with the node that has shown the first part.
                    if is_told {
                        failed
                            .entry(plan.user)
                            .or_insert_with(BTreeSet::new)
                            .insert(id);
                    }
                } else if count != 1 && !is_twice {
                    return Err(format!("{} is shown {count} times", short(&line)));
                }
            }
        }
        for (user, name) in USERS.iter().enumerate() {
            let of_user = |id: u64| plans.get(&id).is_some_and(|plan| plan.user == user);
            let is_failing =
                |plan: &&Plan| plan.user == user && matches!(plan.asked, Asked::Question(_, 0));
            let failing = plans.values().filter(is_failing).count();
            let unanswered = failed.get(&user).map_or(0, BTreeSet::len);
            let mine = || seen.shown.iter().filter(|shown| of_user(shown.by));
            let seen_failed = mine().filter(|shown| shown.text == FAILED).count();
            let may_be_lost = seen
                .lost
                .iter()
                .filter(|lost| {
                    let is_last = self.is_without_store() || !seen.is_answered(lost.by);
                    of_user(lost.by) && lost.text == FAILED && is_last
                })
                .count();
            let is_lost = self.setting.fault == Some(Fault::LostNode);
            let least = unanswered
                + if is_lost {
                    plans
                        .values()
                        .filter(is_failing)
                        .filter(|plan| seen.told_to_wait.contains_key(&plan.id))
                        .count()
                } else {
                    failing
                };
            if self.is_strict() && seen_failed > failing || seen_failed + may_be_lost < least {
                return Err(format!("{name} sees {seen_failed} failures of {least}"));
            }
            for shown in mine() {
                for line in lines_of(&shown.text) {
                    let question = question_of(line);
                    if !of_user(question) {
                        return Err(format!("{name} sees an answer to {question}"));
                    }
                    // A mailbox that is away keeps no order, nor does another run.
                    if !self.is_strict() {
                        continue;
                    }
                    let near = if self.nodes.len() > 1 {
                        NEAR
                    } else {
                        Duration::from_millis(1)
                    };
                    seen.check_order(&plans, near, shown, question)?;
                }
            }
        }
        Ok(())
    }
}

impl Seen {
    fn is_answered(&self, id: u64) -> bool {
        self.shown.iter().any(|shown| shown.by == id)
    }

    /// Whether an answer that was sent did not arrive, and none after it.
    fn may_be_lost(&self, is_it: impl Fn(&str) -> bool) -> bool {
        self.lost
            .iter()
            .any(|lost| is_it(&lost.text) && !self.is_answered(lost.by))
    }

    /// Before a later message shows an answer, all of each earlier one has been shown that it could know of.
    fn check_order(
        &self,
        plans: &BTreeMap<u64, Plan>,
        near: Duration,
        shown: &Shown,
        question: u64,
    ) -> Result<(), String> {
        if shown.by == question {
            return Ok(());
        }
        let (by, question) = (&plans[&shown.by], &plans[&question]);
        if by.at + near <= question.at {
            return Err(format!("{} shows the answer to {}", by.id, question.id));
        }
        for earlier in plans.values() {
            let is_awaited = self
                .told_to_wait
                .get(&earlier.id)
                .is_some_and(|at| *at < by.at);
            if earlier.user != by.user || earlier.at + near > question.at || !is_awaited {
                continue;
            }
            // An answer that was lost is shown by the retry.
            let is_late = |later: &&Shown| {
                let is_sent = |lost: &Shown| {
                    lost.by == later.by && lost.text == later.text && lost.at < shown.at
                };
                later.at > shown.at
                    && lines_of(&later.text).any(|line| question_of(line) == earlier.id)
                    && !self.lost.iter().any(is_sent)
            };
            if let Some(later) = self.shown.iter().find(is_late) {
                return Err(format!(
                    "{} shows the answer to {}, and {} then that to {}",
                    by.id, question.id, later.by, earlier.id
                ));
            }
        }
        Ok(())
    }
}

/// The lines of the answer to a message. Each is shown whole, or in no part.
fn answer(id: u64, lines: usize) -> Vec<String> {
    (0..lines)
        .map(|line| format!("{id}.{line}.{:-<90}", ""))
        .collect()
}

fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    let is_other = text.is_empty() || [WAIT, FAILED].contains(&text);
    let lines = text.lines().map(|line| line.trim_end_matches('…'));
    lines.filter(move |line| !is_other && !line.is_empty())
}

fn question_of(line: &str) -> u64 {
    line.split('.').next().unwrap().parse().unwrap()
}

fn short(text: &str) -> String {
    let lines: Vec<_> = lines_of(text)
        .map(|line| line.trim_end_matches('-'))
        .collect();
    match lines[..] {
        [] => text.to_owned(),
        [line] => line.to_owned(),
        [first, .., last] => format!("{first} to {last}"),
    }
}

/// Questions that are nearer to each other than operations are under way have no order.
const NEAR: Duration = Duration::from_millis(250);

const HANG_UP: Duration = Duration::from_secs(5);
