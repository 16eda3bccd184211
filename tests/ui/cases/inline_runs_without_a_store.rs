use tower_wechat::DedupLayer;

fn main() {
    let _ = DedupLayer::builder().with_inline_runs().build();
}
