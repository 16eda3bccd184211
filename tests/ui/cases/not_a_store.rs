use tower_wechat::DedupLayer;

fn main() {
    let _ = DedupLayer::shared("redis://127.0.0.1/");
}
