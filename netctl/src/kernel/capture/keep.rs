//! Comes back to a capture's slot every second, also while its reader waits for who reads from it.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Left;
use super::place::Place;
use crate::kernel::KernelError;

const OFTEN: Duration = Duration::from_secs(1);

/// A slot that is kept until this is dropped.
pub(super) struct Kept {
    shared: Arc<Mutex<Shared>>,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

struct Shared {
    place: Place,
    failed: Option<KernelError>,
}

impl Kept {
    pub(super) fn start(place: Place) -> io::Result<Self> {
        let shared = Arc::new(Mutex::new(Shared { place, failed: None }));
        let (end, ended) = mpsc::channel();
        let kept = Arc::clone(&shared);
        let thread = thread::Builder::new().name("capture".to_owned()).spawn(move || {
            while ended.recv_timeout(OFTEN) == Err(RecvTimeoutError::Timeout) {
                let mut shared = lock(&kept);
                if let Err(error) = shared.place.stay() {
                    shared.failed = Some(error);
                    return;
                }
            }
        })?;
        Ok(Self { shared, thread: Some((end, thread)) })
    }

    /// # Errors
    /// Why it is not kept any more; told once.
    pub(super) fn check(&self) -> Result<(), KernelError> {
        lock(&self.shared).failed.take().map_or(Ok(()), Err)
    }

    pub(super) fn left(&self) -> Result<Left, KernelError> {
        lock(&self.shared).place.left()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.thread.take() {
            drop(end);
            // It does not panic; if it did, there is nothing to keep either.
            let _ = thread.join();
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
