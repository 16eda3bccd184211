//! WeChat and a load balancer: deliveries of messages, each to a random node.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, uri::Authority};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{BoxError, Service};
use tower_wechat::simulator::{Push, RequestBody, Simulator, Transcript};

use super::{
    deployment::{Addresses, NODES},
    log::now,
    node::{MESSAGE, PATH, account},
    random::Random,
};

/// WeChat's side.
#[derive(Debug, Clone)]
pub(super) struct Traffic {
    seed: u64,
    addresses: Addresses,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What WeChat knows of a message.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) message: u64,
    pub(super) task: Task,
    pub(super) since: u64,
    pub(super) until: u64,
    pub(super) transcript: Transcript,
    /// The processes that it was sent to; `None` where no node was there.
    pub(super) sent_to: Vec<Option<u32>>,
}

/// The handler's task for a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    /// In milliseconds.
    pub(super) thinks: u64,
    pub(super) failures: u64,
}

impl Traffic {
    pub(super) fn new(seed: u64, addresses: Addresses) -> Self {
        let client = Client::builder(TokioExecutor::new())
            // An idle connection may have ended with its node.
            .pool_max_idle_per_host(0)
            .build_http();
        Self {
            seed,
            addresses,
            client,
        }
    }

    /// Delivers message number `message`, with retries, until it is answered or given up.
    pub(super) async fn deliver(&self, message: u64, task: Task, to: Target) -> Told {
        let account_name = account_of(message);
        let Task { thinks, failures } = task;
        let push = Simulator::new(account(&account_name).unwrap())
            .with_uri(uri(PATH, &account_name, message))
            .unwrap()
            .text(format!("{message} {thinks} {failures}"))
            .msg_id(message);
        self.push(message, task, push, to).await
    }

    /// Likewise, for a message that is there.
    pub(super) async fn push(&self, message: u64, task: Task, push: Push, to: Target) -> Told {
        let since = now();
        let balancer = Balancer {
            addresses: Arc::clone(&self.addresses),
            client: self.client.clone(),
            random: Random::new(self.seed, DELIVERIES ^ (message << 8)),
            to,
            sent_to: Arc::default(),
        };
        let sent_to = Arc::clone(&balancer.sent_to);
        let transcript = push.deliver(balancer).await;
        let sent_to = sent_to.lock().unwrap().clone();
        Told {
            message,
            task,
            since,
            until: now(),
            transcript,
            sent_to,
        }
    }

    /// Picks the task by the seed: most are quick, some take until the second or the third delivery, and some are too
    /// slow for any.
    pub(super) fn task(&self, message: u64) -> Task {
        let mut random = Random::new(self.seed, TASKS ^ (message << 8));
        let thinks = match random.below(20) {
            0..8 => 0..300,
            8..13 => 1_000..4_200,
            13..17 => 5_000..9_000,
            17..19 => 10_000..13_000,
            _ => 15_000..16_500,
        };
        let thinks = random.milliseconds(thinks);
        let fails = random.below(12) == 0 && thinks < Duration::from_secs(5);
        Task {
            thinks: thinks.as_millis().try_into().unwrap(),
            failures: fails.into(),
        }
    }
}

/// The callback URL for one message. The balancer puts a node's address in.
pub(super) fn uri(path: &str, account: &str, message: u64) -> String {
    format!("http://nodes{path}{account}?{MESSAGE}{message}")
}

/// Most accounts have so few messages that WeChat may hang up on each. One has a quarter of all messages, and soon
/// spends its budget of hang-ups.
fn account_of(message: u64) -> String {
    if is_of_busy_account(message) {
        "busy".to_owned()
    } else {
        format!("quiet{}", message / 8)
    }
}

pub(super) fn is_of_busy_account(message: u64) -> bool {
    message.is_multiple_of(4)
}

/// To which node the deliveries of a message go. Nobody knows whether it works.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// Each to a node picked at random, or to the next one if that is missing.
    Any,
    /// To this node, or to the next one if it is missing.
    First(usize),
    /// To this node alone.
    Only(usize),
}

#[derive(Clone)]
struct Balancer {
    addresses: Addresses,
    client: Client<HttpConnector, Full<Bytes>>,
    random: Random,
    to: Target,
    sent_to: Arc<Mutex<Vec<Option<u32>>>>,
}

impl Service<Request<RequestBody>> for Balancer {
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let picked = self.random.below(NODES);
        let (first, count) = match self.to {
            Target::Any => (picked, NODES),
            Target::First(node) => (node, NODES),
            Target::Only(node) => (node, 1),
        };
        let mut nodes = (first..first + count).map(|node| node % NODES);
        let address = nodes.find_map(|node| *self.addresses[node].lock().unwrap());
        self.sent_to
            .lock()
            .unwrap()
            .push(address.map(|(process, _)| process));
        let Some((_, port)) = address else {
            return Box::pin(async { Err("no node is there".into()) });
        };
        let mut parts = request.uri().clone().into_parts();
        let authority: Authority = format!("127.0.0.1:{port}").parse().unwrap();
        parts.authority = Some(authority);
        *request.uri_mut() = parts.try_into().unwrap();
        let client = self.client.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = Full::new(body.collect().await?.to_bytes());
            Ok(client.request(Request::from_parts(head, body)).await?)
        })
    }
}

/// The first numbers of messages for special purposes: to find out whether all is well again, and when it is.
pub(super) const RECOVERING: u64 = 1_000_000;
pub(super) const AFTERWARDS: u64 = 2_000_000;

/// The purposes of the random numbers.
const DELIVERIES: u64 = 5;
const TASKS: u64 = 6;
