//! Ports handed over as sockets: the frames cross the port's programs, whatever the VMM does. As root; every test is in
//! network and mount namespaces of its own.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "sockets/hostile.rs"]
mod hostile;
#[path = "sockets/lab.rs"]
mod lab;
#[path = "sockets/life.rs"]
mod life;
#[path = "sockets/real.rs"]
mod real;
#[path = "sockets/refused.rs"]
mod refused;
#[path = "sockets/talk.rs"]
mod talk;
