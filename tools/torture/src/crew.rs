//! The worker processes: started, killed, paused and replaced.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How often an end is looked for.
const PAUSE: Duration = Duration::from_millis(2);

/// What a worker is started with: its place in the crew, and how many were in this place before.
type Arguments = Box<dyn Fn(usize, u32) -> Vec<String> + Send + Sync>;

/// Processes of one program. Each has a standard input that stays open as long as the crew lives, and
/// is expected to end when it does not. Dropped, the crew kills them all.
pub struct Crew {
    program: PathBuf,
    arguments: Arguments,
    log: PathBuf,
    places: Vec<Place>,
}

#[derive(Default)]
struct Place {
    /// With its standard input; none between a kill and its replacement.
    child: Option<Child>,
    lives: u32,
    paused: bool,
}

/// A worker that ended though nobody killed it.
#[derive(Debug)]
pub struct Deserter {
    pub place: usize,
    pub status: ExitStatus,
}

impl Crew {
    /// A crew of nobody. What workers say to standard error goes to files in `folder`, one a place.
    ///
    /// # Errors
    ///
    /// The folder can't be made.
    pub fn new(
        program: impl Into<PathBuf>,
        folder: &Path,
        arguments: impl Fn(usize, u32) -> Vec<String> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (program, log) = (program.into(), folder.to_path_buf());
        Ok(Self { program, arguments: Box::new(arguments), log, places: Vec::new() })
    }

    /// One more worker; its place.
    ///
    /// # Errors
    ///
    /// The program can't be started.
    pub fn hire(&mut self) -> io::Result<usize> {
        let place = self.places.len();
        let child = self.spawn(place, 0)?;
        self.places.push(Place { child: Some(child), lives: 1, paused: false });
        Ok(place)
    }

    /// How many places there are.
    #[must_use]
    pub fn places(&self) -> usize {
        self.places.len()
    }

    /// How many workers live, paused ones among them.
    #[must_use]
    pub fn living(&mut self) -> usize {
        self.places.iter_mut().filter_map(Place::pid).count()
    }

    /// The process in a place, if it lives.
    #[must_use]
    pub fn pid(&mut self, place: usize) -> Option<i32> {
        Some(self.places.get_mut(place)?.pid()?.as_raw_nonzero().get())
    }

    /// Kills a worker without a warning, and waits for its end. Nobody there is fine.
    pub async fn kill(&mut self, place: usize) {
        let Some(place) = self.places.get_mut(place) else { return };
        place.signal(Signal::KILL);
        while place.pid().is_some() {
            tokio::time::sleep(PAUSE).await;
        }
        (place.child, place.paused) = (None, false);
    }

    /// Pauses a worker where it stands, whatever it holds.
    pub fn stop(&mut self, place: usize) {
        if let Some(place) = self.places.get_mut(place) {
            place.signal(Signal::STOP);
            place.paused = true;
        }
    }

    /// Lets a paused worker go on.
    pub fn cont(&mut self, place: usize) {
        if let Some(place) = self.places.get_mut(place) {
            place.signal(Signal::CONT);
            place.paused = false;
        }
    }

    /// Which workers are paused.
    #[must_use]
    pub fn paused(&self) -> Vec<usize> {
        let places = self.places.iter().enumerate();
        places.filter(|(_, place)| place.paused).map(|(index, _)| index).collect()
    }

    /// A new worker in a place, in place of whoever is there.
    ///
    /// # Errors
    ///
    /// The program can't be started.
    pub async fn replace(&mut self, place: usize) -> io::Result<()> {
        self.kill(place).await;
        let Some(lives) = self.places.get(place).map(|place| place.lives) else { return Ok(()) };
        let child = self.spawn(place, lives)?;
        if let Some(place) = self.places.get_mut(place) {
            place.child = Some(child);
            place.lives += 1;
        }
        Ok(())
    }

    /// Those who ended by themselves, each once; their places stay empty until they are replaced.
    #[must_use]
    pub fn deserters(&mut self) -> Vec<Deserter> {
        let mut found = Vec::new();
        for (index, place) in self.places.iter_mut().enumerate() {
            let ended = place.child.as_mut().and_then(|child| child.try_wait().ok()?);
            if let Some(status) = ended {
                place.child = None;
                found.push(Deserter { place: index, status });
            }
        }
        found
    }

    /// Everybody goes on, and every empty place is filled.
    ///
    /// # Errors
    ///
    /// The program can't be started.
    pub async fn heal(&mut self) -> io::Result<()> {
        for place in 0..self.places.len() {
            self.cont(place);
            if self.pid(place).is_none() {
                self.replace(place).await?;
            }
        }
        Ok(())
    }

    /// Ends everybody as a shutdown does, and after so long by force; who had to be forced.
    pub async fn dismiss(&mut self, patience: Duration) -> Vec<usize> {
        for index in 0..self.places.len() {
            self.cont(index);
            let child = self.places.get_mut(index).and_then(|place| place.child.as_mut());
            drop(child.and_then(|child| child.stdin.take()));
        }
        let until = tokio::time::Instant::now() + patience;
        while self.living() > 0 && tokio::time::Instant::now() < until {
            tokio::time::sleep(PAUSE).await;
        }
        let mut forced = Vec::new();
        for index in 0..self.places.len() {
            if self.pid(index).is_some() {
                forced.push(index);
                self.kill(index).await;
            }
        }
        forced
    }

    /// The file that a place's workers write to.
    #[must_use]
    pub fn log(&self, place: usize) -> PathBuf {
        self.log.join(format!("worker-{place}.log"))
    }

    fn spawn(&self, place: usize, lives: u32) -> io::Result<Child> {
        let log = File::options().create(true).append(true).open(self.log(place))?;
        Command::new(&self.program)
            .args((self.arguments)(place, lives))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            // A group of its own: when we are killed while it is paused, the system finds a group
            // without a parent that is stopped, and ends it.
            .process_group(0)
            .spawn()
    }
}

impl Place {
    /// Our child as long as it has not ended: its number can't be another's before we wait for it.
    fn pid(&mut self) -> Option<Pid> {
        let child = self.child.as_mut()?;
        match child.try_wait() {
            Ok(None) => Some(Pid::from_child(child)),
            _ => None,
        }
    }

    fn signal(&mut self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended meanwhile; it is still ours.
            let _ended = kill_process(pid, signal);
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for place in &mut self.places {
            place.signal(Signal::KILL);
        }
        for child in self.places.iter_mut().filter_map(|place| place.child.as_mut()) {
            let _status = child.wait();
        }
    }
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew").field("places", &self.places.len()).finish_non_exhaustive()
    }
}
