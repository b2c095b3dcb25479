//! The journal of events: read by any number of readers, none of which takes anything from another; written by the
//! programs and, about what netctl changes, here.

use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytemuck::Zeroable;
use netctl_common::abi::{Change, Event, JOURNAL_LEN, NO_PORT, NO_RULE, event_kind, maps};

use super::load::Kernel;
use super::mapping::{Access, Mapping};
use super::{KernelError, sys};

/// How long a reader sleeps when it has read everything.
const PAUSE: Duration = Duration::from_millis(20);
/// After this time, an event that is not finished never will be: its writer was netctl, and was killed.
const ABANDONED: Duration = Duration::from_millis(200);

/// Events after which a reader lets others run.
const TURN: u64 = 64;

const EVENT_WORDS: usize = size_of::<Event>() / size_of::<u64>();

/// A reader, at its own place in the journal.
#[derive(Debug)]
pub struct Journal {
    memory: Memory,
    /// Number of the event that is read next.
    next: u64,
    lost: u64,
    /// Since when the next one is not finished.
    waiting: Option<Instant>,
}

impl Kernel {
    /// A reader that begins with the oldest event that is kept.
    ///
    /// # Errors
    /// [`KernelError::OlderBuild`], or the maps cannot be mapped.
    pub fn journal(&self) -> Result<Journal, KernelError> {
        let memory = self.journal_memory(Access::Read)?;
        let mut journal = Journal { memory, next: 1, lost: 0, waiting: None };
        journal.seek(0);
        journal.lost = 0;
        Ok(journal)
    }

    /// Writes down that netctl has changed what decides. What was done stays done where that cannot be written down, such as
    /// where the programs are of a build that keeps no journal.
    pub(super) fn announce(&self, change: Change, generation: u32) {
        let Ok(memory) = self.journal_memory(Access::Write) else { return };
        memory.write(&Event {
            time: sys::monotonic_now(),
            port: NO_PORT,
            generation,
            rule: NO_RULE,
            length: std::process::id(),
            action: change as u8,
            kind: event_kind::CHANGE,
            ..Event::zeroed()
        });
    }

    fn journal_memory(&self, access: Access) -> Result<Memory, KernelError> {
        let open = |name: &'static str, words| {
            let map = self.map_of_this_build(name)?;
            Mapping::new(map.as_fd(), words, access)
                .map_err(|e| KernelError::map(name, "mapping its memory", e))
        };
        Ok(Memory {
            events: open(maps::JOURNAL, JOURNAL_LEN as usize * EVENT_WORDS)?,
            end: open(maps::JOURNAL_END, 1)?,
        })
    }
}

impl Journal {
    /// The next event that is there already.
    pub fn ready(&mut self) -> Option<Event> {
        loop {
            if self.next > self.memory.end() {
                return None;
            }
            self.seek(self.next - 1);
            match self.memory.read(self.next) {
                Read::Event(event) => {
                    self.step();
                    return Some(event);
                }
                // Written over meanwhile; how far, is seen above.
                Read::Overwritten => {
                    self.lost += 1;
                    self.step();
                }
                Read::Unfinished if self.is_abandoned() => {
                    self.lost += 1;
                    self.step();
                }
                Read::Unfinished => return None,
            }
        }
    }

    /// The next event; waits for it. Cancel-safe.
    pub async fn next(&mut self) -> Event {
        loop {
            // Where events come faster than they are read, others of the task get their turn all the same.
            if self.next.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
            if let Some(event) = self.ready() {
                return event;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Goes on behind the event with this number; what is not kept any more counts as lost.
    pub fn seek(&mut self, number: u64) {
        let oldest = self.memory.end().saturating_sub(u64::from(JOURNAL_LEN)) + 1;
        let wanted = number.saturating_add(1);
        self.lost += oldest.saturating_sub(wanted);
        if wanted.max(oldest) != self.next {
            self.next = wanted.max(oldest);
            self.waiting = None;
        }
    }

    /// Goes on behind the last event that there is.
    pub fn skip_to_end(&mut self) {
        self.seek(self.memory.end());
    }

    /// Number of the last event that there is; 0 = none yet.
    pub fn end(&self) -> u64 {
        self.memory.end()
    }

    /// Events that were written over before they could be read.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    fn step(&mut self) {
        self.next += 1;
        self.waiting = None;
    }

    fn is_abandoned(&mut self) -> bool {
        self.waiting.get_or_insert_with(Instant::now).elapsed() > ABANDONED
    }
}

/// Both maps.
#[derive(Debug)]
struct Memory {
    events: Mapping,
    /// How many events there ever were.
    end: Mapping,
}

enum Read {
    Event(Event),
    Unfinished,
    Overwritten,
}

impl Memory {
    fn end(&self) -> u64 {
        self.end.word(0).map_or(0, |end| end.load(Ordering::Acquire))
    }

    const fn place(number: u64) -> usize {
        (number.wrapping_sub(1) % JOURNAL_LEN as u64) as usize * EVENT_WORDS
    }

    fn read(&self, number: u64) -> Read {
        let at = Self::place(number);
        let load = |word: usize, order| self.events.word(at + word).map_or(0, |word| word.load(order));
        let mut words = [0; EVENT_WORDS];
        words[0] = load(0, Ordering::Acquire);
        if words[0] == number {
            for (index, word) in words.iter_mut().enumerate().skip(1) {
                *word = load(index, Ordering::Relaxed);
            }
            std::sync::atomic::fence(Ordering::Acquire);
        }
        match words[0] {
            found if found < number => Read::Unfinished,
            found if found == number && load(0, Ordering::Relaxed) == number => {
                Read::Event(bytemuck::cast(words))
            }
            _ => Read::Overwritten,
        }
    }

    /// As the programs do it.
    fn write(&self, event: &Event) {
        let Some(end) = self.end.word(0) else { return };
        let number = end.fetch_add(1, Ordering::AcqRel) + 1;
        let at = Self::place(number);
        let words: [u64; EVENT_WORDS] = bytemuck::cast(Event { number, ..*event });
        let Some(first) = self.events.word(at) else { return };
        first.swap(0, Ordering::SeqCst);
        for (index, word) in words.iter().enumerate().skip(1) {
            if let Some(place) = self.events.word(at + index) {
                place.store(*word, Ordering::Relaxed);
            }
        }
        first.swap(number, Ordering::SeqCst);
    }
}
