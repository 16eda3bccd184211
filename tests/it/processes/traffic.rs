//! WeChat and a balancer: messages that come in deliveries, each to a node picked at random.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, uri::Authority};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{BoxError, Service};
use tower_wechat::simulator::{Simulator, Transcript};

use super::{
    faults::Addresses,
    log::now,
    node::{MESSAGE, PATH, account},
    random::Random,
};

/// WeChat's servers.
#[derive(Clone)]
pub(super) struct Traffic {
    seed: u64,
    addresses: Addresses,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What WeChat can tell of a message.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) message: u64,
    pub(super) since: u64,
    pub(super) until: u64,
    pub(super) transcript: Transcript,
    /// The processes that it was sent to; `None` where there was none.
    pub(super) sent_to: Vec<Option<u32>>,
}

/// What the bot is to do with a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    /// In milliseconds.
    pub(super) thinks: u64,
    pub(super) failures: u64,
}

impl Traffic {
    pub(super) fn new(seed: u64, addresses: Addresses) -> Self {
        let client = Client::builder(TokioExecutor::new())
            // A connection that has waited may have died with its node.
            .pool_max_idle_per_host(0)
            .build_http();
        Self {
            seed,
            addresses,
            client,
        }
    }

    /// Delivers message number `message` until WeChat is content or gives up.
    pub(super) async fn deliver(&self, message: u64, task: Task, to: Option<usize>) -> Told {
        let since = now();
        let balancer = Balancer {
            addresses: Arc::clone(&self.addresses),
            client: self.client.clone(),
            random: Random::new(self.seed, DELIVERIES ^ (message << 8)),
            to,
            sent_to: Arc::default(),
        };
        let sent_to = Arc::clone(&balancer.sent_to);
        let account_name = account_of(message);
        let Task { thinks, failures } = task;
        let transcript = Simulator::new(account(&account_name).unwrap())
            .with_uri(format!(
                "http://nodes{PATH}{account_name}?{MESSAGE}{message}"
            ))
            .unwrap()
            .text(format!("{message} {thinks} {failures}"))
            .msg_id(message)
            .deliver(balancer)
            .await;
        let sent_to = sent_to.lock().unwrap().clone();
        Told {
            message,
            since,
            until: now(),
            transcript,
            sent_to,
        }
    }

    /// What the seed has in mind for a message: most are quick, some are for the second delivery or the
    /// third, and some are too slow for any.
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

/// An account has so few messages that WeChat may hang up on all of them; but one has a quarter of all, and
/// soon must not let WeChat hang up.
fn account_of(message: u64) -> String {
    if message.is_multiple_of(4) {
        "busy".to_owned()
    } else {
        format!("quiet{}", message / 8)
    }
}

/// It picks a node at random, or the other one where nobody listens. Whether a node that listens does
/// anything else it doesn't know.
#[derive(Clone)]
struct Balancer {
    addresses: Addresses,
    client: Client<HttpConnector, Full<Bytes>>,
    random: Random,
    to: Option<usize>,
    sent_to: Arc<Mutex<Vec<Option<u32>>>>,
}

impl Service<Request<Full<Bytes>>> for Balancer {
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Full<Bytes>>) -> Self::Future {
        let picked = self.random.below(2);
        let node = self.to.unwrap_or(picked);
        let address = |node: usize| *self.addresses[node].lock().unwrap();
        let address = address(node).or_else(|| address(1 - node));
        self.sent_to
            .lock()
            .unwrap()
            .push(address.map(|(process, _)| process));
        let Some((_, port)) = address else {
            return Box::pin(async { Err("nobody there".into()) });
        };
        let mut parts = request.uri().clone().into_parts();
        let authority: Authority = format!("127.0.0.1:{port}").parse().unwrap();
        parts.authority = Some(authority);
        *request.uri_mut() = parts.try_into().unwrap();
        let answer = self.client.request(request);
        Box::pin(async { Ok(answer.await?) })
    }
}

/// What random numbers are for.
const DELIVERIES: u64 = 5;
const TASKS: u64 = 6;
