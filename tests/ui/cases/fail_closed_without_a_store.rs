use tower_wechat::DedupLayer;

fn main() {
    let _ = DedupLayer::builder().with_fail_closed().build();
}
