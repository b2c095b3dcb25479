//! netctl: access control and descriptors for virtual machines' network ports.
//!
//! Reading order, which is the path of a document: [`config`] (text to [`config::Config`]), [`compile`]
//! (to [`compile::Compiled`], pure), then what touches the host: [`kernel`] (BPF, the only user of aya),
//! [`network`] (interfaces, the only user of rtnetlink), [`fd`] (descriptors), [`vmm`] (who uses them).

pub mod compile;
pub mod config;
pub mod fd;
pub mod network;
pub mod vmm;
