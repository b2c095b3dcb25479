//! netctl: access control and descriptors for virtual machines' network ports.
//!
//! Reading order, which is the path of a document: [`config`] (text to [`config::Config`]), [`compile`]
//! (to [`compile::Compiled`], pure), [`document`] (both, from a file), then what touches the host: [`kernel`] (BPF,
//! the only user of aya), [`network`] (interfaces, the only user of rtnetlink), [`apply`] and [`upgrade`] (both, in order), [`fd`]
//! (descriptors), [`vmm`] (who uses them), [`helper`] (who may, without being root). [`state`] reads back what runs, [`names`] puts it into the document's words,
//! [`explain`] asks it, [`policy`] says what it comes to as a whole. [`cli`] and [`cmd`] are the command line, [`output`] and [`error`] its two ways out.

pub mod apply;
pub mod capture;
pub mod cli;
pub mod cmd;
pub mod compile;
pub mod config;
pub mod diff;
pub mod document;
pub mod error;
pub mod explain;
pub mod fault;
pub mod fd;
pub mod helper;
pub mod kernel;
pub mod learn;
pub mod libvirt;
pub mod metrics;
pub mod names;
pub mod network;
pub mod output;
pub mod policy;
pub mod state;
pub mod told;
pub mod top;
pub mod upgrade;
pub mod vmm;
pub mod would;
