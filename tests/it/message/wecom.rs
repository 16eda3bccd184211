//! WeCom: an app's messages and events beside those of an Official Account.

use http::Request;
use tower::ServiceExt;
use tower_wechat::{
    Message, Reply, Timestamp,
    message::{Event, Head, OtherMessage, event::ChangeContact, wecom::SuiteMessage},
    message_fn,
    reply::{Addressing, Article, ErrorKind},
};

use super::{
    event,
    fixtures::{events, fixtures},
    message, read, read_event,
};

#[test]
fn the_app_stands_beside_a_messages_fields() {
    for (name, document) in fixtures("wecom_message") {
        let (agent_id, app_type) = match read(&document) {
            Message::Text(text) => (text.agent_id, text.app_type),
            Message::Image(image) => (image.agent_id, image.app_type),
            Message::Voice(voice) => (voice.agent_id, voice.app_type),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(agent_id.as_deref(), Some("1000007"), "{name}");
        assert_eq!(app_type.as_deref(), Some("wxwork"), "{name}");
    }
}

/// Whatever the event, and whether it has a type.
#[test]
fn the_app_stands_beside_an_events_fields() {
    let other = event(
        "made_up",
        "<AgentID>1000007</AgentID><AppType>wxwork</AppType>",
    );
    let documents = fixtures("wecom").into_iter().map(|(_, document)| document);
    for document in documents.chain([other]) {
        let event = read_event(&document);
        assert_eq!(event.agent_id.as_deref(), Some("1000007"), "{document}");
        assert_eq!(event.app_type.as_deref(), Some("wxwork"), "{document}");
        let head = Head::read(document.as_bytes()).expect("reads");
        assert_eq!(head.agent_id(), Some("1000007"));
    }
    for (name, document) in fixtures("event") {
        assert_eq!(read_event(&document).agent_id, None, "{name}");
    }
}

/// WeCom leaves the id empty where there is no app.
#[test]
fn an_empty_app_is_none() {
    let event = read_event(&event("enter_agent", "<AgentID><![CDATA[]]></AgentID>"));
    assert_eq!(event.agent_id, None);
    assert!(matches!(event.event, Event::EnterAgent(_)));
}

#[test]
fn an_option_is_read_under_its_right_name_too() {
    let (_, document) = events()
        .into_iter()
        .find(|(name, _)| name == "template_card_event")
        .expect("its fixture");
    let Event::TemplateCard(card) = read_event(&document).event else {
        panic!("no card");
    };
    assert_eq!(card.selected_items.selected_item.len(), 2);
    let options = &card.selected_items.selected_item[1].option_ids.option_id;
    assert_eq!(options, &["o1", "o2"]);
    let spelt = document.replace("Opiton", "Option");
    assert_eq!(read_event(&spelt).event, Event::TemplateCard(card));
}

#[tokio::test]
async fn an_unknown_change_arrives_with_all_fields() {
    for change in ["<ChangeType>made_up</ChangeType>", "<ChangeType/>", ""] {
        let document = event("change_contact", &format!("{change}<A>1</A>"));
        let event = read_event(&document);
        let other = event.other().expect("unknown");
        assert_eq!(other.fields()["A"].as_str(), Some("1"));
        let misfit = other.misfit().expect("a reason");
        assert!(
            misfit.to_string().contains("ChangeType") || misfit.to_string().contains("made_up")
        );
        let service = message_fn(|message: Message| async move {
            assert!(message.other().is_some());
        });
        let response = service.oneshot(Request::new(crate::assume(document))).await;
        let response = response.expect("infallible");
        assert_eq!(
            (response.status().as_u16(), response.body().as_bytes()),
            (200, &b"success"[..])
        );
        let suite =
            format!("<xml><SuiteId>ww1</SuiteId><InfoType>change_contact</InfoType>{change}</xml>");
        let suite: SuiteMessage = read(&suite);
        assert!(suite.other().and_then(OtherMessage::misfit).is_some());
    }
}

#[test]
fn a_change_says_its_type() {
    for (name, document) in fixtures("wecom") {
        if let Event::ChangeContact(change) = read_event(&document).event {
            assert_eq!(name, format!("change_contact.{}", change.change_type()));
            let is_user = matches!(
                change,
                ChangeContact::CreateUser(_)
                    | ChangeContact::UpdateUser(_)
                    | ChangeContact::DeleteUser(_)
            );
            assert_eq!(is_user, name.ends_with("_user"), "{name}");
        }
    }
}

#[test]
fn a_reply_to_an_app_may_have_several_articles() {
    let article = || Article::new("t", "d", "p", "u");
    let news = Reply::news([article(), article()]);
    let text = message("text", "<Content>a</Content><AgentID>7</AgentID>");
    for (document, expected) in [
        (text.clone(), Ok(())),
        (
            text.replace("AgentID", "Agent"),
            Err(ErrorKind::ArticleCount),
        ),
    ] {
        let head = Head::read(document.as_bytes()).expect("reads");
        let rendered = news.render(&Addressing::answering(&head), Timestamp::from_secs(7));
        assert_eq!(rendered.map(drop).map_err(|error| error.kind()), expected);
    }
}

#[test]
fn a_card_that_cannot_be_changed_is_an_error() {
    let card = std::collections::HashMap::from([("a b", 1)]);
    let tap = event("template_card_event", "<AgentID>7</AgentID>");
    let head = Head::read(tap.as_bytes()).expect("reads");
    let rendered =
        Reply::template_card(&card).render(&Addressing::answering(&head), Timestamp::from_secs(7));
    assert_eq!(rendered.expect_err("no name").kind(), ErrorKind::Unwritable);
    let error = Reply::update_button(" ").check().expect_err("no name");
    assert_eq!(error.kind(), ErrorKind::TextEmpty);
}
