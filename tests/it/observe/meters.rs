use std::collections::BTreeSet;

use super::{recorder::recorded, *};

/// Plays `case` and checks that it makes these metrics and no others. The prefix of the names is left out.
async fn check<F: Future<Output = ()>>(case: impl FnOnce() -> F, expected: &str) {
    let recorded = recorded(case).await;
    let (lines, begun) = (recorded.lines(), recorded.begun());
    check_tells_no_secret(&lines.join("\n"));
    for line in &lines {
        let name = line.split(" [").next().unwrap();
        let is_of_an_account = name.contains("_total account=post-office");
        assert!(
            !is_of_an_account || begun.contains(name),
            "{name} began with an event"
        );
    }
    let expected: Vec<_> = expected.lines().map(str::trim).collect();
    let lines: Vec<_> = lines
        .iter()
        .map(|line| line.replace(" account=post-office", ""))
        .collect();
    assert_eq!(lines, expected);
}

#[tokio::test(start_paused = true)]
async fn rejections_and_verifications() {
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=rejected [1.0]
        delivery_duration_seconds [0.0]
        rejections_total kind=signature [1.0]";
    check(rejected, expected).await;
    let expected = "deliveries_open [0.0]
        deliveries_total account= outcome=rejected [1.0]
        delivery_duration_seconds account= [0.0]
        rejections_total account= kind=unknown_account [1.0]";
    check(for_no_account, expected).await;
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=url_verified [1.0]
        delivery_duration_seconds [0.0]";
    check(url_verified, expected).await;
    // WeCom signs the echostr alone.
    let wecom = || Account::wecom(TOKEN, "ww1", KEY).unwrap();
    let case = || async {
        let layer = VerifySignatureLayer::from_fn(move |_| Some(wecom()));
        let service = layer.layer(MessageService::new(service_fn(handle)));
        let verified = Simulator::new(wecom()).verify_url(simulated(service)).await;
        assert_eq!(verified.fault(), None);
    };
    let expected = [
        "deliveries_open [0.0]",
        "deliveries_total account=ww1 outcome=url_verified [1.0]",
        "delivery_duration_seconds account=ww1 [0.0]",
    ];
    assert_eq!(recorded(case).await.lines(), expected);
}

/// One message to one of a component's authorizers, and copies of it to the paths of others.
async fn copied_to_other_authorizers() {
    let component = Account::component(TOKEN, APP_ID, KEY).unwrap();
    let wechat = Simulator::new(component.authorizer("one").unwrap());
    let layer = VerifySignatureLayer::from_fn(move |head| {
        component.authorizer(head.uri.path().trim_matches('/')).ok()
    });
    let service = layer.layer(MessageService::new(service_fn(handle)));
    let push = wechat
        .with_uri("/one")
        .unwrap()
        .text(format!("{CONTENT} 0"));
    let request = push.request().unwrap();
    assert_eq!(service.answer(&request).await, Some(200));
    for path in ["/two", "/three"] {
        let mut copy = request.clone();
        let query = copy.uri().query().unwrap();
        *copy.uri_mut() = format!("{path}?{query}").parse().unwrap();
        assert_eq!(service.answer(&copy).await, Some(400));
    }
}

/// Neither the head of an unsigned request nor the path of a copied delivery makes a label.
#[tokio::test(start_paused = true)]
async fn strangers_make_no_labels() {
    let expected = [
        "deliveries_open [0.0]",
        "deliveries_total account= outcome=rejected [3.0]",
        "deliveries_total account=/one outcome=passed [1.0]",
        "delivery_duration_seconds account= [0.0, 0.0, 0.0]",
        "delivery_duration_seconds account=/one [0.0]",
        "rejections_total account= kind=signature [3.0]",
    ];
    assert_eq!(recorded(named_by_the_path).await.lines(), expected);
    let expected = [
        "deliveries_open [0.0]".to_owned(),
        "deliveries_total account=one outcome=passed [1.0]".to_owned(),
        format!("deliveries_total account={APP_ID} outcome=rejected [2.0]"),
        "delivery_duration_seconds account=one [0.0]".to_owned(),
        format!("delivery_duration_seconds account={APP_ID} [0.0, 0.0]"),
        format!("rejections_total account={APP_ID} kind=receiver [2.0]"),
    ];
    let found = recorded(copied_to_other_authorizers).await.lines();
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn one_run_and_the_copies_of_its_delivery() {
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=done [1.0]
        deliveries_total outcome=kept_reply [1.0]
        deliveries_total outcome=run [1.0]
        delivery_duration_seconds [2.0, 0.0, 0.0]
        handler_duration_seconds [2.0]
        kept_replies_total [1.0]
        runs_open [0.0]
        runs_total result=answered [1.0]";
    check(answered, expected).await;
}

#[tokio::test(start_paused = true)]
async fn hang_ups_joins_and_late_replies() {
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=hung_up [1.0]
        deliveries_total outcome=joined [1.0]
        delivery_duration_seconds [5.0, 2.0]
        handler_duration_seconds [7.0]
        hang_ups_total [1.0]
        joins_total [1.0]
        runs_open [0.0]
        runs_total result=answered [1.0]";
    check(joined, expected).await;
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=acknowledged [1.0]
        deliveries_total outcome=hung_up [2.0]
        delivery_duration_seconds [5.0, 5.0, 4.5]
        handler_duration_seconds [17.0]
        hang_ups_total [2.0]
        joins_total [2.0]
        late_parts_total way=function [1.0]
        late_replies_total cause=acknowledged [1.0]
        runs_open [0.0]
        runs_total result=answered [1.0]";
    check(acknowledged, expected).await;
}

#[tokio::test(start_paused = true)]
async fn runs_by_their_results() {
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=hung_up [1.0]
        deliveries_total outcome=joined [1.0]
        delivery_duration_seconds [5.0, 0.5]
        handler_duration_seconds [0.0, 0.0, 3.0]
        hang_ups_total [1.0]
        joins_total [1.0]
        runs_open [0.0]
        runs_total result=failed [1.0]
        runs_total result=panicked [1.0]
        runs_total result=timed_out [1.0]";
    check(failed, expected).await;
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=turned_away [1.0]
        delivery_duration_seconds [1.0]
        handler_duration_seconds [1.0]
        runs_open [0.0]
        runs_total result=cut [1.0]";
    check(cut, expected).await;
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=done [1.0]
        delivery_duration_seconds [1.0]
        handler_duration_seconds [1.0]
        runs_open [0.0]
        runs_total result=lost_lease [1.0]";
    check(with_a_lost_lease, expected).await;
}

#[tokio::test(start_paused = true)]
async fn deliveries_without_a_run() {
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=hung_up [1.0]
        deliveries_total outcome=joined [1.0]
        deliveries_total outcome=turned_away [1.0]
        delivery_duration_seconds [4.5, 5.0, 2.0]
        handler_duration_seconds [7.0]
        hang_ups_total [1.0]
        joins_total [1.0]
        runs_open [0.0]
        runs_total result=answered [1.0]";
    check(turned_away, expected).await;
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=failed [2.0]
        deliveries_total outcome=hung_up [1.0]
        deliveries_total outcome=passed [1.0]
        delivery_duration_seconds [1.0, 5.0, 0.0, 0.0]";
    check(passed, expected).await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_store_and_one_that_is_away() {
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=hung_up [1.0]
        deliveries_total outcome=joined [1.0]
        deliveries_total outcome=kept_reply [1.0]
        delivery_duration_seconds [5.0, 2.35, 0.0]
        handler_duration_seconds [7.0]
        hang_ups_total [1.0]
        joins_total [1.0]
        kept_replies_total [1.0]
        runs_open [0.0]
        runs_total result=answered [1.0]";
    check(on_two_nodes, expected).await;
    let expected = "deliveries_open [0.0]
        deliveries_total outcome=run [1.0]
        delivery_duration_seconds [0.15]
        handler_duration_seconds [0.0]
        runs_open [0.0]
        runs_total result=answered [1.0]
        store_errors_total operation=claim cause=error [3.0]
        store_errors_total operation=publish cause=error [60.0]";
    check(without_the_store, expected).await;
    let lines = recorded(unconfirmed).await.lines();
    let counted = "unconfirmed_replies_total account=post-office [1.0]";
    assert!(lines.iter().any(|line| line == counted), "{lines:?}");
}

/// One MsgId, and two texts.
#[tokio::test(start_paused = true)]
async fn retries_with_another_body() {
    let send = async || {
        let service = tower::ServiceBuilder::new()
            .layer(tower_wechat::DedupLayer::in_memory())
            .service(tower_wechat::message_fn(
                async |_: tower_wechat::Message| "hi",
            ));
        for text in ["one", "one", "two"] {
            let body = format!(
                "<xml><MsgType>text</MsgType><MsgId>7</MsgId><Content>{text}</Content></xml>"
            );
            let request = http::Request::new(crate::assume(body));
            let answered = tower::ServiceExt::oneshot(service.clone(), request).await;
            drop(answered.unwrap());
        }
    };
    let recorded = recorded(send).await.lines();
    let found = recorded.iter().filter(|line| line.contains("differing"));
    let found: Vec<_> = found.collect();
    assert_eq!(found, ["differing_retries_total account= [1.0]"]);
}

/// The rows in the table of the docs whose name, type and labels are as `is_meant` says.
fn documented_where(is_meant: impl Fn(&str, &str, &str) -> bool) -> BTreeSet<String> {
    let docs = include_str!("../../../src/metrics.rs");
    let rows = docs
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `tower_wechat_"));
    let rows = rows.filter_map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let name = cells[0].trim_end_matches('`');
        is_meant(name, cells[1], cells[2]).then(|| name.to_owned())
    });
    rows.collect()
}

fn without_labels(names: &BTreeSet<String>) -> BTreeSet<String> {
    let names = names.iter().map(|name| name.split(' ').next().unwrap());
    names.map(str::to_owned).collect()
}

/// Otherwise `increase` would miss the first event.
#[tokio::test(start_paused = true)]
async fn counters_begin_before_the_first_event() {
    let of_accounts = documented_where(|name, kind, labels| {
        kind == "counter" && labels.starts_with("`account`") && name != "recognitions_total"
    });
    assert_eq!(of_accounts.len(), 10, "{of_accounts:#?}");
    let built = async || drop(VerifySignatureLayer::new(account()));
    let built = recorded(built).await.begun();
    assert_eq!(without_labels(&built), of_accounts);
    assert!(
        built
            .iter()
            .all(|name| name.contains(" account=post-office"))
    );
    for watched in [
        "hang_ups_total account=post-office",
        "late_parts_total account=post-office way=lost",
        "rejections_total account=post-office kind=signature",
    ] {
        assert!(built.contains(watched), "{watched}: {built:#?}");
    }

    // Of accounts that are picked, the layer knows no names. `begin` does.
    let picked = async || drop(VerifySignatureLayer::from_fn(|_| None));
    let picked = recorded(picked).await.begun();
    assert!(picked.contains("rejections_total account= kind=unknown_account"));
    assert!(picked.iter().all(|name| name.contains(" account= ")));
    let begun = async || tower_wechat::metrics::begin(&account());
    assert_eq!(recorded(begun).await.begun(), built);

    let described = recorded(async || tower_wechat::metrics::describe()).await;
    let of_nodes =
        documented_where(|_, _, labels| labels.is_empty() || labels.contains("`operation`"));
    assert_eq!(without_labels(&described.begun()), of_nodes);
}

/// At the end of each case above the gauges are zero again, so this one looks in between.
#[tokio::test(start_paused = true)]
async fn gauges_say_what_is_open_now() {
    let service = stack(&DedupLayer::in_memory());
    let recorder = recorder::Recorded::default();
    let guard = metrics::set_default_local_recorder(&recorder);
    let request = text("2");
    let look = async {
        sleep(Duration::from_secs(1)).await;
        recorder.lines()
    };
    let (status, lines) = tokio::join!(service.answer(&request), look);
    drop(guard);
    assert_eq!(status, Some(200));
    assert_eq!(lines, ["deliveries_open [1.0]", "runs_open [1.0]"]);
}

#[cfg(feature = "api")]
#[tokio::test(start_paused = true)]
async fn calls_of_the_api_are_counted() {
    assert_eq!(
        recorded(api_called).await.lines(),
        [
            "api_call_duration_seconds app_id=wx0f1e call=media/get [0.0]",
            "api_call_duration_seconds app_id=wx0f1e call=stable_token [0.0]",
            "api_calls_total app_id=wx0f1e call=media/get result=ok [1.0]",
            "api_calls_total app_id=wx0f1e call=stable_token result=ok [1.0]",
        ],
    );
}

#[cfg(feature = "api")]
async fn api_called() {
    let client = tower::service_fn(
        async |request: http::Request<tower_wechat::api::RequestBody>| {
            let token = r#"{"access_token":"7_a","expires_in":7200}"#;
            let is_media = request.uri().path().ends_with("media/get");
            let body = if is_media { "#!AMR\n" } else { token };
            Ok::<_, std::convert::Infallible>(http::Response::new(body.to_owned()))
        },
    );
    let api = tower_wechat::Api::new(client, "wx0f1e", "5ecre7").unwrap();
    api.media("Me1").await.unwrap();
}

#[cfg(feature = "api")]
#[tokio::test(start_paused = true)]
async fn recognitions_are_counted_by_their_results() {
    let lines = recorded(recognized).await.lines();
    check_tells_no_secret(&lines.join("\n"));
    let lines: Vec<_> = lines
        .into_iter()
        .filter(|line| line.starts_with("reco"))
        .collect();
    assert_eq!(
        lines,
        [
            "recognition_duration_seconds account=post-office [2.0, 2.0, 0.0]",
            "recognitions_total account=post-office result=fetch_media_id [1.0]",
            "recognitions_total account=post-office result=no_words [1.0]",
            "recognitions_total account=post-office result=recognized [1.0]",
            "recording_bytes account=post-office [6.0, 6.0]",
        ],
    );
}

/// Three voice messages. The first is recognized, the second has no words, and the third has no recording.
#[cfg(feature = "api")]
async fn recognized() {
    use crate::api::{Answer, MEDIA, WeChat, api};

    let kept = WeChat::new();
    let file = Answer::Http(200, "audio/amr", "#!AMR\n".into());
    kept.script(MEDIA, [file.clone(), file]);
    let said = std::sync::Arc::new(std::sync::Mutex::new(vec!["", CONTENT]));
    let recognizer = service_fn(move |_: tower_wechat::api::Recording| {
        let words = said.lock().unwrap().pop().unwrap();
        async move {
            sleep(Duration::from_secs(2)).await;
            Ok::<_, Infallible>(words.to_owned())
        }
    });
    let handler = tower_wechat::message_fn(async |_: Message| ANSWER);
    let handler = handler.recognize(api(&kept), recognizer);
    let service = overheard(VerifySignatureLayer::new(account()).layer(handler));
    for id in ["Vo1", "Vo2", "Vo3"] {
        let push = wechat().voice(id).from_user(OPENID).request().unwrap();
        assert_eq!(service.answer(&push).await, Some(200));
    }
}

#[cfg(feature = "api")]
#[tokio::test(start_paused = true)]
async fn the_recorded_metrics_are_described_and_documented() {
    let recorded = recorded(|| async {
        tower_wechat::metrics::describe();
        rejected().await;
        answered().await;
        acknowledged().await;
        without_the_store().await;
        unconfirmed().await;
        api_called().await;
        recognized().await;
    })
    .await;
    let docs = include_str!("../../../src/metrics.rs");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let documented = rows.map(|row| {
        let mut cells = row.split(" | ");
        let name = cells.next().unwrap().trim_end_matches('`');
        format!("{} {name}", cells.next().unwrap())
    });
    let documented: BTreeSet<_> = documented.collect();
    assert_eq!(documented.len(), 20, "{documented:#?}");
    assert_eq!(recorded.described(), documented);
    assert_eq!(recorded.names(), documented);
}
