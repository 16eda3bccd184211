//! What users see. The clock stands still, so that slow answers take no time.

use std::time::Duration;

use axum::Router;
use bot::{
    answer::{MORE, MORE_KEY, THINKING},
    dedup, router,
    settings::Recognizer,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::sleep;
use tower::{BoxError, service_fn, util::BoxCloneSyncService};
use tower_wechat::{
    api::Recording,
    simulator::{Simulator, USER},
};

use super::{SECRET, read_with, simulator};

/// The bot of an account that may call WeChat's API, with this recognizer.
async fn verified(wechat: &Simulator, recognizer: Option<Recognizer>) -> Router {
    let mut settings = read_with(wechat, [SECRET]).unwrap();
    settings.recognizer = recognizer;
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    router(&settings, dedup(&settings).await.unwrap(), metrics)
}

/// The bot of an account without an AppSecret.
async fn unverified(wechat: &Simulator) -> Router {
    let settings = read_with(wechat, []).unwrap();
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    router(&settings, dedup(&settings).await.unwrap(), metrics)
}

/// A recognizer that hears `words` after this time.
fn hears(words: &'static str, after: Duration) -> Option<Recognizer> {
    let recognize = service_fn(move |_: Recording| async move {
        sleep(after).await;
        Ok::<_, BoxError>(words.to_owned())
    });
    Some(BoxCloneSyncService::new(recognize))
}

#[tokio::test(start_paused = true)]
async fn a_text_is_answered() {
    let wechat = simulator();
    let bot = unverified(&wechat).await;
    assert_eq!(wechat.verify_url(bot.clone()).await.fault(), None);
    assert_eq!(wechat.text("你好").deliver(bot).await, "你说的是：你好");
}

#[tokio::test(start_paused = true)]
async fn a_scan_greets_and_the_menu_counts_it() {
    let wechat = simulator();
    let bot = unverified(&wechat).await;
    for (event, scene, number) in [("SCAN", "booth", 1), ("subscribe", "qrscene_booth", 2)] {
        let scan = wechat.event(event).field("EventKey", scene);
        let greeting = format!("欢迎，你是第 {number} 位扫描“booth”的朋友");
        assert_eq!(scan.deliver(bot.clone()).await, &*greeting);
    }
    let click = wechat.event("CLICK").field("EventKey", "scans");
    assert_eq!(click.deliver(bot).await, "扫码次数\nbooth：2");
}

#[tokio::test(start_paused = true)]
async fn a_voice_is_recognized() {
    let wechat = simulator();
    let bot = verified(&wechat, hears("明天会下雨吗", Duration::ZERO)).await;
    let voice = wechat.voice("media-1").sound(&b"#!AMR\n"[..]);
    assert_eq!(voice.deliver(bot).await, "你说的是：明天会下雨吗");
}

#[tokio::test(start_paused = true)]
async fn without_a_recognizer_the_user_is_asked_to_write() {
    let wechat = simulator();
    for bot in [verified(&wechat, None).await, unverified(&wechat).await] {
        let voice = wechat.voice("media-1").sound(&b"#!AMR\n"[..]);
        assert_eq!(voice.deliver(bot).await, "我没听清，请打字");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_comes_by_customer_service() {
    let wechat = simulator();
    let bot = verified(&wechat, hears("计时 3", Duration::from_secs(17))).await;
    let voice = wechat.voice("media-1").sound(&b"#!AMR\n"[..]);
    assert_eq!(voice.deliver(bot).await, THINKING);
    sleep(Duration::from_secs(20)).await;
    let chat = wechat.chat(USER);
    assert_eq!(chat.shown(), [THINKING, "3 秒到了"], "{chat}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_waits_for_the_next_message() {
    let wechat = simulator();
    let bot = unverified(&wechat).await;
    assert_eq!(wechat.text("计时 20").deliver(bot.clone()).await, THINKING);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(wechat.text(MORE).deliver(bot.clone()).await, "20 秒到了");
    assert_eq!(wechat.text(MORE).deliver(bot.clone()).await, "没有更多了");
    let click = wechat.event("CLICK").field("EventKey", MORE_KEY);
    assert_eq!(click.deliver(bot).await, "没有更多了");
}
