//! Guides: one page for each question that a bot's developer has.
//!
//! | guide | what it says |
//! |---|---|
//! | [`voice`] | recordings, recognizers, failures, accounts that may not fetch |
//! | [`retries`] | what happens to a message, and which guarantees hold |
//! | [`late`] | replies that are late or too long |
//! | [`nodes`] | several nodes, Redis, another database |
//! | [`going_live`] | a checklist: mode, proxy, clock, shutdown, monitoring |
//! | [`testing`] | your own tests with the simulator |
//! | [`parts`] | the signature check alone, the types alone |
//! | [`without_tower`] | any framework: the whole stack as a function, and the pure functions |
//! | [`migrating`] | the names that wechatpy and `WxJava` use |
//! | [`comparison`] | how other SDKs handle the same input |
//! | [`figures`] | times, and what was tried |
//!
//! [`zh`] has them in Chinese. This module exists in the docs alone.

#[doc = include_str!("comparison.md")]
pub mod comparison {}

#[doc = include_str!("figures.md")]
pub mod figures {}

#[doc = include_str!("going_live.md")]
pub mod going_live {}

#[doc = include_str!("late.md")]
pub mod late {}

#[doc = include_str!("migrating.md")]
pub mod migrating {}

#[doc = include_str!("nodes.md")]
pub mod nodes {}

#[doc = include_str!("parts.md")]
pub mod parts {}

#[doc = include_str!("retries.md")]
pub mod retries {}

#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("voice.md")]
pub mod voice {}

#[doc = include_str!("without_tower.md")]
pub mod without_tower {}

/// 中文指南。
///
/// | 指南 | 内容 |
/// |---|---|
/// | [`voice`](zh::voice) | 语音：录音、识别器、失败、无权下载录音的账号 |
/// | [`retries`](zh::retries) | 一条消息会经历什么，有哪些保证 |
/// | [`late`](zh::late) | 超时回复与超长回复 |
/// | [`nodes`](zh::nodes) | 多个节点、Redis、其他数据库 |
/// | [`going_live`](zh::going_live) | 上线清单：模式、代理、时钟、停机、监控 |
/// | [`testing`](zh::testing) | 用模拟器测试你自己的机器人 |
/// | [`parts`](zh::parts) | 只用签名校验，或只用类型 |
/// | [`without_tower`](zh::without_tower) | 任何框架：把整个服务当作函数调用，以及纯函数 |
/// | [`migrating`](zh::migrating) | wechatpy 和 `WxJava` 的叫法 |
/// | [`comparison`](zh::comparison) | 其他 SDK 如何处理同样的输入 |
/// | [`figures`](zh::figures) | 性能，以及做过的试验 |
pub mod zh {
    #[doc = include_str!("zh/comparison.md")]
    pub mod comparison {}

    #[doc = include_str!("zh/figures.md")]
    pub mod figures {}

    #[doc = include_str!("zh/going_live.md")]
    pub mod going_live {}

    #[doc = include_str!("zh/late.md")]
    pub mod late {}

    #[doc = include_str!("zh/migrating.md")]
    pub mod migrating {}

    #[doc = include_str!("zh/nodes.md")]
    pub mod nodes {}

    #[doc = include_str!("zh/parts.md")]
    pub mod parts {}

    #[doc = include_str!("zh/retries.md")]
    pub mod retries {}

    #[doc = include_str!("zh/testing.md")]
    pub mod testing {}

    #[doc = include_str!("zh/voice.md")]
    pub mod voice {}

    #[doc = include_str!("zh/without_tower.md")]
    pub mod without_tower {}
}
