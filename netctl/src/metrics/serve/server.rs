//! In the confined process: scrapers on one side, the process that reads the metrics on the other.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::ask::{self, Answer};
use super::connection::{Connection, Next};
use super::http;
use crate::metrics::text::Encoding;

/// Connections at once. One more takes the place of the one that has been silent for longest.
const MOST: usize = 16;

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn accept(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| stream.into()),
            Self::Unix(listener) => listener.accept().map(|(stream, _)| stream.into()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// Until the process that reads the metrics is gone.
///
/// # Errors
/// What poll(2), accept(2) or that process's socket say.
pub(super) fn serve(listener: &Listener, control: &UnixStream) -> io::Result<()> {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let ready = wait(listener, control, &connections)?;
        if ready.is_over {
            return Ok(());
        }
        let mut left = Vec::with_capacity(MOST);
        for (mut connection, is_ready) in connections.drain(..).zip(ready.connections) {
            let mut next = if is_ready { connection.step() } else { Next::Stays };
            if let Next::Asks(encoding) = next {
                next = answer(&mut connection, encoding, control)?;
            }
            if next == Next::Stays && connection.deadline <= Instant::now() {
                next = connection.expire();
            }
            if next == Next::Stays {
                left.push(connection);
            }
        }
        connections = left;
        if ready.is_asked {
            accept(listener, &mut connections)?;
        }
    }
}

/// What has something to do.
struct Ready {
    is_over: bool,
    is_asked: bool,
    connections: Vec<bool>,
}

fn wait(listener: &Listener, control: &UnixStream, connections: &[Connection]) -> io::Result<Ready> {
    let mut all = vec![
        PollFd::new(control.as_fd(), PollFlags::POLLIN),
        PollFd::new(listener.as_fd(), PollFlags::POLLIN),
    ];
    all.extend(connections.iter().map(|it| PollFd::new(it.as_fd(), it.wants())));
    let first = connections.iter().map(|it| it.deadline.saturating_duration_since(Instant::now())).min();
    // Rounded up: not before its time.
    let timeout = first.map_or(PollTimeout::NONE, |first| {
        PollTimeout::try_from(first.as_millis() + 1).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut all, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(e) => return Err(e.into()),
    }
    let mut ready = all.iter().map(|it| it.any().unwrap_or(false));
    Ok(Ready {
        // It says nothing unless it is asked.
        is_over: ready.next().unwrap_or(true),
        is_asked: ready.next().unwrap_or(false),
        connections: ready.collect(),
    })
}

/// One at a time, so that those who are there have their turn.
fn accept(listener: &Listener, connections: &mut Vec<Connection>) -> io::Result<()> {
    let fd = match listener.accept() {
        Ok(fd) => fd,
        // Gone again, or no room for it now (accept(2)).
        Err(_) => return Ok(()),
    };
    if connections.len() >= MOST {
        let silent = connections.iter().position(Connection::is_reading);
        connections.remove(silent.unwrap_or(0));
    }
    connections.push(Connection::new(fd)?);
    Ok(())
}

fn answer(connection: &mut Connection, encoding: Encoding, control: &UnixStream) -> io::Result<Next> {
    match ask::ask(control, encoding)? {
        Answer::Metrics(text) => {
            let head = http::head_of_metrics(encoding, text.len());
            connection.answer(head, text.into());
        }
        Answer::Words(words) => connection.answer(http::unavailable(&words), Rc::default()),
    }
    Ok(connection.step())
}
