//! Asks the running programs what they would do with a frame, without leaving a trace.
//!
//! A twin of each program is loaded from the same object over the same maps, with everything that writes compiled
//! out by a constant; it answers into a map of its own. It runs by `BPF_PROG_TEST_RUN` on the port's interface.
//! [`Live`] runs the programs themselves in the same way, for tests of what they leave behind.

use std::io;

use aya::programs::{SchedClassifier, TestRun, TestRunOptions};
use aya::{Ebpf, maps::Array};
use netctl_common::abi::{Answer, maps};
use netctl_common::frame::Arrived;
use netctl_common::reject::MAX_LEN;
use netctl_common::verdict::{Action, Direction, Reason, Verdict};

use super::KernelError;
use super::load::{Kernel, classifier, load_error, program_name};
use super::verified::Verified;

/// Loaded twins of both programs.
pub struct Twin {
    object: Ebpf,
}

/// What a program would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    pub verdict: Verdict,
    pub generation: u32,
    /// Interface of the local port that the frame would be redirected to; 0 = the kernel's own forwarding.
    pub redirect: u32,
    /// The rule that would have decided otherwise but for audit mode, or one of its stand-ins in `abi`.
    pub audited: u32,
}

impl Kernel {
    pub fn twin(&self) -> Result<Twin, KernelError> {
        let mut object = self.loader(true).load(super::load::OBJECT).map_err(load_error)?;
        for direction in Direction::ALL {
            classifier(&mut object, program_name(direction))?.load().map_err(load_error)?;
        }
        Ok(Twin { object })
    }
}

/// The pinned programs, run as if a frame had passed: with flows, counters and events.
#[derive(Debug)]
pub struct Live {
    /// Index: [`Direction`].
    programs: [SchedClassifier; 2],
}

impl Kernel {
    pub fn live(&self) -> Result<Live, KernelError> {
        let open = |name| SchedClassifier::from_pin(self.pins.program(name)).map_err(load_error);
        let [from_guest, to_guest] = Direction::ALL.map(program_name);
        Ok(Live { programs: [open(from_guest)?, open(to_guest)?] })
    }
}

impl Live {
    /// Lets `frame` pass in `direction` at the interface, up to the hook's return code (`TC_ACT_*`), which is
    /// returned and not acted on.
    pub fn run(&self, direction: Direction, ifindex: u32, frame: &[u8]) -> Result<i32, KernelError> {
        Ok(self.run_arrived(direction, ifindex, &Arrived::new(frame))?.code)
    }

    /// [`Self::run`], with what the kernel knows of the frame besides its bytes.
    pub fn run_arrived(
        &self,
        direction: Direction,
        ifindex: u32,
        frame: &Arrived<'_>,
    ) -> Result<Left, KernelError> {
        run(&self.programs[direction as usize], ifindex, frame)
    }
}

/// A frame as a program leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// `TC_ACT_*`.
    pub code: i32,
    pub bytes: Vec<u8>,
    pub mark: u32,
}

fn run(program: &SchedClassifier, ifindex: u32, frame: &Arrived<'_>) -> Result<Left, KernelError> {
    let context = SkBuff {
        mark: frame.mark,
        ingress_ifindex: frame.ingress_ifindex,
        ifindex,
        ..bytemuck::Zeroable::zeroed()
    };
    // An answer to a frame may be longer than the frame.
    let mut bytes = vec![0; frame.bytes.len() + MAX_LEN as usize];
    let mut after: SkBuff = bytemuck::Zeroable::zeroed();
    let mut options = TestRunOptions::new();
    options.data_in = Some(frame.bytes);
    options.data_out = Some(&mut bytes);
    options.ctx_in = Some(bytemuck::bytes_of(&context));
    options.ctx_out = Some(bytemuck::bytes_of_mut(&mut after));
    let result = program.test_run(options).map_err(|e| KernelError::TestRun(io::Error::other(e)))?;
    bytes.truncate(result.data_size_out as usize);
    // The kernel's field is unsigned; return codes are not (include/uapi/linux/pkt_cls.h).
    Ok(Left { code: result.return_value as i32, bytes, mark: after.mark })
}

/// The leading fields of `struct __sk_buff` (include/uapi/linux/bpf.h); all that have no name must be zero.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct SkBuff {
    before: [u32; 2],
    mark: u32,
    between: [u32; 6],
    ingress_ifindex: u32,
    ifindex: u32,
    after: [u32; 37],
}

impl Twin {
    /// Its programs, by `twin_of_` and the name of the program that it is the twin of.
    pub(super) fn verified(&self) -> Result<Vec<Verified>, KernelError> {
        let loaded = Direction::ALL.map(program_name).into_iter().filter_map(|name| {
            self.object.program(name).map(|program| Verified::of(format!("twin_of_{name}"), program.info()))
        });
        loaded.collect()
    }

    /// What happens to `frame` in `direction` at the interface. The interface must exist in this network namespace.
    pub fn ask(&mut self, direction: Direction, ifindex: u32, frame: &[u8]) -> Result<Answered, KernelError> {
        self.ask_arrived(direction, ifindex, &Arrived::new(frame))
    }

    /// [`Self::ask`], with what the kernel knows of the frame besides its bytes.
    pub fn ask_arrived(
        &mut self,
        direction: Direction,
        ifindex: u32,
        frame: &Arrived<'_>,
    ) -> Result<Answered, KernelError> {
        self.clear()?;
        run(classifier(&mut self.object, program_name(direction))?, ifindex, frame)?;
        self.answer()
    }

    fn answers(&mut self) -> Result<Array<&mut aya::maps::MapData, AnswerPod>, KernelError> {
        let map = self.object.map_mut(maps::ANSWER);
        let map = map.ok_or_else(|| load_error(io::Error::other("the object has no map `answer`")))?;
        Array::try_from(map).map_err(load_error)
    }

    fn clear(&mut self) -> Result<(), KernelError> {
        self.answers()?.set(0, AnswerPod(Answer::default()), 0).map_err(load_error)
    }

    fn answer(&mut self) -> Result<Answered, KernelError> {
        let AnswerPod(answer) = self.answers()?.get(&0, 0).map_err(load_error)?;
        let reason = u8::try_from(answer.reason).ok().and_then(Reason::decode);
        match reason {
            Some(reason) if answer.answered == 1 => Ok(Answered {
                verdict: Verdict { action: Action::decode(answer.action), reason, rule: answer.rule },
                generation: answer.generation,
                redirect: answer.redirect,
                audited: answer.audited,
            }),
            _ => Err(KernelError::TestRun(io::Error::other("the program gave no answer"))),
        }
    }
}

#[repr(transparent)]
#[derive(Clone, Copy)]
struct AnswerPod(Answer);

// SAFETY: `Answer` is `bytemuck::Pod`: any bytes are a value of it, and it has no padding.
unsafe impl aya::Pod for AnswerPod {}

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Twin").finish_non_exhaustive()
    }
}
