//! Every type is read in linear time, whatever is repeated in it and wherever its name stands.

use super::{Head, Message, event, from_slice, parses};
use crate::xml::tests::check_linear;

const HEAD: &str = "<ToUserName>gh_1</ToUserName><CreateTime>7</CreateTime>";

fn check_every_order(kind: &str, repeated: &str) {
    check_linear::<Message>(|size| format!("<xml>{HEAD}{kind}{}</xml>", repeated.repeat(size)));
    check_linear::<Message>(|size| format!("<xml>{HEAD}{}{kind}</xml>", repeated.repeat(size)));
    check_linear::<Message>(|size| {
        let half = repeated.repeat(size / 2);
        format!("<xml>{half}{kind}{half}{HEAD}</xml>")
    });
}

#[test]
fn every_message() {
    for name in [
        "text",
        "image",
        "voice",
        "video",
        "shortvideo",
        "location",
        "link",
        "miniprogrampage",
        "file",
        "made_up",
    ] {
        let kind = format!("<MsgType>{name}</MsgType>");
        check_every_order(&kind, "<MediaId>1</MediaId><a/>");
    }
}

#[test]
fn every_event() {
    for name in event::names().chain(["made_up"]) {
        let kind = format!("<MsgType>event</MsgType><Event>{name}</Event>");
        check_every_order(
            &kind,
            "<material><proof_material_id/></material><List/><detail>x</detail>",
        );
    }
}

#[test]
fn every_list() {
    for (name, open, member, close) in [
        (
            "pic_weixin",
            "<SendPicsInfo><Count>1</Count><PicList>",
            "<item><PicMd5Sum>1</PicMd5Sum></item>",
            "</PicList></SendPicsInfo>",
        ),
        (
            "PUBLISHJOBFINISH",
            "<PublishEventInfo><publish_id>1</publish_id>",
            "<fail_idx>1</fail_idx><x/>",
            "</PublishEventInfo>",
        ),
        (
            "subscribe_msg_popup_event",
            "<SubscribeMsgPopupEvent>",
            "<List><TemplateId/></List><x/>",
            "</SubscribeMsgPopupEvent>",
        ),
        (
            "ShakearoundUserShake",
            "<AroundBeacons>",
            "<AroundBeacon><Uuid/></AroundBeacon><x/>",
            "</AroundBeacons>",
        ),
        (
            "wxa_appeal_record",
            "",
            "<material><appeal_material><proof_material_id/></appeal_material></material><x/>",
            "",
        ),
    ] {
        let kind = format!("<MsgType>event</MsgType><Event>{name}</Event>");
        check_linear::<Message>(|size| {
            format!(
                "<xml>{HEAD}{kind}{open}{}{close}</xml>",
                member.repeat(size)
            )
        });
        check_linear::<Message>(|size| {
            format!(
                "<xml>{open}{}{close}{kind}{HEAD}</xml>",
                member.repeat(size)
            )
        });
    }
}

#[test]
fn parses_are_counted() {
    let body = b"<xml><MsgType>text</MsgType></xml>";
    let before = (parses::heads(), parses::messages());
    let head = Head::read(body).expect("reads");
    // An accessor or a clone parses nothing.
    assert_eq!(head.clone().msg_type(), Some("text"));
    let _ = from_slice::<Message>(body);
    let after = (parses::heads(), parses::messages());
    assert_eq!(after, (before.0 + 1, before.1 + 1));
}
