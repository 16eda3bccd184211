use tokio::time::Instant;

use super::*;
use crate::{
    dedup::{
        store::{Claim, ClaimId, Ttls},
        table::Admission,
    },
    response::StoredResponse,
};

const DEFAULTS: (usize, usize, usize) = (100_000, 16 * 1024 * 1024, 1024);

fn shards((messages, reply_bytes, max_runs): (usize, usize, usize)) -> Shards {
    let bounds = Bounds {
        messages,
        reply_bytes,
        spares_unfetched: true,
    };
    Shards::new(&bounds, 1, max_runs)
}

/// A shard has room for all messages that may run, and for the largest reply.
#[test]
fn there_are_as_many_as_have_room() {
    let (messages, bytes, runs) = DEFAULTS;
    for (settings, count) in [
        (DEFAULTS, 4),
        ((messages, 10 * bytes, runs), 16),
        ((messages, bytes, 50_000), 2),
        ((messages, bytes, 50_001), 1),
        ((8192, bytes, 0), 2),
        ((8191, bytes, 0), 1),
        ((messages, 8 * RESPONSE_LIMIT, runs), 2),
        ((messages, 8 * RESPONSE_LIMIT - 1, runs), 1),
        ((1, 0, 1), 1),
        ((usize::MAX, usize::MAX, 1), 16),
    ] {
        assert_eq!(shards(settings).count(), count, "{settings:?}");
    }
}

/// Keys are spread so evenly that no shard is full long before all of them are.
#[test]
fn nearly_as_many_messages_as_all_have_room_for_are_known() {
    let (shards, now) = (shards(DEFAULTS), Instant::now());
    let reply = StoredResponse::new(http::StatusCode::OK, None, "");
    let claims = |message: u32| {
        let key = Key::new([message.to_be_bytes()]);
        let ttls = Ttls::new(std::time::Duration::from_mins(10));
        let admission = shards.lock(key).claim(key, ttls, now, now, || Ok(()));
        if let Admission::Run(waiting, ..) = &admission {
            let claim = waiting.task().claim;
            shards.lock(key).complete(claim, Some(&reply), now);
            let delivered = Claim::new(key, ClaimId::DELIVERED, ttls);
            shards.lock(key).acknowledge(delivered, None, now);
        }
        matches!(admission, Admission::Run(..))
    };
    for message in 0..95_000 {
        assert!(claims(message), "{message} is new");
    }
    for message in 0..95_000 {
        assert!(!claims(message), "{message} is known");
    }
}
