//! Asks the running programs what they would do with a frame, without leaving a trace.
//!
//! A twin of each program is loaded from the same object over the same maps, with everything that writes compiled
//! out by a constant; it answers into a map of its own. It runs by `BPF_PROG_TEST_RUN` on the port's interface.
//! [`Live`] runs the programs themselves in the same way, for tests of what they leave behind.

use std::fs::File;
use std::io;
use std::thread;

use aya::Ebpf;
use aya::maps::{Array, MapData};
use aya::programs::{SchedClassifier, TestRun, TestRunOptions};
use netctl_common::abi::{Answer, maps};
use netctl_common::frame::Arrived;
use netctl_common::reject::MAX_LEN;
use netctl_common::verdict::{Action, Direction, Reason, Verdict};

use super::KernelError;
use super::load::{Kernel, classifier, load_error, program_name, verifier_error};
use super::twins::{Kept, Twins};
use super::verified::Verified;

/// Loaded twins of the programs.
pub struct Twin {
    /// By [`Direction`], each with a map for its answers; only those that were wanted.
    programs: [Option<One>; 2],
    /// Of the twins that are kept, which are one question's at a time.
    _lock: Option<File>,
}

/// The twin of one program.
enum One {
    Loaded(Ebpf),
    Kept(Box<Kept>),
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
        let load = |direction| self.load_twin(direction, Flows::Known).map(|twin| Some(One::Loaded(twin)));
        Ok(Twin { programs: side_by_side(load)?, _lock: None })
    }

    /// The twins of these directions, kept by an earlier question or for the next: the kernel's verifier takes a tenth of a
    /// second for each. Another question waits for this one.
    pub fn twin_of(&self, directions: &[Direction], flows: Flows) -> Result<Twin, KernelError> {
        let Ok(twins) = Twins::of(&self.pins) else { return self.twin() };
        let load = |direction: Direction| {
            if !directions.contains(&direction) {
                return Ok(None);
            }
            match twins.open(direction, flows) {
                Some(kept) => Ok(Some(One::Kept(Box::new(kept)))),
                None => {
                    let object = self.load_twin(direction, flows)?;
                    twins.keep(direction, flows, &object);
                    Ok(Some(One::Loaded(object)))
                }
            }
        };
        Ok(Twin { programs: side_by_side(load)?, _lock: Some(twins.lock) })
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

/// For both directions at the same time.
fn side_by_side(
    load: impl Fn(Direction) -> Result<Option<One>, KernelError> + Sync,
) -> Result<[Option<One>; 2], KernelError> {
    let [from_guest, to_guest] = thread::scope(|scope| {
        let from_guest = scope.spawn(|| load(Direction::FromGuest));
        let to_guest = load(Direction::ToGuest);
        [from_guest.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), to_guest]
    });
    Ok([from_guest?, to_guest?])
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
        let loaded = Direction::ALL.into_iter().zip(&self.programs).filter_map(|(direction, one)| {
            let name = program_name(direction);
            let info = match one.as_ref()? {
                One::Loaded(object) => object.program(name)?.info(),
                One::Kept(kept) => kept.program.info(),
            };
            Some(Verified::of(format!("twin_of_{name}"), info))
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
        match self.programs[direction as usize].as_mut().ok_or_else(not_loaded)? {
            One::Loaded(object) => {
                answers(object)?.set(0, AnswerPod::none(), 0).map_err(load_error)?;
                run(classifier(object, program_name(direction))?, ifindex, frame)?;
                answered(answers(object)?.get(&0, 0).map_err(load_error)?)
            }
            One::Kept(kept) => {
                kept.answers.set(0, AnswerPod::none(), 0).map_err(load_error)?;
                run(&kept.program, ifindex, frame)?;
                answered(kept.answers.get(&0, 0).map_err(load_error)?)
            }
        }
    }
}

fn answers(object: &mut Ebpf) -> Result<Array<&mut MapData, AnswerPod>, KernelError> {
    let map = object.map_mut(maps::ANSWER);
    let map = map.ok_or_else(|| load_error(io::Error::other("the object has no map `answer`")))?;
    Array::try_from(map).map_err(load_error)
}

fn answered(AnswerPod(answer): AnswerPod) -> Result<Answered, KernelError> {
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
pub(super) struct AnswerPod(Answer);

impl AnswerPod {
    fn none() -> Self {
        Self(bytemuck::Zeroable::zeroed())
    }
}

// SAFETY: `Answer` is `bytemuck::Pod`: any bytes are a value of it, and it has no padding.
unsafe impl aya::Pod for AnswerPod {}

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Twin").finish_non_exhaustive()
    }
}
