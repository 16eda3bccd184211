//! What becomes of a reply at each answer of WeChat's to customer service.

use std::io;

use tower::ServiceExt as _;

use super::*;

/// Sends a story of four parts late, with a sink behind customer service. The calls fail in this order, the others succeed.
/// Checks the parts that the user has seen, and those that the next sink gets.
async fn check(
    failures: &[Option<ApiFailure>],
    set: impl FnOnce(CustomerService) -> CustomerService,
    shown: &[usize],
    left: std::ops::Range<usize>,
) {
    let wechat = wechat();
    for failure in failures {
        let failure = failure.unwrap_or(ApiFailure::Slow(Duration::ZERO));
        wechat.api().fail_next(1, ApiCall::Send, failure);
    }
    let next = Collected::default();
    let builder = DedupLayer::builder()
        .with_late_replies(set(customer_service(&wechat)))
        .with_late_replies(next.sink());
    let _ = tell(wechat.text("hi"), builder, 20, story(4)).await;
    let story = parts(0..4);
    let shown: Vec<_> = shown.iter().map(|part| story[*part].clone()).collect();
    assert_eq!(seen(&wechat), shown, "{failures:?}");
    let left: Vec<_> = parts(left);
    assert_eq!(next.parts(), left, "{failures:?}");
    assert_eq!(next.replies().len(), usize::from(!left.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn what_wechat_does_not_accept_is_left_to_the_next_sink() {
    for failure in [
        ApiFailure::Errcode(45_047),
        ApiFailure::Errcode(45_015),
        ApiFailure::Unauthorized,
        ApiFailure::Errcode(40_003),
        ApiFailure::Errcode(45_002),
        ApiFailure::Errcode(61_023),
    ] {
        check(&[Some(failure)], |sink| sink, &[], 0..4).await;
        check(&[None, None, Some(failure)], |sink| sink, &[0, 1], 2..4).await;
    }
}

/// As WeChat counts, not as a test says.
#[tokio::test(start_paused = true)]
async fn the_next_sink_gets_what_is_over_the_quota() {
    let wechat = wechat();
    let next = Collected::default();
    let builder = DedupLayer::builder()
        .with_late_replies(customer_service(&wechat))
        .with_late_replies(next.sink());
    let _ = tell(wechat.text("hi"), builder, 20, story(8)).await;
    assert_eq!(seen(&wechat), parts(0..5));
    assert_eq!(next.parts(), parts(5..8));
}

#[tokio::test(start_paused = true)]
async fn what_no_sink_can_bring_to_the_user_is_dropped() {
    let unfollowed = Some(ApiFailure::Errcode(43_004));
    check(&[unfollowed], |sink| sink, &[], 0..0).await;
    check(&[None, unfollowed], |sink| sink, &[0], 0..0).await;
}

#[tokio::test(start_paused = true)]
async fn a_busy_wechat_and_an_ended_token_are_asked_again() {
    for failure in [ApiFailure::Busy, ApiFailure::EndedToken] {
        let failures = [None, Some(failure), None, Some(failure)];
        check(&failures, |sink| sink, &[0, 1, 2, 3], 0..0).await;
    }
    // Four requests, and then it is left to the next sink.
    let busy = [Some(ApiFailure::Busy); 4];
    check(&busy, |sink| sink, &[], 0..4).await;
    let ended = [Some(ApiFailure::EndedToken); 2];
    check(&ended, |sink| sink, &[], 0..4).await;
}

/// WeChat has shown the part.
#[tokio::test(start_paused = true)]
async fn a_part_whose_answer_was_lost_counts_as_sent() {
    for lost in [
        ApiFailure::LostAnswer,
        ApiFailure::HalfAnswer,
        ApiFailure::Slow(secs(11)),
    ] {
        let failures = [None, Some(lost), Some(lost)];
        check(&failures, |sink| sink, &[0, 1, 2, 3], 0..0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_repetition_each_part_is_sent_once_more() {
    const LOST: Option<ApiFailure> = Some(ApiFailure::LostAnswer);
    let repeated = |failures: &'static [Option<ApiFailure>], shown: &'static [usize]| {
        check(failures, CustomerService::with_repetition, shown, 0..0)
    };
    repeated(&[None, LOST], &[0, 1, 1, 2, 3]).await;
    // Not twice more.
    repeated(&[LOST, LOST], &[0, 0, 1, 2, 3]).await;
    // WeChat takes five.
    let failures = [LOST, None, None, LOST];
    check(
        &failures,
        CustomerService::with_repetition,
        &[0, 0, 1, 2, 2],
        3..4,
    )
    .await;
}

/// A client that cannot connect has sent nothing.
#[tokio::test(start_paused = true)]
async fn a_refused_connection_leaves_all_to_the_next_sink() {
    let wechat = wechat();
    let server = wechat.api();
    let client = tower::service_fn(move |request: Request<tower_wechat::api::RequestBody>| {
        let server = server.clone();
        async move {
            if request.uri().path().ends_with("send") {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            server.oneshot(request).await
        }
    });
    let next = Collected::default();
    let api = Api::new(client, APP_ID, APP_SECRET).unwrap();
    let builder = DedupLayer::builder()
        .with_late_replies(CustomerService::new(api))
        .with_late_replies(next.sink());
    let _ = tell(wechat.text("hi"), builder, 20, story(2)).await;
    assert!(seen(&wechat).is_empty());
    assert_eq!(next.parts(), parts(0..2));
}

/// Without a token nothing is sent.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_token_leaves_all_to_the_next_sink() {
    let wechat = wechat();
    wechat
        .api()
        .fail_always(ApiCall::Token, ApiFailure::LostAnswer);
    let next = Collected::default();
    let builder = DedupLayer::builder()
        .with_late_replies(customer_service(&wechat))
        .with_late_replies(next.sink());
    let _ = tell(wechat.text("hi"), builder, 20, "天亮了").await;
    assert!(seen(&wechat).is_empty());
    assert_eq!(next.parts(), ["天亮了"]);
}

/// Only a passive reply can transfer to an agent, and customer service sends one article.
#[tokio::test(start_paused = true)]
async fn what_customer_service_cannot_say_is_left_to_the_next_sink() {
    let wechat = wechat();
    let next = Collected::default();
    let builder = DedupLayer::builder()
        .with_late_replies(customer_service(&wechat))
        .with_late_replies(next.sink());
    let transfer = Reply::transfer_customer_service();
    let reply = Reply::text("请稍候").then(transfer.clone());
    let _ = tell(wechat.text("hi"), builder, 20, reply).await;
    assert_eq!(seen(&wechat), ["请稍候"]);
    assert_eq!(next.replies(), [Some(transfer)]);
}

#[cfg(feature = "metrics")]
mod counted {
    use super::*;
    use crate::observe::recorder::recorded;

    /// Returns the ways of the parts of a story of four, and how many went each.
    async fn ways(failures: &[Option<ApiFailure>], builder: DedupBuilder) -> Vec<String> {
        let wechat = wechat();
        for failure in failures {
            let failure = failure.unwrap_or(ApiFailure::Slow(Duration::ZERO));
            wechat.api().fail_next(1, ApiCall::Send, failure);
        }
        let recorded = recorded(|| async {
            let builder = builder.with_late_replies(customer_service(&wechat));
            let _ = tell(wechat.text("hi"), builder, 20, story(4)).await;
        })
        .await;
        let lines = recorded.lines().into_iter();
        lines
            .filter_map(|line| {
                line.strip_prefix("late_parts_total account= way=")
                    .map(str::to_owned)
            })
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn parts_are_counted_by_where_they_went() {
        let (lost, spent, unfollowed) = (
            Some(ApiFailure::LostAnswer),
            Some(ApiFailure::Errcode(45_047)),
            Some(ApiFailure::Errcode(43_004)),
        );
        let none = DedupLayer::builder;
        assert_eq!(ways(&[], none()).await, ["customer_service [4.0]"]);
        assert_eq!(
            ways(&[None, lost], none()).await,
            ["customer_service [3.0]", "unknown [1.0]"]
        );
        assert_eq!(
            ways(&[None, unfollowed], none()).await,
            ["customer_service [1.0]", "dropped [3.0]"]
        );
        assert_eq!(
            ways(&[None, spent], none()).await,
            ["customer_service [1.0]", "lost [3.0]"]
        );
        let hook = Collected::default();
        assert_eq!(
            ways(&[], none().with_late_replies(hook.sink())).await,
            ["function [4.0]"]
        );
    }
}
