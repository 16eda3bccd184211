//! The error codes that WeChat answers.

/// A failed call: WeChat's `errcode` and `errmsg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Refusal {
    pub(super) errcode: i64,
    pub(super) errmsg: &'static str,
}

/// Makes a constant for each code.
macro_rules! refusals {
    ($($name:ident: $errcode:literal $errmsg:literal,)*) => {
        impl Refusal {
            $(pub(in super::super) const $name: Self = Self::new($errcode, $errmsg);)*
        }
    };
}

impl Refusal {
    pub(super) const fn new(errcode: i64, errmsg: &'static str) -> Self {
        Self { errcode, errmsg }
    }
}

refusals! {
    BUSY: -1 "system error",
    TOKEN: 40_001 "invalid credential, access_token is invalid or not latest",
    GRANT_TYPE: 40_002 "invalid grant_type",
    OPENID: 40_003 "invalid openid",
    MEDIA_TYPE: 40_004 "invalid media type",
    FILE_TYPE: 40_005 "invalid file type",
    MEDIA_SIZE: 40_006 "invalid media size",
    MEDIA_ID: 40_007 "invalid media_id",
    MESSAGE_TYPE: 40_008 "invalid message type",
    APP_ID: 40_013 "invalid appid",
    RESPONSE_CODE: 40_058 "invalid response_code",
    URL: 40_066 "invalid url",
    APP_SECRET: 40_125 "invalid appsecret",
    TOKEN_MISSING: 41_001 "access_token missing",
    APP_ID_MISSING: 41_002 "appid missing",
    APP_SECRET_MISSING: 41_004 "appsecret missing",
    MEDIA_MISSING: 41_005 "media data missing",
    TOKEN_EXPIRED: 42_001 "access_token expired",
    GET_REQUIRED: 43_001 "require GET method",
    POST_REQUIRED: 43_002 "require POST method",
    BODY_EMPTY: 44_002 "empty post data",
    NEWS_EMPTY: 44_003 "empty news data",
    TEXT_EMPTY: 44_004 "empty content",
    TEXT_SIZE: 45_002 "content size out of limit",
    ARTICLES: 45_008 "article size out of limit",
    DAY_LIMIT: 45_009 "reach max api daily quota limit",
    MINUTE_LIMIT: 45_011 "api minute-quota reach limit, must slower, retry next minute",
    WINDOW: 45_015 "response out of time limit or subscription is canceled",
    QUOTA: 45_047 "out of response count limit",
    COMMAND: 45_072 "invalid command",
    TYPING_WINDOW: 45_080 "no interaction with the user within 30 seconds",
    TYPING_ALREADY: 45_081 "typing is shown already",
    JSON: 47_001 "data format error",
    UNAUTHORIZED: 48_001 "api unauthorized",
}
