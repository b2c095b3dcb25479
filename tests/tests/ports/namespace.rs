//! A network of its own for a test: a thread in new network and mount namespaces, with a sysfs that shows
//! the new network.

use std::panic::resume_unwind;
use std::thread;

use netctl::network::Netlink;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Runs a test in namespaces of its own, on a current-thread runtime.
///
/// What the test starts inherits the namespaces; they end with the thread and its children.
pub(crate) fn isolated<F>(test: F)
where
    F: AsyncFnOnce(&Netlink) + Send + 'static,
{
    let body = move || {
        enter().expect("this test needs root (unshare, mount), see README.md");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let netlink = Netlink::connect().unwrap();
            test(&netlink).await;
        });
    };
    if let Err(panic) = thread::spawn(body).join() {
        resume_unwind(panic);
    }
}

fn enter() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none)
}
