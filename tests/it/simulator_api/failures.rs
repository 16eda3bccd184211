//! Each failure that a test can ask for, as `Api` sees it.

use tokio::time::Instant;

use super::*;

/// Makes each call but the one for the token. Returns the kinds of their errors.
async fn each_call(api: &Api) -> [Option<ErrorKind>; 5] {
    [
        kind(api.callback_ips().await),
        kind(api.media("Vo1").await),
        kind(api.upload(MediaKind::Image, b"\x89PNG").await),
        kind(api.send(USER, &"1".into()).await),
        kind(api.typing(USER, false).await),
    ]
}

const CALLS: [ApiCall; 5] = [
    ApiCall::CallbackIps,
    ApiCall::Media,
    ApiCall::Upload,
    ApiCall::Send,
    ApiCall::Typing,
];

async fn used() -> (Simulator, Api) {
    let wechat = wechat();
    hear(wechat.voice("Vo1").sound(AMR)).await;
    let api = api(&wechat);
    assert_eq!(each_call(&api).await, [None; 5]);
    (wechat, api)
}

#[tokio::test(start_paused = true)]
async fn each_failure_of_each_call_has_its_kind() {
    let proxy = ApiFailure::Status(StatusCode::BAD_GATEWAY);
    for (failure, expected) in [
        (ApiFailure::Busy, Some(ErrorKind::Busy)),
        (ApiFailure::EndedToken, Some(ErrorKind::AccessToken)),
        (ApiFailure::UnknownMedia, Some(ErrorKind::MediaId)),
        (ApiFailure::Unauthorized, Some(ErrorKind::Unauthorized)),
        (ApiFailure::Errcode(43_004), Some(ErrorKind::NotFollower)),
        (proxy, Some(ErrorKind::Status)),
        (ApiFailure::Html, Some(ErrorKind::Response)),
        (ApiFailure::Slow(secs(9)), None),
        (ApiFailure::Slow(secs(11)), Some(ErrorKind::Timeout)),
        (ApiFailure::LostAnswer, Some(ErrorKind::Client)),
    ] {
        for (number, call) in CALLS.into_iter().enumerate() {
            let (wechat, api) = used().await;
            wechat.api().fail_always(call, failure);
            let mut kinds = [None; 5];
            kinds[number] = expected;
            assert_eq!(each_call(&api).await, kinds, "{call:?} {failure:?}");
            wechat.api().recover();
            if failure != ApiFailure::Unauthorized {
                assert_eq!(each_call(&api).await, [None; 5], "{call:?} {failure:?}");
            }
        }
        let wechat = wechat();
        wechat.api().fail_always(ApiCall::Token, failure);
        let expected = match failure {
            // It makes another one.
            ApiFailure::EndedToken => None,
            _ => expected,
        };
        assert_eq!(kind(api(&wechat).access_token().await), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn half_an_answer_is_no_answer_of_wechat() {
    for (number, call) in CALLS.into_iter().enumerate() {
        let (wechat, api) = used().await;
        wechat.api().fail_next(1, call, ApiFailure::HalfAnswer);
        let mut kinds = [None; 5];
        // A recording is cut off where it is.
        if call != ApiCall::Media {
            kinds[number] = Some(ErrorKind::Response);
        }
        assert_eq!(each_call(&api).await, kinds, "{call:?}");
    }
    let wechat = wechat();
    let half = ApiFailure::HalfAnswer;
    wechat.api().fail_next(1, ApiCall::Token, half);
    let token = api(&wechat).access_token().await;
    assert_eq!(kind(token), Some(ErrorKind::Response));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_for_the_next_requests() {
    let (wechat, api) = used().await;
    let begun = Instant::now();
    wechat.api().fail_next(2, ApiCall::Media, ApiFailure::Busy);
    api.media("Vo1").await.unwrap();
    assert_eq!(begun.elapsed(), secs(1 + 2));

    // One behind the other, and then those that always fail.
    let server = wechat.api();
    server.fail_always(ApiCall::Media, ApiFailure::Html);
    server.fail_next(0, ApiCall::Media, ApiFailure::LostAnswer);
    server.fail_next(1, ApiCall::Media, ApiFailure::UnknownMedia);
    server.fail_next(2, ApiCall::Media, ApiFailure::Errcode(45_009));
    let mut kinds = Vec::new();
    for _ in 0..5 {
        kinds.push(kind(api.media("Vo1").await).unwrap());
    }
    let (limit, answer) = (ErrorKind::RateLimit, ErrorKind::Response);
    assert_eq!(kinds, [ErrorKind::MediaId, limit, limit, answer, answer]);
    // The last word counts.
    server.fail_next(3, ApiCall::Media, ApiFailure::UnknownMedia);
    server.fail_always(ApiCall::Media, ApiFailure::Busy);
    assert_eq!(kind(api.media("Vo1").await), Some(ErrorKind::Busy));
    server.recover();
    api.media("Vo1").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_ended_token_is_replaced_at_once() {
    let (wechat, api) = used().await;
    let former = api.access_token().await.unwrap();
    wechat
        .api()
        .fail_next(1, ApiCall::Send, ApiFailure::EndedToken);
    api.send(USER, &"1".into()).await.unwrap();
    let token = api.access_token().await.unwrap();
    assert_ne!(former.as_str(), token.as_str());
}

#[tokio::test(start_paused = true)]
async fn a_slow_or_lost_answer_is_that_of_a_call_that_was_carried_out() {
    let (wechat, api) = used().await;
    wechat
        .api()
        .fail_next(1, ApiCall::Send, ApiFailure::Slow(secs(60)));
    api.send(USER, &"slow".into()).await.unwrap_err();
    wechat
        .api()
        .fail_next(1, ApiCall::Send, ApiFailure::LostAnswer);
    api.send(USER, &"lost".into()).await.unwrap_err();
    wechat.api().fail_next(
        1,
        ApiCall::Send,
        ApiFailure::Status(StatusCode::BAD_GATEWAY),
    );
    api.send(USER, &"never".into()).await.unwrap_err();
    assert_eq!(wechat.chat(USER).shown(), ["1", "slow", "lost"]);
}

/// All personal accounts.
#[tokio::test(start_paused = true)]
async fn an_unverified_account_is_told_once_an_hour() {
    let (wechat, api) = used().await;
    for call in CALLS {
        wechat.api().fail_always(call, ApiFailure::Unauthorized);
    }
    assert_eq!(each_call(&api).await, [Some(ErrorKind::Unauthorized); 5]);
    wechat.api().recover();
    advance(almost(3600)).await;
    assert_eq!(each_call(&api).await, [Some(ErrorKind::Unauthorized); 5]);
    advance(MILLISECOND).await;
    assert_eq!(each_call(&api).await, [None; 5]);
}
