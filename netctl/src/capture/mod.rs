//! Captured frames: what was decided about each in the document's words, and the file that holds both.

pub mod clock;
pub mod file;
mod pcapng;
pub mod row;

pub use file::CaptureFile;
pub use row::CaptureRow;
