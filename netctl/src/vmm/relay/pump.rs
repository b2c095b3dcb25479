//! Moves frames between a port's queue and a socket, in the one thread of a confined process.
//!
//! Each direction has one buffer. A side that does not take more stops the reading of the other: what then does not fit into the
//! queue of the tap is lost there, and counted by the kernel (`tx_dropped`).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::counters::{Counters, End};
use super::endpoint::Endpoint;
use super::frames::{Buffer, LENGTH, LONGEST, Next, SHORTEST};
use super::link::{Framing, Link, Listener, is_hang_up};
use crate::fd::tap;

/// Frames of one direction before the other has its turn.
const TURN: usize = 64;

/// How often it is looked whether the interface is still there: a macvtap's queue does not tell by itself.
const LOOK: Duration = Duration::from_secs(2);

/// A queue without a header, and what is between it and the socket.
pub(super) struct Pump {
    queue: File,
    counters: Counters,
    /// Of a stream, bytes as they came; else one frame.
    from_guest: Buffer,
    to_guest: Buffer,
    /// The interface did not take the frame that is next.
    is_blocked: bool,
    looked: Instant,
}

/// What else is waited for.
#[derive(Clone, Copy, Default)]
struct Watch<'a> {
    /// Readable or closed: the end.
    stop: Option<&'a UnixStream>,
    /// Others who want to be served.
    listener: Option<&'a Listener>,
}

/// What there is to be done.
#[derive(Clone, Copy)]
struct Ready {
    queue: PollFlags,
    /// Nothing while there is none.
    link: PollFlags,
    listener: PollFlags,
}

type Step = Result<(), End>;

impl Pump {
    /// `queue` is non-blocking. All memory is taken here.
    pub(super) fn new(queue: OwnedFd) -> Self {
        Self {
            queue: queue.into(),
            counters: Counters::default(),
            from_guest: Buffer::new(),
            to_guest: Buffer::new(),
            is_blocked: false,
            looked: Instant::now(),
        }
    }

    pub(super) fn queue(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }

    /// Until the end.
    pub(super) fn run(mut self, endpoint: &Endpoint, stop: Option<&UnixStream>) -> (End, Counters) {
        let end = match endpoint {
            Endpoint::Connected(link) => self.serve(link, Watch { stop, listener: None }),
            Endpoint::Listening(listener) => self.serve_all(listener, stop),
        };
        if end == End::Broken {
            self.counters.broken += 1;
        }
        (end, self.counters)
    }

    fn serve_all(&mut self, listener: &Listener, stop: Option<&UnixStream>) -> End {
        let watch = Watch { stop, listener: Some(listener) };
        loop {
            let link = match self.await_peer(listener, watch) {
                Ok(link) => link,
                Err(end) => return end,
            };
            self.from_guest.clear();
            self.to_guest.clear();
            self.is_blocked = false;
            match self.serve(&link, watch) {
                // Of this connection, not of the relay.
                End::Closed | End::Failed(_) => {}
                End::Broken => self.counters.broken += 1,
                end => return end,
            }
        }
    }

    /// Meanwhile, frames to the guest are for nobody, and not for the next who comes.
    fn await_peer(&mut self, listener: &Listener, watch: Watch<'_>) -> Result<Link, End> {
        loop {
            let ready = self.wait(None, watch)?;
            if !ready.queue.is_empty() {
                self.discard()?;
            }
            if !ready.listener.is_empty()
                && let Ok(link) = listener.accept()
            {
                self.discard()?;
                return Ok(link);
            }
        }
    }

    fn serve(&mut self, link: &Link, watch: Watch<'_>) -> End {
        loop {
            if let Err(end) = self.turn(link, watch) {
                return end;
            }
        }
    }

    fn turn(&mut self, link: &Link, watch: Watch<'_>) -> Step {
        let ready = self.wait(Some(link), watch)?;
        if let (false, Some(listener)) = (ready.listener.is_empty(), watch.listener)
            && listener.accept().is_ok()
        {
            self.counters.turned_away += 1;
        }
        if self.is_blocked && ready.link.intersects(PollFlags::POLLHUP | PollFlags::POLLERR) {
            // Nobody waits for it any more, and this would not wait either.
            return Err(End::Closed);
        }
        let came = ready.link - PollFlags::POLLOUT;
        match link.framing {
            Framing::Stream => {
                if !came.is_empty() || self.is_blocked {
                    self.stream_from_guest(link)?;
                }
                self.stream_to_guest(link)
            }
            Framing::Messages { ends } => {
                if !came.is_empty() || self.is_blocked {
                    self.messages_from_guest(link, ends)?;
                }
                self.messages_to_guest(link)
            }
        }
    }

    /// Until there is something to do.
    fn wait(&mut self, link: Option<&Link>, watch: Watch<'_>) -> Result<Ready, End> {
        let (mut queue, mut socket) = (PollFlags::empty(), PollFlags::empty());
        queue.set(PollFlags::POLLIN, self.to_guest.is_empty());
        queue.set(PollFlags::POLLOUT, self.is_blocked);
        socket.set(PollFlags::POLLIN, !self.is_blocked);
        socket.set(PollFlags::POLLOUT, !self.to_guest.is_empty());
        // poll(2) wants no holes: who is not there is the queue again, for nothing.
        let none = self.queue.as_fd();
        let mut waits = [
            PollFd::new(none, queue),
            wait_for(link.map(AsFd::as_fd), socket, none),
            wait_for(watch.stop.map(AsFd::as_fd), PollFlags::POLLIN, none),
            wait_for(watch.listener.map(AsFd::as_fd), PollFlags::POLLIN, none),
        ];
        match poll(&mut waits, PollTimeout::from(LOOK.as_millis() as u16)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(End::Failed(e as i32)),
        }
        let [queue, socket, stop, listener] = waits.map(|wait| wait.revents().unwrap_or(PollFlags::empty()));
        self.look(queue)?;
        if watch.stop.is_some() && !stop.is_empty() {
            return Err(End::Stopped);
        }
        let of = |is_there: bool, flags| if is_there { flags } else { PollFlags::empty() };
        Ok(Ready {
            queue,
            link: of(link.is_some(), socket),
            listener: of(watch.listener.is_some(), listener),
        })
    }

    fn look(&mut self, queue: PollFlags) -> Step {
        if queue.contains(PollFlags::POLLERR) {
            return Err(End::PortGone);
        }
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        tap::info(self.queue.as_fd()).map(drop).map_err(|_| End::PortGone)
    }

    fn discard(&mut self) -> Step {
        for _ in 0..TURN {
            match read(&self.queue, self.to_guest.room())? {
                Some(_) => self.counters.without_peer += 1,
                None => break,
            }
        }
        Ok(())
    }

    fn stream_from_guest(&mut self, link: &Link) -> Step {
        if !self.is_blocked {
            match link.receive(self.from_guest.room()) {
                Ok(0) => return Err(End::Closed),
                Ok(count) => self.from_guest.add(count),
                Err(e) => return not_now(e),
            }
        }
        loop {
            match self.from_guest.next() {
                Next::Frame(length) => {
                    let taken = write(&self.queue, self.from_guest.frame(length))?;
                    if self.goes_on(taken) {
                        self.from_guest.take(LENGTH + length);
                    } else {
                        return Ok(());
                    }
                }
                Next::TooShort => self.counters.from_guest.too_short += 1,
                Next::TooLong => return Err(End::Broken),
                Next::Incomplete => {
                    self.is_blocked = false;
                    return Ok(());
                }
            }
        }
    }

    fn messages_from_guest(&mut self, link: &Link, ends: bool) -> Step {
        for _ in 0..TURN {
            if !self.is_blocked {
                self.from_guest.clear();
                match link.receive(&mut self.from_guest.room()[..LONGEST]) {
                    Ok(0) if ends => return Err(End::Closed),
                    Ok(count) if count < SHORTEST => {
                        self.counters.from_guest.too_short += 1;
                        continue;
                    }
                    Ok(count) if count > LONGEST => {
                        self.counters.from_guest.too_long += 1;
                        continue;
                    }
                    Ok(count) => self.from_guest.add(count),
                    Err(e) => return not_now(e),
                }
            }
            let taken = write(&self.queue, self.from_guest.filled())?;
            if !self.goes_on(taken) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Counts; `false` if the frame has to wait.
    fn goes_on(&mut self, taken: Taken) -> bool {
        self.is_blocked = taken == Taken::Later;
        match taken {
            Taken::Yes => self.counters.from_guest.moved += 1,
            Taken::No => self.counters.from_guest.refused += 1,
            Taken::Later => {}
        }
        !self.is_blocked
    }

    fn stream_to_guest(&mut self, link: &Link) -> Step {
        if self.to_guest.is_empty() {
            for _ in 0..TURN {
                let Some(room) = self.to_guest.frame_room() else { break };
                let Some(length) = read(&self.queue, room)? else { break };
                self.to_guest.add_frame(length);
                self.counters.to_guest.moved += 1;
            }
        }
        if self.to_guest.is_empty() {
            return Ok(());
        }
        match link.send(self.to_guest.filled()) {
            Ok(count) => self.to_guest.take(count),
            Err(e) => return not_now(e),
        }
        Ok(())
    }

    fn messages_to_guest(&mut self, link: &Link) -> Step {
        for _ in 0..TURN {
            if self.to_guest.is_empty() {
                let Some(length) = read(&self.queue, self.to_guest.room())? else { break };
                self.to_guest.add(length);
            }
            match link.send(self.to_guest.filled()) {
                Ok(_) => self.counters.to_guest.moved += 1,
                Err(Errno::EMSGSIZE | Errno::ENOBUFS) => self.counters.to_guest.refused += 1,
                Err(e) => return not_now(e),
            }
            self.to_guest.clear();
        }
        Ok(())
    }
}

fn wait_for<'a>(fd: Option<BorrowedFd<'a>>, flags: PollFlags, none: BorrowedFd<'a>) -> PollFd<'a> {
    match fd {
        Some(fd) => PollFd::new(fd, flags),
        None => PollFd::new(none, PollFlags::empty()),
    }
}

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Yes,
    No,
    Later,
}

/// A frame to the interface. It may be down (EIO), or the frame be none (EINVAL): then it is lost, as on a wire.
fn write(mut queue: &File, frame: &[u8]) -> Result<Taken, End> {
    match queue.write(frame).map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(0))) {
        Ok(_) => Ok(Taken::Yes),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(Taken::Later),
        Err(Errno::EBADFD) => Err(End::PortGone),
        Err(_) => Ok(Taken::No),
    }
}

/// A frame from the interface, if there is one.
fn read(mut queue: &File, room: &mut [u8]) -> Result<Option<usize>, End> {
    match queue.read(room).map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(0))) {
        Ok(0) | Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
        Ok(length) => Ok(Some(length)),
        Err(Errno::EBADFD) => Err(End::PortGone),
        Err(e) => Err(End::Failed(e as i32)),
    }
}

/// Of a socket.
fn not_now(error: Errno) -> Step {
    match error {
        Errno::EAGAIN | Errno::EINTR => Ok(()),
        e if is_hang_up(e) => Err(End::Closed),
        e => Err(End::Failed(e as i32)),
    }
}
