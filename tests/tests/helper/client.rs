//! What QEMU does with a bridge helper: one end of a socket pair, and one message of it.

use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use netctl::fd::{macvtap, tap};
use netctl_tests::sandbox::Sandbox;
use nix::cmsg_space;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, socketpair,
};

/// What a helper did.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
    /// Bytes of its message.
    pub(crate) bytes: Vec<u8>,
    pub(crate) queues: Vec<OwnedFd>,
}

/// Gives the ports back, and waits until they are free: a child that another test has just forked holds copies for a moment.
impl Drop for Answer {
    fn drop(&mut self) {
        let queues = std::mem::take(&mut self.queues);
        let infos: Vec<_> = queues.iter().filter_map(|queue| tap::info(queue.as_fd()).ok()).collect();
        drop(queues);
        let deadline = Instant::now() + Duration::from_secs(20);
        for info in infos {
            while is_held(&info.interface) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

fn is_held(interface: &str) -> bool {
    match macvtap::holders(interface) {
        Ok(holders) => !holders.is_empty(),
        // A tap, which has carrier while it is held.
        Err(_) => {
            fs::read_to_string(format!("/sys/class/net/{interface}/carrier")).is_ok_and(|it| it.trim() == "1")
        }
    }
}

impl Answer {
    /// What the queues look like to QEMU: flags, and whether they block; IFF_PERSIST is what a port of netctl's has more.
    pub(crate) fn looks(&self) -> Vec<(i32, bool)> {
        let look = |queue: &OwnedFd| {
            let flags = tap::info(queue.as_fd()).unwrap().flags & !libc::IFF_PERSIST;
            let status = OFlag::from_bits_retain(fcntl(queue, FcntlArg::F_GETFL).unwrap());
            (flags, !status.contains(OFlag::O_NONBLOCK))
        };
        self.queues.iter().map(look).collect()
    }

    /// All that a caller can tell.
    pub(crate) fn seen(&self) -> String {
        format!("{:?} {:?} {:?} {:x?}", self.code, self.stderr, self.bytes, self.looks())
    }

    /// The interface of the one queue that was given.
    #[track_caller]
    pub(crate) fn interface(&self) -> String {
        assert_eq!((self.code, self.stderr.as_str(), &self.bytes[..]), (Some(0), "", &[0][..]), "{self:?}");
        assert_eq!(self.queues.len(), 1);
        tap::info(self.queues[0].as_fd()).unwrap().interface
    }

    /// Nothing was given, for this reason.
    #[track_caller]
    pub(crate) fn expect_refusal(&self, reason: &str) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.bytes.is_empty() && self.queues.is_empty(), "{self:?}");
        assert!(self.stderr.contains(reason), "`{reason}` is not in: {}", self.stderr);
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "one sentence: {}", self.stderr);
    }
}

/// Runs `helper` (a program and what comes before its arguments) with one end of a socket pair as descriptor 0.
#[track_caller]
pub(crate) fn ask(sandbox: &Sandbox, helper: &[&str], arguments: &[&str]) -> Answer {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let (program, before) = helper.split_first().unwrap();
    assert!(Path::new(program).is_file(), "{program} is not there; see docs/development.md for the packages");
    let mut command = Command::new(program);
    command.args(before).args(arguments);
    let done = sandbox.finish_fed(command, Stdio::from(theirs)).unwrap();
    let (bytes, queues) = receive(&ours);
    Answer { code: done.code, stderr: done.stderr, bytes, queues }
}

/// All that has arrived; the helper has ended.
fn receive(socket: &OwnedFd) -> (Vec<u8>, Vec<OwnedFd>) {
    let (mut bytes, mut queues) = (Vec::new(), Vec::new());
    loop {
        let mut buffer = [0; 16];
        let mut room = cmsg_space!([i32; 8]);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
        let Ok(message) = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut room), flags) else {
            break;
        };
        for control in message.cmsgs().unwrap() {
            if let ControlMessageOwned::ScmRights(fds) = control {
                // SAFETY: the kernel has just made these descriptors for this process.
                queues.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        let count = message.bytes;
        if count == 0 {
            break;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
    (bytes, queues)
}
