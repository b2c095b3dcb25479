//! Asks the running programs what they would do with a frame, without leaving a trace.
//!
//! A twin of each program is loaded from the same object over the same maps, with everything that writes compiled
//! out by a constant; it answers into a map of its own. It runs by `BPF_PROG_TEST_RUN` on the port's interface.
//! [`Live`] runs the programs themselves in the same way, for tests of what they leave behind.

use std::io;
use std::thread;

use aya::programs::{SchedClassifier, TestRun, TestRunOptions};
use aya::{Ebpf, maps::Array};
use netctl_common::abi::{Answer, maps};
use netctl_common::frame::Arrived;
use netctl_common::reject::MAX_LEN;
use netctl_common::verdict::{Action, Direction, Reason, Verdict};

use super::KernelError;
use super::load::{Kernel, classifier, load_error, program_name, verifier_error};
use super::verified::Verified;

/// Loaded twins of the programs.
pub struct Twin {
    /// By [`Direction`], each with a map for its answers; only those that were wanted.
    objects: [Option<Ebpf>; 2],
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
    /// What it saw on the way.
    pub seen: Answer,
}

/// Whether a question is about the flows that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flows {
    Known,
    /// As if there were none.
    Ignored,
}

/// Frames that the kernel copies into one page, with its headroom and what it keeps behind (net/bpf/test_run.c).
const LONGEST: usize = 3000;

/// Whether `BPF_PROG_TEST_RUN` takes a frame: it wants something behind the Ethernet header, and the whole header of IP where
/// that is announced, and puts it into one page.
pub fn fits(frame: &[u8]) -> bool {
    let shortest = match frame.get(12..14) {
        Some([0x08, 0x00]) => 14 + 20,
        Some([0x86, 0xdd]) => 14 + 40,
        _ => 15,
    };
    (shortest..=LONGEST).contains(&frame.len())
}

impl Kernel {
    /// Both twins, which know the flows that there are.
    pub fn twin(&self) -> Result<Twin, KernelError> {
        self.twin_of(&Direction::ALL, Flows::Known)
    }

    /// The twins of these directions. At the same time: the kernel's verifier takes most of it.
    pub fn twin_of(&self, directions: &[Direction], flows: Flows) -> Result<Twin, KernelError> {
        let load = |direction: Direction| {
            directions.contains(&direction).then(|| self.load_twin(direction, flows)).transpose()
        };
        let [from_guest, to_guest] = thread::scope(|scope| {
            let from_guest = scope.spawn(|| load(Direction::FromGuest));
            let to_guest = load(Direction::ToGuest);
            [from_guest.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), to_guest]
        });
        Ok(Twin { objects: [from_guest?, to_guest?] })
    }

    fn load_twin(&self, direction: Direction, flows: Flows) -> Result<Ebpf, KernelError> {
        let mut loader = self.loader(true);
        let as_new = u8::from(flows == Flows::Ignored);
        loader.override_global("AS_NEW", &as_new, true);
        let mut object = loader.load(super::load::OBJECT).map_err(load_error)?;
        let name = program_name(direction);
        classifier(&mut object, name)?.load().map_err(|source| verifier_error(name, source))?;
        Ok(object)
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
pub(super) struct SkBuff {
    before: [u32; 2],
    mark: u32,
    between: [u32; 6],
    ingress_ifindex: u32,
    ifindex: u32,
    after: [u32; 37],
}

impl SkBuff {
    pub(super) fn at(ifindex: u32) -> Self {
        Self { ifindex, ..bytemuck::Zeroable::zeroed() }
    }
}

impl Twin {
    /// Its programs, by `twin_of_` and the name of the program that it is the twin of.
    pub(super) fn verified(&self) -> Result<Vec<Verified>, KernelError> {
        let loaded = Direction::ALL.into_iter().zip(&self.objects).filter_map(|(direction, object)| {
            let name = program_name(direction);
            let program = object.as_ref()?.program(name)?;
            Some(Verified::of(format!("twin_of_{name}"), program.info()))
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
        let not_loaded = || load_error(io::Error::other("the twin of this direction was not loaded"));
        let object = self.objects[direction as usize].as_mut().ok_or_else(not_loaded)?;
        clear(object)?;
        run(classifier(object, program_name(direction))?, ifindex, frame)?;
        answer(object)
    }
}

fn answers(object: &mut Ebpf) -> Result<Array<&mut aya::maps::MapData, AnswerPod>, KernelError> {
    let map = object.map_mut(maps::ANSWER);
    let map = map.ok_or_else(|| load_error(io::Error::other("the object has no map `answer`")))?;
    Array::try_from(map).map_err(load_error)
}

fn clear(object: &mut Ebpf) -> Result<(), KernelError> {
    answers(object)?.set(0, AnswerPod(bytemuck::Zeroable::zeroed()), 0).map_err(load_error)
}

fn answer(object: &mut Ebpf) -> Result<Answered, KernelError> {
    let AnswerPod(answer) = answers(object)?.get(&0, 0).map_err(load_error)?;
    let reason = u8::try_from(answer.reason).ok().and_then(Reason::decode);
    match reason {
        Some(reason) if answer.answered == 1 => Ok(Answered {
            verdict: Verdict { action: Action::decode(answer.action), reason, rule: answer.rule },
            generation: answer.generation,
            redirect: answer.redirect,
            audited: answer.audited,
            seen: answer,
        }),
        _ => Err(KernelError::TestRun(io::Error::other("the program gave no answer"))),
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
