//! The machine: how many cores, how much memory we took, and whether somebody else is at work.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Failure;

/// Before a round: the share of the machine that others may take.
const QUIET: f64 = 0.10;
/// During a round: more, for a system's own work on our behalf is nobody's.
const TOLERATED: f64 = 0.20;
const SAMPLE: Duration = Duration::from_millis(400);
/// How long the machine may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(20);

const REMEDY: &str = "end what else runs and measure again, check with --smoke, or say \
                      --busy-anyway and get figures marked as busy";

/// Tells the time that we and our server spend from that of others.
#[derive(Debug)]
pub struct Machine {
    postmaster: u32,
    refuses: bool,
}

/// Ticks since the machine started.
#[derive(Clone, Copy, Debug)]
struct Ticks {
    all: u64,
    busy: u64,
    ours: u64,
}

/// A round under observation.
#[derive(Debug)]
pub struct Watch<'m> {
    machine: &'m Machine,
    begun: Option<Ticks>,
}

impl Machine {
    /// `refuses` is whether it matters.
    pub fn new(postmaster: u32, refuses: bool) -> Self {
        Self { postmaster, refuses }
    }

    /// Waits until nothing else is at work, and watches from then on.
    pub async fn quiet(&self) -> Result<Watch<'_>, Failure> {
        if !self.refuses {
            return Ok(Watch { machine: self, begun: None });
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let before = self.ticks()?;
            tokio::time::sleep(SAMPLE).await;
            let after = self.ticks()?;
            let others = others(before, after);
            if others <= QUIET {
                return Ok(Watch { machine: self, begun: Some(after) });
            }
            if Instant::now() > until {
                return Err(format!(
                    "the machine is busy: for {} s something else has been taking {:.0} % of it, \
                     so figures would say nothing; {REMEDY}",
                    PATIENCE.as_secs(),
                    others * 100.0
                )
                .into());
            }
        }
    }

    fn ticks(&self) -> Result<Ticks, Failure> {
        let stat = fs::read_to_string("/proc/stat")
            .map_err(|error| format!("/proc/stat can't be read ({error}): run on Linux"))?;
        let (all, busy) = total(&stat).ok_or("/proc/stat is not as Linux writes it")?;
        Ok(Ticks { all, busy, ours: self.ours() })
    }

    /// What our process, the server and the children of both have spent.
    fn ours(&self) -> u64 {
        let us = std::process::id();
        let Ok(processes) = fs::read_dir("/proc") else { return 0 };
        let mut ticks = 0;
        for entry in processes.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            let Some(process) = Process::read(&entry.path()) else { continue };
            if id == us || id == self.postmaster {
                // With the children that have ended.
                ticks += process.own + process.of_children;
            } else if process.parent == us || process.parent == self.postmaster {
                ticks += process.own;
            }
        }
        ticks
    }
}

impl Watch<'_> {
    /// Fails if somebody else was at work meanwhile.
    pub fn end(self) -> Result<(), Failure> {
        let Some(begun) = self.begun else { return Ok(()) };
        let others = others(begun, self.machine.ticks()?);
        if others <= TOLERATED {
            tracing::debug!(others, "a round was measured");
            return Ok(());
        }
        Err(format!(
            "the machine was busy: during a round something else took {:.0} % of it, so the \
             figures say nothing; {REMEDY}",
            others * 100.0
        )
        .into())
    }
}

/// The share of the machine that neither we nor our server took.
fn others(before: Ticks, after: Ticks) -> f64 {
    let all = after.all.saturating_sub(before.all).max(1);
    let busy = after.busy.saturating_sub(before.busy);
    let ours = after.ours.saturating_sub(before.ours);
    busy.saturating_sub(ours) as f64 / all as f64
}

/// All ticks and those in which the machine worked, or another machine took them from it.
fn total(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> =
        line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let all: u64 = ticks.iter().sum();
    let [_user, _nice, _system, idle, waiting, ..] = ticks.as_slice() else { return None };
    Some((all, all - idle - waiting))
}

#[derive(Debug, PartialEq, Eq)]
struct Process {
    parent: u32,
    own: u64,
    of_children: u64,
}

impl Process {
    fn read(folder: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(folder.join("stat")).ok()?)
    }

    /// The name stands in parentheses and may hold anything, so what follows the last one counts.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)? + ticks(12)?,
            of_children: ticks(13)? + ticks(14)?,
        })
    }
}

/// Begins the count of [`rss_mb`] anew: what an earlier bench took is not the next one's.
pub fn forget_peak() {
    // Where the system does not let us, the figure is the peak of the whole process.
    drop(fs::write("/proc/self/clear_refs", "5"));
}

/// The most memory that this process has had since the peak was forgotten, in megabytes.
pub fn rss_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1_024.0
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The kind of file system that a folder lies on, as the system names it.
pub fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    kind_of(&mounts, folder).unwrap_or("unknown").to_owned()
}

/// The mount with the longest path above the folder; of two at one place the later one.
fn kind_of<'m>(mounts: &'m str, folder: &Path) -> Option<&'m str> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let above = mounts.filter(|(place, _)| folder.starts_with(place));
    above.max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_took_is_what_is_left() {
        let before = total("cpu  10 0 10 100 5 0 0 0 0 0\ncpu0 1 1").unwrap();
        assert_eq!(before, (125, 20));
        let ticks = |all, busy, ours| Ticks { all, busy, ours };
        assert_eq!(others(ticks(125, 20, 20), ticks(225, 80, 50)), 0.3);
        assert_eq!(others(ticks(125, 20, 20), ticks(225, 30, 50)), 0.0);
        assert_eq!(total("intr 1"), None);
    }

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let line = "77 (a) b (c)) S 12 1 1 0 -1 4194560 1 2 3 4 50 6 700 8 20 0 1 0 0";
        let process = Process { parent: 12, own: 56, of_children: 708 };
        assert_eq!(Process::parse(line), Some(process));
        assert!(Process::parse("77").is_none());
    }

    #[test]
    fn a_folder_lies_on_the_nearest_mount() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/deep xfs rw 0 0\n";
        assert_eq!(kind_of(mounts, Path::new("/tmp/x")), Some("tmpfs"));
        assert_eq!(kind_of(mounts, Path::new("/tmp/deep/x")), Some("xfs"));
        assert_eq!(kind_of(mounts, Path::new("/var")), Some("ext4"));
    }
}
