//! Not a Tower server: its handler calls the stack.

use std::net::TcpListener;

use hosts::{Runs, account, check, check_example, http1, stack, wechat_at};
use tower::util::BoxCloneSyncService;
use tower_wechat::{DedupLayer, simulator::Simulator};

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/actix.rs"]
pub(crate) mod example;

fn serve(stack: example::WeChat, dedup: DedupLayer) -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(example::serve(listener, stack, dedup).unwrap());
    wechat_at(port)
}

#[tokio::test]
async fn the_stack() {
    let (runs, dedup) = (Runs::default(), DedupLayer::in_memory());
    let stack = BoxCloneSyncService::new(stack(&runs, dedup.clone()));
    check(&serve(stack, dedup), http1(), &runs).await;
}

#[tokio::test]
async fn the_example() {
    let dedup = DedupLayer::in_memory();
    let stack = example::stack(account(), dedup.clone());
    check_example(&serve(stack, dedup), http1()).await;
}

/// The guide shows this file, from its first import to its `main`.
#[test]
fn the_guide_shows_the_example() {
    let example = include_str!("../../examples/actix.rs");
    let (_, shown) = example.split_once("\n\n").unwrap();
    let (shown, _) = shown.split_once("\n#[actix_web::main]").unwrap();
    for guide in [
        include_str!("../../../../src/_guide/without_tower.md"),
        include_str!("../../../../src/_guide/zh/without_tower.md"),
    ] {
        assert!(
            guide.contains(shown),
            "expected this in the guide:\n{shown}"
        );
    }
}
