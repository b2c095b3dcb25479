//! One boot of one kernel: QEMU, what runs in the guest, and what becomes of it.
//!
//! The guest has the machine's root file system by 9p, below an overlay in memory: the same programs and libraries as
//! here, and nothing that it writes stays. Its network is its own. There is no KVM: everything is emulated.
//! `init.sh` says on ttyS0 lines that start with `NETCTL-LAB`: `up RELEASE`, `start JOB`, `end JOB CODE`, `done`, or
//! `broken WHY`; all other lines are the jobs'. The kernel itself writes to ttyS1, into `console.log`.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{
    job::Job,
    series::Feature,
    store::{Kernel, Qemu},
};
use crate::guest::{self, cpio::Archive, modules};

/// What the root file system needs.
const DRIVERS: [&str; 4] = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];

/// What netctl and its tests need; the kernel finds the rest by itself.
const MODULES: [&str; 4] = ["tun", "veth", "bridge", "macvtap"];

/// Enough for a boot on a busy machine; it takes 10 s on an idle one.
const BOOT: Duration = Duration::from_secs(300);

/// What a job may take beyond its own limit, at which the guest ends it.
const SLACK: Duration = Duration::from_secs(60);

const MARK: &str = "NETCTL-LAB ";

/// Logs of the kernel and of QEMU, in the folder of the kernel.
const CONSOLE: &str = "console.log";
const WARNINGS: &str = "qemu.log";

/// Their lines that an error shows.
const SHOWN_LINES: usize = 20;

/// A kernel and what is to run in it.
pub(super) struct Boot<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) qemu: &'a Qemu,
    pub(super) jobs: &'a [Job],
    /// Where logs go.
    pub(super) dir: &'a Path,
}

/// A job that has run.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// 0 = passed.
    pub(super) code: i32,
    pub(super) elapsed: Duration,
    pub(super) lines: Vec<String>,
}

impl Outcome {
    pub(super) fn word(&self) -> String {
        match self.code {
            0 => "passed".to_owned(),
            // Of timeout(1).
            124 | 137 => "FAILED: it took too long".to_owned(),
            code => format!("FAILED with exit code {code}"),
        }
    }
}

/// What came of a boot.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) boot: Duration,
    /// As many as there are jobs.
    pub(super) outcomes: Vec<Outcome>,
}

impl Boot<'_> {
    /// Boots, runs all jobs, and hands each line that they print to `line` as it comes.
    ///
    /// # Errors
    /// The kernel does not boot, stops, or hangs; a job that fails is no error here.
    pub(super) fn run(&self, line: &dyn Fn(&str)) -> Result<Report> {
        fs::create_dir_all(self.dir).with_context(|| format!("cannot make {}", self.dir.display()))?;
        let initramfs = self.dir.join("initramfs.cpio");
        fs::write(&initramfs, self.initramfs()?)
            .with_context(|| format!("cannot write {}", initramfs.display()))?;
        let mut command = self.command(&initramfs);
        let warnings = File::create(self.dir.join(WARNINGS)).context("cannot write a log")?;
        let mut guest = Guest::start(command.stderr(warnings))?;
        let result = self.follow(&guest, line);
        guest.end();
        result.with_context(|| format!("kernel {}; it said last:\n{}", self.kernel.release, self.said_last()))
    }

    fn follow(&self, guest: &Guest, line: &dyn Fn(&str)) -> Result<Report> {
        let mut log = File::create(self.dir.join("output.log")).context("cannot write output.log")?;
        let mut report = Report::default();
        let (mut since, mut limit) = (Instant::now(), BOOT);
        loop {
            let said = guest.next(since + limit).with_context(|| self.stage(&report))?;
            let Some(at) = said.find(MARK) else {
                if let Some(outcome) = report.outcomes.last_mut() {
                    writeln!(log, "{said}")?;
                    if !said.is_empty() {
                        line(&said);
                    }
                    outcome.lines.push(said);
                }
                continue;
            };
            let words: Vec<&str> = said[at + MARK.len()..].split_whitespace().collect();
            match words.as_slice() {
                ["up", _] => report.boot = since.elapsed(),
                ["start", _] => {
                    let job = self.jobs.get(report.outcomes.len()).context("a job that it was not given")?;
                    limit = job.limit + SLACK;
                    report.outcomes.push(Outcome::default());
                }
                ["end", _, code] => {
                    let outcome = report.outcomes.last_mut().context("a job ended that did not start")?;
                    outcome.code = code.parse().context("an exit code that is none")?;
                    outcome.elapsed = since.elapsed();
                }
                ["done"] => return Ok(report),
                _ => bail!("{}", words.join(" ")),
            }
            since = Instant::now();
        }
    }

    /// What it was at when nothing more came.
    fn stage(&self, report: &Report) -> String {
        match report.outcomes.len().checked_sub(1).and_then(|index| self.jobs.get(index)) {
            None => "while booting".to_owned(),
            Some(job) => format!("in the job {}", job.name),
        }
    }

    /// The end of what QEMU and the kernel said.
    fn said_last(&self) -> String {
        let read = |name| fs::read(self.dir.join(name)).unwrap_or_default();
        let text = [read(WARNINGS), read(CONSOLE)].concat();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }

    fn initramfs(&self) -> Result<Vec<u8>> {
        let mut archive = Archive::default();
        for name in ["bin", "dev", "modules", "jobs"] {
            archive.directory(name);
        }
        archive.character_device("dev/console", (5, 1));
        archive.program("init", include_bytes!("init.sh"));
        let busybox = guest::directory().join(guest::BUSYBOX);
        let busybox = fs::read(&busybox).with_context(|| format!("cannot read {}", busybox.display()))?;
        archive.program("bin/busybox", &busybox);
        for (place, module) in modules::collect(&self.kernel.modules, &DRIVERS)?.iter().enumerate() {
            archive.program(&format!("modules/{place:02}-{}.ko", module.name), &module.bytes);
        }
        for (place, job) in self.jobs.iter().enumerate() {
            archive.program(&format!("jobs/{place:02}-{}", job.name), job.script(self.kernel).as_bytes());
        }
        Ok(archive.finish())
    }

    fn command(&self, initramfs: &Path) -> Command {
        let features = self.kernel.series.features();
        let has = |feature| features.contains(&feature);
        let mut load: Vec<&str> = MODULES.to_vec();
        // setpriv ends QEMU with this process, also where no destructor runs.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&self.qemu.program);
        for dir in &self.qemu.firmware {
            command.arg("-L").arg(dir);
        }
        command.args(["-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", "2G"]);
        command.args(["-nodefaults", "-nographic", "-no-reboot", "-device", "virtio-rng-pci"]);
        command.args(["-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"]);
        command.args(["-device", "virtio-9p-pci,fsdev=root,mount_tag=machine", "-serial", "stdio"]);
        command.arg("-serial").arg(format!("file:{}", self.dir.join(CONSOLE).display()));
        if has(Feature::VhostNet) {
            load.push("vhost_net");
        }
        if has(Feature::Igb) {
            load.extend(["igb", "igbvf"]);
            // vfio-pci needs an IOMMU, SR-IOV a port of PCI Express.
            command.args(["-device", "intel-iommu"]);
            command.args(["-device", "pcie-root-port,id=rp,slot=1", "-netdev", "user,id=nic"]);
            command.args(["-device", "igb,bus=rp,netdev=nic,romfile="]);
        }
        command.arg("-kernel").arg(&self.kernel.image).arg("-initrd").arg(initramfs);
        // Mitigations cost time and protect nobody here. The check of the timer fails where emulation is slow.
        command.arg("-append").arg(format!(
            "console=ttyS1 quiet panic=-1 no_timer_check mitigations=off lab.modules={} lab.load={}",
            self.kernel.modules.display(),
            load.join(",")
        ));
        command
    }
}

/// A running QEMU, and its lines.
struct Guest {
    child: Child,
    lines: Receiver<String>,
}

impl Guest {
    fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start QEMU by setpriv (of util-linux)")?;
        let output = child.stdout.take().context("QEMU has no output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line);
                if sender.send(text.trim_end().to_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Ok(Self { child, lines })
    }

    fn next(&self, deadline: Instant) -> Result<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).map_err(|e| match e {
            RecvTimeoutError::Timeout => anyhow!("it hangs"),
            RecvTimeoutError::Disconnected => anyhow!("it stopped"),
        })
    }

    fn end(&mut self) {
        // It is powering off, or is to be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
