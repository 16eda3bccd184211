//! `stable_token`, and how long a token is good.

use super::*;

/// Returns the errcode of a call with this token; 0 if WeChat takes the token.
async fn check_token(wechat: &Simulator, token: &str) -> i64 {
    let uri = format!("message/custom/typing?access_token={token}");
    let answer = post(wechat, &uri, &json!({ "command": "CancelTyping" })).await;
    match answer["errcode"].as_i64().unwrap() {
        // The user is unknown, so the token is not.
        40_003 => 0,
        errcode => errcode,
    }
}

#[tokio::test(start_paused = true)]
async fn everyone_gets_the_same_token_until_five_minutes_before_its_end() {
    let wechat = wechat();
    let (first, life) = token(&wechat).await;
    assert_eq!(life, 7200);
    advance(secs(100)).await;
    assert_eq!(token(&wechat.clone()).await, (first.clone(), 7100));

    advance(almost(6800)).await;
    assert_eq!(token(&wechat).await, (first.clone(), 300));
    advance(MILLISECOND).await;
    let (second, life) = token(&wechat).await;
    assert_ne!(second, first);
    assert_eq!(life, 7200);

    // Both are good for the last five minutes of the first.
    advance(almost(300)).await;
    assert_eq!(check_token(&wechat, &first).await, 0);
    assert_eq!(check_token(&wechat, &second).await, 0);
    advance(MILLISECOND).await;
    assert_eq!(check_token(&wechat, &first).await, 42_001);
    assert_eq!(check_token(&wechat, &second).await, 0);

    advance(almost(6900)).await;
    assert_eq!(check_token(&wechat, &second).await, 0);
    advance(MILLISECOND).await;
    assert_eq!(check_token(&wechat, &second).await, 42_001);
}

/// Calls the older `token`.
async fn plain_token(wechat: &Simulator, query: &str) -> Value {
    let uri = format!("/cgi-bin/token?{query}");
    let (_, _, body) = raw(wechat, Method::GET, &uri, "").await;
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_older_call_gives_another_token_each_time() {
    let wechat = wechat();
    let (stable, _) = token(&wechat).await;
    let query = format!("grant_type=client_credential&appid={APP_ID}&secret={APP_SECRET}");
    let mut tokens = Vec::new();
    for _ in 0..12 {
        let json = plain_token(&wechat, &query).await;
        assert_eq!(json["expires_in"], 7200);
        tokens.push(json["access_token"].as_str().unwrap().to_owned());
    }
    let [.., former, latest] = &*tokens else {
        panic!("expected twelve");
    };
    assert_ne!(former, latest);

    advance(almost(300)).await;
    assert_eq!(check_token(&wechat, former).await, 0);
    advance(MILLISECOND).await;
    assert_eq!(check_token(&wechat, former).await, 42_001);
    assert_eq!(check_token(&wechat, latest).await, 0);
    assert_eq!(check_token(&wechat, &stable).await, 0);

    // Neither call affects the other's tokens.
    let mut forced = credentials();
    forced["force_refresh"] = true.into();
    post(&wechat, "stable_token", &forced).await;
    assert_eq!(check_token(&wechat, &stable).await, 40_001);
    assert_eq!(check_token(&wechat, latest).await, 0);
}

#[tokio::test(start_paused = true)]
async fn the_older_call_checks_what_the_newer_one_checks() {
    let wechat = wechat();
    for (query, errcode) in [
        (String::new(), 40_002),
        ("grant_type=client_credential".to_owned(), 41_002),
        (
            format!("grant_type=client_credential&appid={APP_ID}"),
            41_004,
        ),
        (
            format!("grant_type=client_credential&appid={APP_ID}&secret=other"),
            40_125,
        ),
        (
            format!("grant_type=client_credential&appid=no%20id&secret={APP_SECRET}"),
            40_013,
        ),
    ] {
        let json = plain_token(&wechat, &query).await;
        assert_eq!(json["errcode"], errcode, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_lives_through_a_day() {
    let wechat = wechat();
    let api = api(&wechat);
    hear(wechat.voice("Vo1").sound(AMR)).await;
    let mut tokens = std::collections::BTreeSet::new();
    for _ in 0..24 * 60 {
        api.media("Vo1").await.unwrap();
        tokens.insert(api.access_token().await.unwrap().as_str().to_owned());
        advance(secs(60)).await;
    }
    // One for each 115 minutes.
    assert_eq!(tokens.len(), 13);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_known_or_not() {
    let wechat = wechat();
    for (query, errcode) in [
        ("", 41_001),
        ("?access_token=", 41_001),
        ("?access_token=1_other", 40_001),
        ("?access_token", 41_001),
    ] {
        for path in [
            "message/custom/send",
            "message/custom/typing",
            "media/upload",
        ] {
            let answer = post(&wechat, &format!("{path}{query}"), &json!({})).await;
            assert_eq!(answer["errcode"], errcode, "{path}{query}");
        }
    }
    // Another account's.
    let (other, _) = token(&Simulator::new(account())).await;
    assert_eq!(check_token(&wechat, &other).await, 40_001);
}

#[tokio::test(start_paused = true)]
async fn a_forced_token_ends_the_former_one() {
    let wechat = wechat();
    let mut forced = credentials();
    forced["force_refresh"] = true.into();
    let (first, _) = token(&wechat).await;
    let second = post(&wechat, "stable_token", &forced).await;
    assert_eq!(check_token(&wechat, &first).await, 40_001);
    let second = second["access_token"].as_str().unwrap();
    assert_eq!(check_token(&wechat, second).await, 0);
    assert_eq!(token(&wechat).await, (second.to_owned(), 7200));

    // At least 30 s apart, and 20 a day.
    advance(almost(30)).await;
    let answer = post(&wechat, "stable_token", &forced).await;
    assert_eq!(answer["errcode"], 45_011);
    advance(MILLISECOND).await;
    for _ in 1..20 {
        let answer = post(&wechat, "stable_token", &forced).await;
        assert_eq!(answer["expires_in"], 7200);
        advance(secs(30)).await;
    }
    let answer = post(&wechat, "stable_token", &forced).await;
    assert_eq!(answer["errcode"], 45_009);
    advance(secs(24 * 3600 - 30 * 20)).await;
    let answer = post(&wechat, "stable_token", &forced).await;
    assert_eq!(answer["expires_in"], 7200);
}

#[tokio::test(start_paused = true)]
async fn the_settings_of_the_account_are_checked() {
    let key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let encrypted = || Account::encrypted("walnut42", APP_ID, key).unwrap();
    let other = "wx9f8e7d6c5b4a3021";
    let component = || Account::component("walnut42", other, key).unwrap();
    let authorizer = || component().authorizer("gh_5d1c0e94a7b3").unwrap();
    for (account, app_id, secret, errcode) in [
        (encrypted(), APP_ID, APP_SECRET, None),
        (encrypted(), other, APP_SECRET, Some(40_013)),
        (encrypted(), APP_ID, "0123", Some(40_125)),
        // These accounts do not know their AppID.
        (account(), APP_ID, APP_SECRET, None),
        (account(), other, APP_SECRET, None),
        (account(), APP_ID, "0123", Some(40_125)),
        (authorizer(), APP_ID, APP_SECRET, None),
    ] {
        let wechat = Simulator::new(account);
        let api = Api::new(wechat.api(), app_id, secret).unwrap();
        let found = super::errcode(api.access_token().await);
        assert_eq!(found, errcode, "{app_id} {secret}");
    }
    let wechat = wechat().with_app_secret("0123");
    let api = |secret| Api::new(wechat.api(), APP_ID, secret).unwrap();
    assert_eq!(errcode(api("0123").access_token().await), None);
    assert_eq!(errcode(api(APP_SECRET).access_token().await), Some(40_125));
}

#[tokio::test(start_paused = true)]
async fn a_request_for_a_token_is_checked() {
    let wechat = wechat();
    for (field, value, errcode) in [
        ("grant_type", Value::Null, 40_002),
        ("grant_type", "authorization_code".into(), 40_002),
        ("appid", Value::Null, 41_002),
        ("appid", "wx 1".into(), 40_013),
        ("secret", Value::Null, 41_004),
    ] {
        let mut wrong = credentials();
        wrong[field] = value;
        let answer = post(&wechat, "stable_token", &wrong).await;
        assert_eq!(answer["errcode"], errcode, "{wrong}");
    }
}
