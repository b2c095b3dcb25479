//! Programs on kernels without tcx: filters of the interface's clsact qdisc, which stay with it by themselves.
//!
//! What netctl puts there is written down first, as [`Mark`]s beside the links, so that it can be taken off an interface
//! that is not netctl's; nothing else on that interface is touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_add_clsact};
use aya::programs::{ProgramError, SchedClassifier, TcAttachType};

use super::attach::{Place, has_errno};
use super::pins::{Mark, Pins};
use super::{KernelError, tc};
use crate::fault::point;

/// Attaching again changes nothing: the filter's handle is taken then.
pub(super) fn attach(
    pins: &Pins,
    mut program: SchedClassifier,
    place: &Place<'_>,
    hook: TcAttachType,
) -> Result<(), KernelError> {
    make_qdisc(pins, place)?;
    mark(pins.mark(Mark::Filter, place.ifindex))?;
    let handle = TcHandle::new(0, tc::HANDLE);
    let options =
        TcAttachOptions::Netlink(NlOptions { priority: tc::PRIORITY, handle, ..NlOptions::default() });
    point("attach filter");
    let done = match program.attach_with_options(place.interface, hook, options) {
        // The filter stays with the interface; only aya's wish to detach it on drop has to go.
        Ok(id) => program.take_link(id).map(std::mem::forget),
        Err(error) if has_errno(&error, libc::EEXIST) => Ok(()),
        Err(error) => Err(error),
    };
    done.map_err(|source| place.refused(source))
}

/// Puts another program in the place of netctl's filter on a hook, between one frame and the next (net/sched/cls_bpf.c,
/// `cls_bpf_change`). Nothing if there is no such filter.
pub(super) fn replace(
    path: &Path,
    (interface, ifindex): (&str, u32),
    hook: TcAttachType,
) -> Result<(), KernelError> {
    let fail = |source: Box<dyn std::error::Error + Send + Sync>| KernelError::Replace {
        path: path.to_owned(),
        source,
    };
    if !tc::has_filter(ifindex, hook).map_err(|e| fail(Box::new(e)))? {
        return Ok(());
    }
    let handle = TcHandle::new(0, tc::HANDLE);
    let filter = SchedClassifierLink::attached(interface, hook, tc::PRIORITY, handle, None)
        .map_err(|e| fail(Box::new(e)))?;
    let mut program = SchedClassifier::from_pin(path).map_err(|e| fail(Box::new(e)))?;
    point("replace filter");
    let id = program.attach_to_link(filter).map_err(|e| fail(Box::new(e)))?;
    program.take_link(id).map(std::mem::forget).map_err(|e| fail(Box::new(e)))
}

/// The mark first: what a crash leaves behind it is looked at before it is removed.
fn make_qdisc(pins: &Pins, place: &Place<'_>) -> Result<(), KernelError> {
    let fail = |source| KernelError::Detach { ifindex: place.ifindex, source };
    if tc::has_clsact(place.ifindex).map_err(fail)? {
        return Ok(());
    }
    let path = pins.mark(Mark::Qdisc, place.ifindex);
    mark(path.clone())?;
    point("make qdisc");
    match qdisc_add_clsact(place.interface) {
        Ok(()) => Ok(()),
        // Someone else was faster: it is not netctl's.
        Err(error) if has_errno(&error, libc::EEXIST) => unmark(path),
        Err(error) => Err(place.refused(ProgramError::from(error))),
    }
}

pub(super) fn mark(path: PathBuf) -> Result<(), KernelError> {
    point("mark interface");
    match fs::create_dir(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(KernelError::Mark { path, source: error })
        }
        _ => Ok(()),
    }
}

/// Undoes what the marks of an interface say, and then removes them.
pub(super) fn clean(pins: &Pins, ifindex: u32) -> Result<(), KernelError> {
    let fail = |source| KernelError::Detach { ifindex, source };
    let marked = |mark| pins.mark(mark, ifindex).exists();
    if marked(Mark::Filter) {
        for hook in [TcAttachType::Ingress, TcAttachType::Egress] {
            point("delete filter");
            tc::delete_filter(ifindex, hook).map_err(fail)?;
        }
    }
    if marked(Mark::Qdisc) {
        point("delete qdisc");
        tc::delete_empty_clsact(ifindex).map_err(fail)?;
    }
    Mark::ALL.into_iter().try_for_each(|mark| unmark(pins.mark(mark, ifindex)))
}

pub(super) fn unmark(path: PathBuf) -> Result<(), KernelError> {
    point("unmark interface");
    match fs::remove_dir(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(KernelError::Remove { path, source: error })
        }
        _ => Ok(()),
    }
}
