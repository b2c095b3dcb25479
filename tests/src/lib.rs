//! What netctl's tests, its demo and its benchmark stand on: frames of any shape ([`frame`]).
//! Nothing here knows what a policy means.

pub mod frame;
