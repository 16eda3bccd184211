//! Late and long answers under faults: each part reaches its user once, or a reason is known.
//!
//! Users write questions and bare words to [three kinds of accounts](users::Setup), whose answers come late, in several
//! parts, or both. [WeChat's API](wechat) fails now and then. At the end bare words fetch what is left.
//!
//! Then [each part](fate) has been shown to its user once, or its loss is one of those that the documentation names. What
//! a node can know of a loss must be in the node's log.

mod answer;
mod fate;
pub(super) mod node;
mod tally;
mod users;
mod wechat;

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use self::{
    tally::Judgement,
    users::{Conversation, SETTLING, User},
    wechat::WeChat,
};
use super::{
    campaign::{Phase, Played, recover, watch},
    deployment::Deployment,
    evidence::Evidence,
    faults::Plan,
    log::Log,
    traffic::Traffic,
};

/// The settings are those of the [other campaign](super::faults_break_no_promise).
#[test]
fn faults_lose_no_late_reply() {
    let Some(played) = Played::campaign("late", happen) else {
        return;
    };
    let mut judgement = Judgement::new();
    for (phase, conversations) in &played.phases {
        let evidence = Evidence::of(Log::read(&phase.log));
        judgement.add(phase.kind, phase.faults, &evidence, conversations);
    }
    played.end(&judgement, judgement.broken());
}

/// Lets the users write during all the faults of a phase, and fetch afterwards.
async fn happen(phase: Phase) -> Vec<Conversation> {
    let Phase {
        kind,
        seed,
        faults,
        log,
    } = phase;
    let mut wechat = WeChat::start().await;
    let api = Some(wechat.port());
    let mut deployment = Deployment::start(THIS_TEST, api, log.clone()).await;
    let traffic = Traffic::new(seed, deployment.addresses());
    let watching = watch(&log);
    let plan = Plan::pick(kind, seed, faults);
    wechat.fail(seed, &Log::open(&log));
    let wechat = Arc::new(wechat);
    let end = Instant::now() + plan.duration;
    let users = User::all(seed, &traffic).into_iter().map(|mut user| {
        let wechat = Arc::clone(&wechat);
        tokio::spawn(async move {
            let written = user.write(&wechat, end).await;
            (user, written)
        })
    });
    let users: Vec<_> = users.collect();
    deployment.suffer(plan).await;
    wechat.recover();
    recover(&traffic, &deployment.addresses(), &log).await;
    let users = join_all(users).await;
    sleep(SETTLING).await;
    let users = users.into_iter().map(|user| {
        let wechat = Arc::clone(&wechat);
        tokio::spawn(async move {
            let (mut user, mut written) = user.unwrap();
            let is_empty = user.empty(&wechat, &mut written).await;
            user.conversation(&wechat, written, is_empty)
        })
    });
    let conversations = join_all(users.collect::<Vec<_>>()).await;
    deployment.drain();
    drop(watching);
    conversations.into_iter().map(Result::unwrap).collect()
}

/// The name of the test in the test harness.
const THIS_TEST: &str = "processes::late::faults_lose_no_late_reply";
