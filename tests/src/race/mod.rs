//! The race: do removals ever take a server whose player was there before the last look?
//!
//! ```text
//!   crowd    players who join and leave          ┐
//!   disturb  scale changes, leaders and API      ├──► log ──► lives ──► judge ──► report
//!            servers that end                    │
//!   watch    what the API server shows of it all ┘
//! ```
//!
//! Two sets, one Strict and one Prefer. Their servers are probed often, but believed late: three failed probes make a
//! verdict, so that a server with players is WaitToBeDeleted for most of a visit, and only the last look can tell.

mod crowd;
mod disturb;
mod judge;
mod lives;
mod log;
mod report;
mod watch;

use std::{
    env,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use gamewarden_api::{names, removal::Protection};
use serde_json::json;
use tokio::time::{Instant, sleep};

use self::{log::Log, watch::Watches};
use crate::{Gss, Manifest, Namespace};

pub use self::{
    judge::{Judgement, Removed, Wrong, judge},
    log::{ClaimSeen, Disturbance, Entry, What},
    report::Report,
};

/// The sets that race.
const SETS: [(&str, Protection); 2] = [("strict", Protection::Strict), ("prefer", Protection::Prefer)];

/// How it is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Repeats the choices of an earlier run, not its timing.
    pub seed: u64,
    /// How long at least.
    pub lasts: Duration,
    /// How many players.
    pub players: u64,
    /// How many servers a set has at most.
    pub servers: u32,
    /// How many joins and leaves at least.
    pub flips: usize,
    /// How many scale changes at least.
    pub scales: usize,
    /// How many removals at least.
    pub removals: usize,
    /// Whether leaders are killed and stopped.
    pub leader_ends: bool,
    /// How often the API server is killed.
    pub api_restarts: u32,
}

impl Settings {
    /// One that others may run beside, and that bears with what they do to leaders.
    #[must_use]
    pub fn short() -> Self {
        Self {
            seed: setting("GAMEWARDEN_SEED", fastrand::u64(..)),
            lasts: Duration::from_secs(20),
            players: 8,
            servers: 5,
            flips: 50,
            scales: 8,
            removals: 3,
            leader_ends: false,
            api_restarts: 0,
        }
    }

    /// `make race`: `GAMEWARDEN_RACE_SECONDS`, `…_FLIPS`, `…_SCALES`, `…_PLAYERS` and `GAMEWARDEN_SEED` change it.
    #[must_use]
    pub fn full() -> Self {
        Self {
            lasts: Duration::from_secs(setting("GAMEWARDEN_RACE_SECONDS", 540)),
            players: setting("GAMEWARDEN_RACE_PLAYERS", 8),
            flips: setting("GAMEWARDEN_RACE_FLIPS", 2_000),
            scales: setting("GAMEWARDEN_RACE_SCALES", 300),
            removals: 50,
            leader_ends: true,
            api_restarts: setting("GAMEWARDEN_RACE_API_RESTARTS", 2),
            ..Self::short()
        }
    }
}

fn setting<T: FromStr>(name: &str, default: T) -> T {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A race under way, as its parts see it.
struct Course {
    settings: Settings,
    over: AtomicBool,
}

impl Course {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn servers(&self) -> u32 {
        self.settings.servers
    }

    /// The choices of one part, whatever the others do.
    fn random(&self, part: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.settings.seed.wrapping_add(part))
    }

    /// Until it has lasted as long, and as much has happened, as it should.
    ///
    /// # Errors
    /// In more than twice the time it has not.
    async fn runs(&self, log: &Log) -> Result<()> {
        let (began, wanted) = (Instant::now(), &self.settings);
        let longest = wanted.lasts * 2 + Duration::from_secs(60);
        let result = loop {
            sleep(Duration::from_millis(200)).await;
            let flips = log.count(|what| matches!(what, What::Joined { .. } | What::Left { .. }));
            let scales = log.count(|what| matches!(what, What::Scaled { .. }));
            let removals = log.count(|what| matches!(what, What::Deleted { .. }));
            let enough = flips >= wanted.flips && scales >= wanted.scales && removals >= wanted.removals;
            if enough && began.elapsed() >= wanted.lasts {
                break Ok(());
            }
            if began.elapsed() > longest {
                let said = format!("{flips} flips, {scales} scale changes, {removals} removals: too few");
                break Err(anyhow::Error::msg(said));
            }
        };
        self.over.store(true, Ordering::Relaxed);
        result
    }
}

/// Runs a race and judges it. The log goes to the file, if one is named.
///
/// # Errors
/// The race could not be run as it should. What was wrong with removals is in the report.
pub async fn run(namespace: &Namespace, settings: Settings, file: Option<&Path>) -> Result<Report> {
    let (log, began) = (Log::default(), Instant::now());
    let watches = Watches::of(namespace, &log);
    let mut sets = Vec::new();
    for (name, protection) in SETS {
        sets.push(make(namespace, name, protection, settings.servers).await?);
    }
    let course = Course { settings, over: AtomicBool::new(false) };
    let players = (1..=course.settings.players)
        .map(|number| crowd::play(namespace, &log, &watches.open, &course, number));
    let ended = tokio::try_join!(
        try_join_all(players),
        disturb::scale(&sets, &log, &course),
        disturb::disturb(namespace, &log, &course),
        course.runs(&log),
    );
    drop(watches);
    let entries = log.entries();
    if let Some(file) = file {
        write(file, &entries).with_context(|| format!("writing {}", file.display()))?;
    }
    let sets = SETS.iter().map(|(name, protection)| ((*name).to_owned(), *protection)).collect();
    let report = Report::of(entries, &sets, course.settings.seed, began.elapsed());
    if let Err(error) = ended {
        let what = format!("the race was not run to its end:\n{report}\n{}", report.wrong());
        return Err(error.context(what));
    }
    Ok(report)
}

/// Idle servers that are asked every two seconds, and found in use when three have said so.
async fn make<'a>(
    namespace: &'a Namespace,
    name: &str,
    protection: Protection,
    servers: u32,
) -> Result<Gss<'a>> {
    let manifest = Manifest::idle(name, servers)?.quality(json!({"failureThreshold": 3}));
    let mut manifest = manifest.value();
    let text = Protection::ALL.into_iter().find(|(_, one)| *one == protection).map(|(text, _)| text);
    manifest["metadata"]["annotations"] = json!({names::PROTECTION: text});
    namespace.kubectl_with("apply -f -", Some(&manifest.to_string())).await?;
    Ok(Gss::of(namespace, name))
}

fn write(file: &Path, entries: &[Entry]) -> Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    for entry in entries {
        writeln!(out, "{entry}")?;
    }
    Ok(out.flush()?)
}
