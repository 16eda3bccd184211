//! The READMEs' first example.

include!(concat!(env!("OUT_DIR"), "/readme.rs"));
