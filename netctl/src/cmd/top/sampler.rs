//! Looks at the counters in a thread of its own: large flow tables take a while, and keys do not wait.

use std::io;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::top::Sample;
use crate::top::read::Reader;

pub(super) struct Sampler {
    samples: Receiver<Result<Sample, Error>>,
}

impl Sampler {
    /// `interval`: from one look to the next; longer where a look takes long, so that half of the time is free.
    pub(super) fn start(mut reader: Reader, interval: Duration) -> io::Result<Self> {
        let (to, samples) = mpsc::sync_channel(1);
        thread::Builder::new().name("sampler".to_owned()).spawn(move || {
            loop {
                let began = Instant::now();
                let sample = reader.sample();
                let failed = sample.is_err();
                if to.send(sample).is_err() || failed {
                    return;
                }
                let took = began.elapsed();
                thread::sleep(interval.saturating_sub(took).max(took));
            }
        })?;
        Ok(Self { samples })
    }

    /// The next one, if it is there.
    pub(super) fn next(&self) -> Option<Result<Sample, Error>> {
        match self.samples.try_recv() {
            Ok(sample) => Some(sample),
            Err(TryRecvError::Empty) => None,
            // It has said why, unless it panicked.
            Err(TryRecvError::Disconnected) => {
                Some(Err(Error::Runtime(io::Error::other("the thread that looks at the counters ended"))))
            }
        }
    }
}
