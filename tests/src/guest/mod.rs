//! A guest: smoltcp on the descriptor of a tap or a socket, in a thread of its own. It has one NIC, an echo service
//! where a test asks for one, and calls that answer "did it get through?" within a bounded time.
//! A guest knows nothing of netctl: it sees frames and silence.

mod datagram;
mod device;
mod lease;
mod stack;
mod tcp;

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use smoltcp::wire::IpCidr;

use crate::frame::{Mac, link_local};
use crate::nic::Nic;
use crate::tap::wait_readable;
use stack::Stack;

pub use datagram::Answer;
pub use tcp::{Conn, ConnectError};

/// A running guest. Dropping it stops its thread and closes its NIC.
#[derive(Debug)]
pub struct Guest {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    mac: Mac,
}

impl Guest {
    /// Starts a guest with these addresses, written with their prefix lengths (`10.0.0.1/24`), and the
    /// link-local IPv6 address that follows from the MAC address.
    ///
    /// # Errors
    /// If an address cannot be read, or the thread cannot be started.
    pub fn start(nic: impl Nic + 'static, mac: Mac, addresses: &[&str]) -> Result<Self> {
        let parse = |text: &&str| {
            text.parse::<IpCidr>().map_err(|()| anyhow::anyhow!("{text:?} is not ADDRESS/PREFIX-LENGTH"))
        };
        let mut addresses = addresses.iter().map(parse).collect::<Result<Vec<_>>>()?;
        addresses.push(IpCidr::new(IpAddr::V6(link_local(mac)).into(), 64));
        let nic: Arc<dyn Nic> = Arc::new(nic);
        let (wake, woken) = UnixStream::pair().context("cannot make a socket pair")?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let stack = Stack::new(Arc::clone(&nic), mac, &addresses)?;
        let shared = Arc::new(Shared { stack: Mutex::new(stack), changed: Condvar::new(), wake });
        let worker = Arc::clone(&shared);
        let name = format!("guest {:02x}", mac[5]);
        let thread = thread::Builder::new().name(name).spawn(move || worker.serve(&*nic, &woken))?;
        Ok(Self { shared, thread: Some(thread), mac })
    }

    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// The IPv6 address that follows from the MAC address.
    pub fn link_local(&self) -> IpAddr {
        IpAddr::V6(link_local(self.mac))
    }

    /// Sends what is for no prefix of its own to `router`, per family.
    pub fn default_route(&self, router: IpAddr) {
        self.shared.lock().default_route(router);
    }

    /// Frames that have arrived, of whatever kind.
    pub fn frames_received(&self) -> u64 {
        self.shared.lock().frames_received()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.shared.lock().stop();
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the guest's thread and its callers share.
#[derive(Debug)]
struct Shared {
    stack: Mutex<Stack>,
    /// The thread has worked.
    changed: Condvar,
    /// A byte here makes it work.
    wake: UnixStream,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Stack> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        use std::io::Write;
        // A full socket wakes as well.
        let _ = (&self.wake).write(&[1]);
    }

    /// Runs `attempt` each time the thread has worked, until it gives an answer; `None` after `limit`, or
    /// when the NIC is gone. An attempt that leaves the thread something to do wakes it itself.
    fn wait<T>(&self, limit: Duration, mut attempt: impl FnMut(&mut Stack) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut stack = self.lock();
        // For what the caller has queued.
        self.wake();
        loop {
            if let Some(answer) = attempt(&mut stack) {
                return Some(answer);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            if stack.is_stopped() {
                return None;
            }
            stack = self.changed.wait_timeout(stack, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The guest's thread.
    fn serve(&self, nic: &dyn Nic, woken: &UnixStream) {
        loop {
            let delay = {
                let mut stack = self.lock();
                if !stack.is_stopped() {
                    stack.work();
                }
                self.changed.notify_all();
                if stack.is_stopped() {
                    return;
                }
                stack.delay()
            };
            if !delay.is_zero() && wait_readable(&[nic.as_fd(), woken.as_fd()], delay).is_err() {
                return;
            }
            empty(woken);
        }
    }
}

fn empty(mut woken: &UnixStream) {
    use std::io::Read;
    let mut bytes = [0; 64];
    while woken.read(&mut bytes).is_ok_and(|n| n == bytes.len()) {}
}
