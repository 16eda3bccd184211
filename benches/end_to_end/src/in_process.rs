//! What a new message costs in units that other work on the machine does not change.
//!
//! `in_process allocations` counts a message's allocations. `in_process messages COUNT` sends messages for callgrind,
//! which counts the instructions of `deliver`.

use std::{alloc::System, convert::Infallible, env, hint::black_box};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::{Builder, Runtime};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_wechat::{Account, DedupLayer, ResponseBody, VerifySignatureLayer, message_fn};

#[allow(dead_code, reason = "the benches' own, who need all of it")]
#[path = "../../pipeline/fixture.rs"]
mod fixture;

use fixture::{ID, account, delivery, echo, encrypted_account, sealed, signed_query, voice};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let mut arguments = env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("allocations"), None) => {
            let query = signed_query();
            let plain = allocations(&account(), |message| (query.clone(), message));
            let account = encrypted_account();
            let encrypted = allocations(&account, |message| sealed(&account, &message));
            println!("one delivery\tallocations of a new message\t{plain}\t0\tallocations");
            println!(
                "one encrypted delivery\tallocations of a new message\t{encrypted}\t0\tallocations"
            );
        }
        (Some("messages"), Some(count)) => {
            let runtime = runtime();
            let stack = stack(account());
            let query = signed_query();
            for id in (ID..).take(count.parse().expect("a number")) {
                deliver(&runtime, &stack, delivery(&query, voice(id)));
            }
        }
        _ => panic!("usage: in_process allocations | messages COUNT"),
    }
}

/// The median: now and then a table grows.
fn allocations(account: &Account, delivered: impl Fn(String) -> (String, String)) -> usize {
    let runtime = runtime();
    let stack = stack(account.clone());
    let mut counts: Vec<_> = (ID..)
        .take(1001)
        .map(|id| {
            let (query, body) = delivered(voice(id));
            let request = delivery(&query, body);
            let region = Region::new(ALLOCATOR);
            deliver(&runtime, &stack, request);
            let change = region.change();
            change.allocations + change.reallocations
        })
        .collect();
    counts.sort_unstable();
    counts[counts.len() / 2]
}

#[inline(never)]
fn deliver<S>(runtime: &Runtime, stack: &S, request: Request<Full<Bytes>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResponseBody>, Error = Infallible> + Clone,
{
    let response = runtime.block_on(stack.clone().oneshot(request));
    let Ok(response) = black_box(response);
    assert!(response.status().is_success());
}

fn stack(
    account: Account,
) -> impl Service<Request<Full<Bytes>>, Response = Response<ResponseBody>, Error = Infallible> + Clone
{
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::builder().with_capacity(10_000).build())
        .service(message_fn(echo))
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime")
}
