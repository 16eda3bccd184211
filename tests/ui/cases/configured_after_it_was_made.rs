use tower_wechat::DedupLayer;

fn main() {
    let _ = DedupLayer::in_memory().with_capacity(1000);
}
