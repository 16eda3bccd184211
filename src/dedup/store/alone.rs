use std::{convert::Infallible, future::ready, time::Duration};

use super::{Acknowledged, Claim, Completed, Owner, Store, Times};
use crate::dedup::{Key, Outcome};

/// The [`Store`] of a node that is alone: it remembers nothing and agrees to everything, since the node's
/// own table knows all there is.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Alone;

impl Store for Alone {
    type Error = Infallible;

    fn claim(
        &self,
        _key: Key,
        _owner: Owner,
        _times: Times,
    ) -> impl Future<Output = Result<Claim, Infallible>> + Send {
        ready(Ok(Claim::Run {
            age: Duration::ZERO,
            number: 1,
        }))
    }

    fn renew(
        &self,
        _key: Key,
        _owner: Owner,
        _number: u32,
        _times: Times,
    ) -> impl Future<Output = Result<bool, Infallible>> + Send {
        ready(Ok(true))
    }

    fn complete(
        &self,
        _key: Key,
        _owner: Owner,
        _outcome: &Outcome,
        acknowledged: bool,
        _times: Times,
    ) -> impl Future<Output = Result<Completed, Infallible>> + Send {
        ready(Ok(if acknowledged {
            Completed::Acknowledged
        } else {
            Completed::Kept
        }))
    }

    fn acknowledge(
        &self,
        _key: Key,
        _owner: Owner,
    ) -> impl Future<Output = Result<Acknowledged, Infallible>> + Send {
        ready(Ok(Acknowledged::Acknowledged))
    }

    fn release(
        &self,
        _key: Key,
        _owner: Owner,
    ) -> impl Future<Output = Result<bool, Infallible>> + Send {
        ready(Ok(true))
    }
}
