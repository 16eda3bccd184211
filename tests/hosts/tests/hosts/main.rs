//! The finished stack, and the layers alone, on each host; the examples as they stand.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

mod actix;
mod axum;
mod hyper;
mod lambda;
mod poem;
mod salvo;
mod shutdown;
mod warp;
