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

use super::{fixtures::fixtures, generate::generate};

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
    TemplateSendJobFinish(TemplateSendJobFinish), MassSendJobFinish(MassSendJobFinish),
    PublishJobFinish(PublishJobFinish), SubscribeMsgPopup(SubscribeMsgPopup),
    SubscribeMsgChange(SubscribeMsgChange), SubscribeMsgSent(SubscribeMsgSent),
    QualificationVerifySuccess(Accreditation), QualificationVerifyFail(AccreditationFailure),
    NamingVerifySuccess(Accreditation), NamingVerifyFail(AccreditationFailure),
    AnnualRenew(Accreditation), VerifyExpired(Accreditation), KfCreateSession(KfSession),
    KfCloseSession(KfSession), KfSwitchSession(KfSwitchSession), CardPassCheck(CardPassCheck),
    CardNotPassCheck(CardNotPassCheck), CardMerchantCheckResult(CardMerchantCheckResult),
    CardSkuRemind(CardSkuRemind), CardPayOrder(CardPayOrder), UserGetCard(UserGetCard),
    UserGiftingCard(UserGiftingCard), UserDelCard(UserDelCard),
    UserConsumeCard(UserConsumeCard), UserPayFromPayCell(UserPayFromPayCell),
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
    UserEnterTempsession(UserEnterTempsession), WxaMediaCheck(WxaMediaCheck),
    WeappAuditSuccess(WeappAuditSuccess), WeappAuditFail(WeappAuditFail),
    WeappAuditDelay(WeappAuditDelay), WxaNicknameAudit(WxaNicknameAudit),
    WxaCategoryAudit(WxaCategoryAudit), WxaPrivacyApply(WxaPrivacyApply),
    WxaIllegalRecord(WxaIllegalRecord), WxaAppealRecord(WxaAppealRecord),
    AddExpressPath(AddExpressPath), SubmitInvoiceTitle(SubmitInvoiceTitle),
    AddNearbyPoiAuditInfo(NearbyAudit), NearbyCategoryAuditInfo(NearbyAudit),
    WxVerifyPaySucc(WxVerifyPaySucc), WxVerifyDispatch(WxVerifyDispatch),
    TradeManageRemindAccessApi(TradeManageRemindAccessApi),
    TradeManageRemindShipping(TradeManageRemindShipping),
    TradeManageOrderSettlement(TradeManageOrderSettlement),
    RetailRefundNotify(Box<RetailRefundNotify>),
    ChargeServiceQuotaNotify(ChargeServiceQuotaNotify), SecvodUpload(SecvodUpload),
    SecvodAudit(SecvodAudit), SecbookAudit(SecbookAudit),
    WxaliveFollowNotify(WxaliveFollowNotify),
    WxalivePushMessageNotify(WxalivePushMessageNotify), WxaCommentBadScore(WxaCommentBadScore),
    XpayGoodsDeliverNotify(XpayGoodsDeliverNotify), XpayCoinPayNotify(XpayCoinPayNotify),
    XpayRefundNotify(Box<XpayRefundNotify>), XpayComplaintNotify(XpayComplaintNotify),
    XpayWxpayCallbackNotify(XpayWxpayCallbackNotify),
    XpaySubscribeSigningResultNotify(XpaySubscribeSigningResultNotify),
    XpayAppleSubscribeSigningResultNotify(XpaySubscribeSigningResultNotify),
    XpaySubscribePayFailNotify(XpaySubscribePayFailNotify),
    XpaySubscribeIosRefundQueryNotify(XpaySubscribeIosRefundQueryNotify),
    MinigameCoinDeliverCompleted(MinigameCoinDeliverCompleted),
}

#[test]
fn every_event_with_a_fixture_is_generated() {
    let mut generated: Vec<_> = events([7; 32])
        .iter()
        .map(|event| event.name().to_lowercase())
        .collect();
    generated.sort();
    let fixtures: Vec<_> = fixtures("event")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
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
    ) {
        for event in events(seed) {
            let mut message = EventMessage::default();
            message.to_user_name.clone_from(&to_user_name);
            message.from_user_name.clone_from(&from_user_name);
            message.create_time = Timestamp::from_secs(create_time);
            message.event = event;
            check(&Message::Event(message))?;
        }
    }
}
