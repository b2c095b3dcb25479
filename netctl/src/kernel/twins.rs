//! Twins of the programs that are kept between two questions of `explain`: pinned beside the programs, as they go with them, and
//! known by the build that they are of.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::PathBuf;

use aya::Ebpf;
use aya::maps::{Array, Map, MapData};
use aya::programs::SchedClassifier;
use netctl_common::abi::maps;
use netctl_common::verdict::Direction;

use super::ask::{AnswerPod, Flows};
use super::load::{OBJECT, program_name};
use super::pins::Pins;
use super::sys;

/// A twin that an earlier question has loaded.
pub(super) struct Kept {
    pub(super) program: SchedClassifier,
    pub(super) answers: Array<MapData, AnswerPod>,
}

/// The folder of twins, locked: they answer into one place each.
pub(super) struct Twins {
    folder: PathBuf,
    /// Of the object that this build loads.
    build: u64,
    pub(super) lock: File,
}

impl Twins {
    /// # Errors
    /// The folder cannot be made or locked: questions load twins of their own.
    pub(super) fn of(pins: &Pins) -> io::Result<Self> {
        let folder = pins.version().join("twins");
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let lock = File::open(&folder)?;
        lock.lock()?;
        let mut hasher = DefaultHasher::new();
        OBJECT.hash(&mut hasher);
        let this = Self { folder, build: hasher.finish(), lock };
        this.forget_other_builds()?;
        Ok(this)
    }

    fn prefix(&self) -> String {
        format!("{:016x}-", self.build)
    }

    fn forget_other_builds(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(&self.prefix()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Of the program, and of the map that it answers into.
    fn paths(&self, direction: Direction, flows: Flows) -> [PathBuf; 2] {
        let of = if flows == Flows::Ignored { "as-new" } else { "with-flows" };
        let name = format!("{}{}-{of}", self.prefix(), program_name(direction));
        [self.folder.join(format!("{name}-answer")), self.folder.join(name)]
    }

    pub(super) fn open(&self, direction: Direction, flows: Flows) -> Option<Kept> {
        let [answers, program] = self.paths(direction, flows);
        let answers = MapData::from_fd(sys::open_pin(&answers).ok()?).ok()?;
        let answers = Array::try_from(Map::from_map_data(answers).ok()?).ok()?;
        Some(Kept { program: SchedClassifier::from_pin(program).ok()?, answers })
    }

    /// One that cannot be kept is loaded again the next time.
    pub(super) fn keep(&self, direction: Direction, flows: Flows, object: &Ebpf) {
        let paths = self.paths(direction, flows);
        for path in &paths {
            // What an interrupted call left.
            let _ = fs::remove_file(path);
        }
        let [answers, program] = &paths;
        let pinned = object.map(maps::ANSWER).map(|map| map.pin(answers).is_ok());
        let twin: Option<&SchedClassifier> =
            object.program(program_name(direction)).and_then(|it| it.try_into().ok());
        if let (Some(true), Some(twin)) = (pinned, twin)
            && let Ok(fd) = twin.fd()
        {
            use std::os::fd::AsFd;
            let _ = sys::pin(fd.as_fd(), program);
        }
    }
}
