//! Values of every type survive being written and read, in XML and in JSON.

use proptest::prelude::*;
use tower_wechat::{
    Message, Timestamp,
    message::{
        Event, EventMessage, FileMessage, ImageMessage, LinkMessage, LocationMessage,
        MiniProgramPageMessage, ShortVideoMessage, TextMessage, VideoMessage, VoiceMessage,
        event::*,
    },
    xml,
};

use super::{fixtures, generate::generate};

fn check(message: &Message) -> Result<(), TestCaseError> {
    let written = xml::to_string(message).expect("writes");
    match xml::from_str::<Message>(&written) {
        Ok(read) => prop_assert_eq!(&read, message, "{}", written),
        Err(error) => prop_assert!(false, "{}: {}", error, written),
    }
    let written = serde_json::to_string(message).expect("writes");
    match serde_json::from_str::<Message>(&written) {
        Ok(read) => prop_assert_eq!(&read, message, "{}", written),
        Err(error) => prop_assert!(false, "{}: {}", error, written),
    }
    Ok(())
}

macro_rules! messages {
    ($($variant:ident($type:ident)),* $(,)?) => {
        fn messages(seed: [u8; 32]) -> Vec<Message> {
            vec![$(Message::$variant(generate::<$type>(seed))),*]
        }
    };
}

messages! {
    Text(TextMessage), Image(ImageMessage), Voice(VoiceMessage), Video(VideoMessage),
    ShortVideo(ShortVideoMessage), Location(LocationMessage), Link(LinkMessage),
    MiniProgramPage(MiniProgramPageMessage), File(FileMessage),
}

macro_rules! events {
    ($($variant:ident($type:ty)),* $(,)?) => {
        fn events(seed: [u8; 32]) -> Vec<Event> {
            vec![$(Event::$variant(generate::<$type>(seed))),*]
        }
    };
}

events! {
    Subscribe(Subscribe), Unsubscribe(Unsubscribe), Scan(Scan), Enter(Enter),
    Location(Location), Click(Click), View(View), ViewMiniProgram(ViewMiniProgram),
    ScanCodePush(ScanCode), ScanCodeWaitMsg(ScanCode), PicSysPhoto(SendPics),
    PicPhotoOrAlbum(SendPics), PicWeixin(SendPics), LocationSelect(LocationSelect),
    TemplateSendJobFinish(TemplateSendJobFinish), MassSendJobFinish(Box<MassSendJobFinish>),
    PublishJobFinish(PublishJobFinish), SubscribeMsgPopup(SubscribeMsgPopup),
    SubscribeMsgChange(SubscribeMsgChange), SubscribeMsgSent(SubscribeMsgSent),
    QualificationVerifySuccess(Accreditation), QualificationVerifyFail(AccreditationFailure),
    NamingVerifySuccess(Accreditation), NamingVerifyFail(AccreditationFailure),
    AnnualRenew(Accreditation), VerifyExpired(Accreditation), KfCreateSession(KfSession),
    KfCloseSession(KfSession), KfSwitchSession(KfSwitchSession), CardPassCheck(CardPassCheck),
    CardNotPassCheck(CardNotPassCheck), CardMerchantCheckResult(CardMerchantCheckResult),
    CardSkuRemind(CardSkuRemind), CardPayOrder(Box<CardPayOrder>), UserGetCard(UserGetCard),
    UserGiftingCard(UserGiftingCard), UserDelCard(UserDelCard),
    UserConsumeCard(Box<UserConsumeCard>), UserPayFromPayCell(UserPayFromPayCell),
    UserViewCard(UserViewCard), UserEnterSessionFromCard(UserEnterSessionFromCard),
    UpdateMemberCard(UpdateMemberCard), SubmitMemberCardUserInfo(SubmitMemberCardUserInfo),
    GiftCardPayDone(GiftCardPayDone), GiftCardSendToFriend(GiftCardSendToFriend),
    GiftCardUserAccept(GiftCardUserAccept), UserAuthorizeInvoice(UserAuthorizeInvoice),
    UpdateInvoiceStatus(UpdateInvoiceStatus), CloudInvoiceResult(CloudInvoiceResult),
    MerchantOrder(MerchantOrder), PoiCheckNotify(PoiCheckNotify),
    AddStoreAuditInfo(AddStoreAuditInfo), ModifyStoreAuditInfo(StoreAudit),
    ApplyMerchantAuditInfo(StoreAudit), CreateMapPoiAuditInfo(CreateMapPoiAuditInfo),
    WifiConnected(WifiConnected), ShakearoundUserShake(ShakearoundUserShake),
    UserScanProduct(UserScanProduct), UserScanProductEnterSession(UserScanProductEnterSession),
    UserScanProductAsync(UserScanProductAsync),
    UserScanProductVerifyAction(UserScanProductVerifyAction), GuideQrcodeScan(GuideQrcodeScan),
    UserInfoModified(UserInfoModified), UserAuthorizationRevoke(UserAuthorization),
    UserAuthorizationCancellation(UserAuthorization),
    UserEnterTempsession(UserEnterTempsession), WxaMediaCheck(Box<WxaMediaCheck>),
    WeappAuditSuccess(WeappAuditSuccess), WeappAuditFail(WeappAuditFail),
    WeappAuditDelay(WeappAuditDelay), WxaNicknameAudit(WxaNicknameAudit),
    WxaCategoryAudit(WxaCategoryAudit), WxaPrivacyApply(WxaPrivacyApply),
    WxaIllegalRecord(WxaIllegalRecord), WxaAppealRecord(Box<WxaAppealRecord>),
    AddExpressPath(AddExpressPath), SubmitInvoiceTitle(Box<SubmitInvoiceTitle>),
    AddNearbyPoiAuditInfo(NearbyAudit), NearbyCategoryAuditInfo(NearbyAudit),
    WxVerifyPaySucc(WxVerifyPaySucc), WxVerifyDispatch(WxVerifyDispatch),
    TradeManageRemindAccessApi(TradeManageRemindAccessApi),
    TradeManageRemindShipping(TradeManageRemindShipping),
    TradeManageOrderSettlement(Box<TradeManageOrderSettlement>),
    RetailRefundNotify(Box<RetailRefundNotify>),
    ChargeServiceQuotaNotify(ChargeServiceQuotaNotify), SecvodUpload(SecvodUpload),
    SecvodAudit(SecvodAudit), SecbookAudit(SecbookAudit),
    WxaliveFollowNotify(WxaliveFollowNotify),
    WxalivePushMessageNotify(WxalivePushMessageNotify), WxaCommentBadScore(WxaCommentBadScore),
    XpayGoodsDeliverNotify(Box<XpayGoodsDeliverNotify>), XpayCoinPayNotify(Box<XpayCoinPayNotify>),
    XpayRefundNotify(Box<XpayRefundNotify>), XpayComplaintNotify(Box<XpayComplaintNotify>),
    XpayWxpayCallbackNotify(Box<XpayWxpayCallbackNotify>),
    XpaySubscribeSigningResultNotify(XpaySubscribeSigningResultNotify),
    XpayAppleSubscribeSigningResultNotify(XpaySubscribeSigningResultNotify),
    XpaySubscribePayFailNotify(XpaySubscribePayFailNotify),
    XpaySubscribeIosRefundQueryNotify(Box<XpaySubscribeIosRefundQueryNotify>),
    MinigameCoinDeliverCompleted(MinigameCoinDeliverCompleted), EnterAgent(EnterAgent),
    TaskcardClick(TaskcardClick), TemplateCard(TemplateCardEvent),
    TemplateCardMenu(TemplateCardEvent),
    BatchJobResult(BatchJobResult), KfMsgOrEvent(KfMsgOrEvent),
    OpenApprovalChange(OpenApprovalChange), SysApprovalChange(SysApprovalChange),
}

/// Those that a ChangeType names, each with its file.
fn changes(seed: [u8; 32]) -> Vec<(&'static str, Event)> {
    macro_rules! changes {
        ($($change:ident::$variant:ident: $name:literal),* $(,)?) => {
            vec![$(($name, Event::$change($change::$variant(generate(seed))))),*]
        };
    }
    changes! {
        ChangeContact::CreateUser: "change_contact.create_user",
        ChangeContact::UpdateUser: "change_contact.update_user",
        ChangeContact::DeleteUser: "change_contact.delete_user",
        ChangeContact::CreateParty: "change_contact.create_party",
        ChangeContact::UpdateParty: "change_contact.update_party",
        ChangeContact::DeleteParty: "change_contact.delete_party",
        ChangeContact::UpdateTag: "change_contact.update_tag",
        ChangeExternalContact::AddExternalContact: "change_external_contact.add_external_contact",
        ChangeExternalContact::EditExternalContact: "change_external_contact.edit_external_contact",
        ChangeExternalContact::AddHalfExternalContact:
            "change_external_contact.add_half_external_contact",
        ChangeExternalContact::DelExternalContact: "change_external_contact.del_external_contact",
        ChangeExternalContact::DelFollowUser: "change_external_contact.del_follow_user",
        ChangeExternalContact::TransferFail: "change_external_contact.transfer_fail",
        ChangeExternalContact::MsgAuditApproved: "change_external_contact.msg_audit_approved",
    }
}

#[test]
fn every_event_with_a_fixture_is_generated() {
    let seed = [7; 32];
    let names = events(seed)
        .into_iter()
        .map(|event| event.name().to_lowercase());
    let changes = changes(seed).into_iter().map(|(name, _)| name.to_owned());
    let mut generated: Vec<_> = names.chain(changes).collect();
    generated.sort();
    let mut fixtures: Vec<_> = fixtures::events()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    fixtures.sort();
    assert_eq!(generated, fixtures);
}

proptest! {
    // Each case is about every type.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn messages_survive(seed: [u8; 32]) {
        for message in messages(seed) {
            check(&message)?;
        }
    }

    #[test]
    fn events_survive(
        seed: [u8; 32],
        to_user_name in "[a-z_]{0,8}",
        from_user_name in prop::option::of("[a-zA-Z]{1,8}"),
        create_time: u64,
        agent_id in prop::option::of("[0-9]{1,8}"),
        app_type in prop::option::of("[a-z]{1,8}"),
    ) {
        let changes = changes(seed).into_iter().map(|(_, change)| change);
        for event in events(seed).into_iter().chain(changes) {
            let mut message = EventMessage::default();
            message.to_user_name.clone_from(&to_user_name);
            message.from_user_name.clone_from(&from_user_name);
            message.create_time = Timestamp::from_secs(create_time);
            message.agent_id.clone_from(&agent_id);
            message.app_type.clone_from(&app_type);
            message.event = event;
            check(&Message::Event(message))?;
        }
    }
}
