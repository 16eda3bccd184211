//! Deliveries and runs, each observed from its beginning to its end.

mod delivery;
mod outcome;
mod runs;

use outcome::{Known, Outcome};

pub(crate) use self::{
    delivery::{Deduped, Delivery},
    runs::Runs,
};
