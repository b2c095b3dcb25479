//! SCTP chunk types (RFC 9260, 3.2; RFC 8260).

pub const DATA: u8 = 0;
pub const INIT: u8 = 1;
pub const SACK: u8 = 3;
pub const HEARTBEAT: u8 = 4;
pub const COOKIE_ECHO: u8 = 10;
pub const I_DATA: u8 = 64;
/// No chunk: a packet without any.
pub const NONE: u8 = 255;
