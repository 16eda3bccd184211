//! Ttls: one type, read from any form that WeChat uses, and converted without a panic.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde::Deserialize;
use tower_wechat::{
    Message, Timestamp,
    message::Event,
    xml::{self, ErrorKind, Value},
};

use super::{event, message, read, read_event};

#[derive(Debug, PartialEq, Deserialize)]
struct Ttls {
    at: Timestamp,
}

#[test]
fn it_reads_all_forms_of_a_number() {
    let expected = Ttls {
        at: Timestamp::from_secs(1_717_500_123),
    };
    for at in [
        "1717500123",
        " 1717500123\n",
        "<![CDATA[1717500123]]>",
        "<![CDATA[ 1717500123 ]]>",
    ] {
        let document = format!("<xml><at>{at}</at></xml>");
        assert_eq!(read::<Ttls>(&document), expected, "{document}");
        let value: Value = read(&document);
        assert_eq!(value.read::<Ttls>().expect("reads"), expected);
    }
    for json in [r#"{"at":1717500123}"#, r#"{"at":"1717500123"}"#] {
        let times: Ttls = serde_json::from_str(json).expect("reads");
        assert_eq!(times, expected, "{json}");
    }
}

#[test]
fn another_text_is_an_error() {
    for at in [
        "soon",
        "-1",
        "1.5",
        "",
        "<![CDATA[]]>",
        "18446744073709551616",
    ] {
        let document = format!("<xml><at>{at}</at></xml>");
        let error = xml::from_str::<Ttls>(&document).expect_err(&document);
        assert_eq!(
            (error.kind(), error.path()),
            (ErrorKind::Number, "xml.at"),
            "{error}"
        );
    }
}

#[test]
fn it_is_written_as_a_number() {
    let at = Timestamp::from_secs(1_717_500_123);
    assert_eq!(at.to_string(), "1717500123");
    assert_eq!(serde_json::to_string(&at).expect("writes"), "1717500123");
    let text: Message = read(&message("text", "<Content>a</Content>"));
    let written = xml::to_string(&text).expect("writes");
    assert!(
        written.contains("<CreateTime>1717500123</CreateTime>"),
        "{written}"
    );
}

#[test]
fn an_optional_time_may_be_empty() {
    for (empty, expected) in [
        ("<PayFinishTime/>", None),
        ("<PayFinishTime><![CDATA[ ]]></PayFinishTime>", None),
        ("", None),
        (
            "<PayFinishTime>7</PayFinishTime>",
            Some(Timestamp::from_secs(7)),
        ),
    ] {
        let fields = format!("<OrderId>1</OrderId><Status>s</Status>{empty}");
        let Event::CardPayOrder(order) = read_event(&event("card_pay_order", &fields)).event else {
            panic!("no order");
        };
        assert_eq!(order.pay_finish_time, expected, "{empty}");
    }
}

#[test]
fn the_ends_of_time_saturate() {
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(Timestamp::from(before), Timestamp::default());

    let last = SystemTime::from(Timestamp::from_secs(u64::MAX));
    assert_eq!(last.checked_add(Duration::from_secs(1)), None);
    let secs = Timestamp::from(last).as_secs();
    assert_eq!(SystemTime::from(Timestamp::from_secs(secs)), last);
    assert!(SystemTime::from(Timestamp::from_secs(secs - 1)) < last);
}

#[test]
fn now_is_the_machines_time() {
    let before = SystemTime::now();
    let now = SystemTime::from(Timestamp::now());
    assert!(now <= SystemTime::now());
    assert!(now + Duration::from_secs(1) > before);
}

proptest! {
    #[test]
    fn a_system_time_keeps_its_second(secs in 0_u64..1 << 36, nanos in 0_u32..1_000_000_000) {
        let time = SystemTime::UNIX_EPOCH + Duration::new(secs, nanos);
        prop_assert_eq!(Timestamp::from(time).as_secs(), secs);
        let whole = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        prop_assert_eq!(SystemTime::from(Timestamp::from_secs(secs)), whole);
    }

    #[test]
    fn any_time_converts_and_keeps_its_order(one: u64, other: u64) {
        let (first, second) = (one.min(other), one.max(other));
        let [first, second] = [first, second].map(Timestamp::from_secs);
        prop_assert!(first <= second);
        prop_assert!(SystemTime::from(first) <= SystemTime::from(second));
    }
}
