//! Three nodes as processes, a real Redis, and faults: kills, standstills, wrong clocks, cut and torn connections.
//!
//! WeChat's retries reach any node. All processes append to one log. At the end the lines of each message are checked
//! against [the promises](verdict), which say under which faults they hold, and [counted](tally). Each kind of fault has
//! a phase with nodes and a Redis of its own; all phases happen at the same time. A second [campaign](late), beside this
//! one, does the same with late and long answers.

mod campaign;
mod case;
mod deployment;
mod evidence;
mod faults;
mod late;
mod listener;
mod log;
mod node;
mod process;
mod random;
mod runs;
mod tally;
mod traffic;
mod verdict;
mod witness;

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use self::{
    campaign::{Phase, Played, recover, watch},
    deployment::Deployment,
    evidence::Evidence,
    faults::Plan,
    log::Log,
    tally::Judgement,
    traffic::{AFTERWARDS, Target, Told, Traffic},
};

/// `WECHAT_FAULTS` sets the number of faults, and `WECHAT_SEED` picks others. A failure names both. `WECHAT_FAULT_KIND`
/// plays the kinds whose names contain it. `WECHAT_FAULT_MODE` is `dedup` or [`late`] to play one campaign alone.
///
/// The faults are the seed's. Which messages they meet depends on the machine.
#[test]
fn faults_break_no_promise() {
    let Some(played) = Played::campaign("dedup", Phase::happen) else {
        return;
    };
    let mut judgement = Judgement::new();
    for (phase, told) in &played.phases {
        let evidence = Evidence::of(Log::read(&phase.log));
        judgement.add(phase.kind, phase.faults, &evidence, told);
    }
    let broken = judgement.broken();
    played.end(&judgement, broken);
}

impl Phase {
    /// Delivers messages during all the faults and shortly after.
    async fn happen(self) -> Vec<Told> {
        let Self {
            kind,
            seed,
            faults,
            log,
        } = self;
        let mut deployment = Deployment::start(THIS_TEST, None, log.clone()).await;
        let traffic = Traffic::new(seed, deployment.addresses());
        let watching = watch(&log);
        let plan = Plan::pick(kind, seed, faults);
        let messages = u64::try_from(faults).unwrap() * MESSAGES_PER_FAULT;
        let pause = plan.duration / u32::try_from(messages).unwrap();
        let messages = tokio::spawn(flow(traffic.clone(), messages, pause));
        deployment.suffer(plan).await;

        let mut told = recover(&traffic, &deployment.addresses(), &log).await;
        // What began before has its answer by now.
        sleep(Duration::from_secs(1)).await;
        let mut afterwards = JoinSet::new();
        for message in AFTERWARDS..AFTERWARDS + 30 {
            let traffic = traffic.clone();
            afterwards.spawn(async move {
                let task = traffic.task(message);
                traffic.deliver(message, task, Target::Any).await
            });
        }
        told.extend(afterwards.join_all().await);
        told.extend(messages.await.unwrap());
        deployment.drain();
        drop(watching);
        told
    }
}

/// Sends as many messages, one after each `pause`, then waits until each is answered or given up.
async fn flow(traffic: Traffic, messages: u64, pause: Duration) -> Vec<Told> {
    let mut sent = JoinSet::new();
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for message in 0..messages {
        ticks.tick().await;
        let traffic = traffic.clone();
        sent.spawn(async move {
            let task = traffic.task(message);
            traffic.deliver(message, task, Target::Any).await
        });
    }
    sent.join_all().await
}

/// The name of the test in the test harness.
const THIS_TEST: &str = "processes::faults_break_no_promise";

/// How many messages WeChat sends meanwhile.
const MESSAGES_PER_FAULT: u64 = 20;
