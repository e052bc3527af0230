//! Trials of a scale-down just after a player has joined: is it that player's server that goes?
//!
//! A player joins, and a while later (0 to 9 s) the set shrinks by one. With the manual's own probes a server counts as in
//! use after the third one that fails: for most of these delays the opsState still says that the player's server is the
//! first to go.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use anyhow::{Context, Result};
use futures::future::join_all;
use kube::ResourceExt;
use tokio::{sync::Mutex, time::Instant};

use crate::{Gss, Namespace, gss::ops_state, in_namespace, manifest::example_text, player::Player, wait};

/// What a server says that nobody is on.
const IDLE: &str = "WaitToBeDeleted";

/// Of three servers that are all idle, with equal priorities, the one of the highest ordinal goes first.
const FIRST: u32 = 2;

/// What came of one trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// From the player's welcome to the scale-down.
    pub delay: Duration,
    /// The server's opsState when the set shrank.
    pub state: String,
    /// Whether the player lost the server.
    pub taken: bool,
    /// From the scale-down until a server was on its way out.
    pub took: Duration,
}

/// Tries each of the delays, so many at once, each time on the manual's first example, letter for letter. One that could
/// not be tried to its end is an error; that a server was taken is in what it gives.
///
/// # Errors
/// A trial could not be made.
pub async fn run(delays: impl IntoIterator<Item = Duration>, at_once: usize) -> Result<Trials> {
    let (left, done) = (Mutex::new(delays.into_iter().collect::<VecDeque<_>>()), Mutex::new(Vec::new()));
    let lane = async || {
        in_namespace("trial", async |namespace| {
            let set = minecraft(namespace).await?;
            while let Some(delay) = next(&left).await {
                let trial = attempt(namespace, &set, delay).await;
                let trial = trial.with_context(|| format!("the trial of {} s", delay.as_secs()))?;
                eprintln!("{trial}");
                done.lock().await.push(trial);
            }
            Ok(())
        })
        .await
    };
    // All of them to their end: one that is dropped would leave its namespace.
    let ended: Result<()> = join_all((0..at_once).map(|_| lane())).await.into_iter().collect();
    ended?;
    Ok(Trials(done.into_inner()))
}

async fn next(left: &Mutex<VecDeque<Duration>>) -> Option<Duration> {
    left.lock().await.pop_front()
}

/// The manual's first walkthrough, once all servers are idle.
async fn minecraft(namespace: &Namespace) -> Result<Gss<'_>> {
    let yaml = example_text("minecraft", &namespace.name)?;
    namespace.kubectl_with("apply -f -", Some(&yaml)).await?;
    Ok(Gss::of(namespace, "minecraft"))
}

async fn attempt(namespace: &Namespace, set: &Gss<'_>, delay: Duration) -> Result<Trial> {
    set.scale(3).await?;
    set.wait_states(&[(0, IDLE), (1, IDLE), (2, IDLE)]).await?;
    let server = set.server(FIRST);
    let before = set.identity(FIRST).await?;
    let mut player = Player::enter(namespace, &server).await?;
    // The delay is what is tried, and no wait for something.
    tokio::time::sleep(delay).await;
    let state = ops_state(&set.servers().get(&server).await?).unwrap_or_default().to_owned();
    let began = Instant::now();
    set.scale(2).await?;
    wait::all(&set.pods(), set.members(), "one is on its way out", |pods| {
        pods.len() < 3 || pods.values().any(|pod| pod.metadata.deletion_timestamp.is_some())
    })
    .await?;
    let took = began.elapsed();
    let left = wait::all(&set.pods(), set.members(), "one has gone", |pods| {
        pods.len() == 2 && pods.values().all(|pod| pod.metadata.deletion_timestamp.is_none())
    })
    .await?;
    let is_there = left.get(&server).is_some_and(|pod| pod.uid().as_ref() == Some(&before.uid));
    let plays = is_there && set.identity(FIRST).await? == before && player.say("hello").await.is_ok();
    Ok(Trial { delay, state, taken: !plays, took })
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (delay, took) = (self.delay.as_secs(), self.took.as_secs_f64());
        let what = if self.taken { "TAKEN" } else { "kept" };
        write!(
            f,
            "joined {delay} s before, {} then: {what}; one was on its way out after {took:.1} s",
            self.state
        )
    }
}

/// What came of all of them: as text, the table of docs/results/trials.md.
#[derive(Clone, Debug)]
pub struct Trials(pub Vec<Trial>);

impl Trials {
    /// Those in which the player lost the server.
    #[must_use]
    pub fn taken(&self) -> Vec<&Trial> {
        self.0.iter().filter(|trial| trial.taken).collect()
    }
}

impl fmt::Display for Trials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut delays: BTreeMap<Duration, Vec<&Trial>> = BTreeMap::new();
        for trial in &self.0 {
            delays.entry(trial.delay).or_default().push(trial);
        }
        writeln!(
            f,
            "| joined before the scale-down | trials | opsState still {IDLE} | the player's server taken | a server on its way out after |"
        )?;
        writeln!(f, "|---|---|---|---|---|")?;
        for (delay, trials) in &delays {
            row(f, &format!("{} s", delay.as_secs()), trials)?;
        }
        row(f, "**all**", &self.0.iter().collect::<Vec<_>>())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, trials: &[&Trial]) -> fmt::Result {
    let late = trials.iter().filter(|trial| trial.state == IDLE).count();
    let taken = trials.iter().filter(|trial| trial.taken).count();
    let mut took: Vec<f64> = trials.iter().map(|trial| trial.took.as_secs_f64()).collect();
    took.sort_by(f64::total_cmp);
    let (half, longest) = (took.get(took.len() / 2), took.last());
    let time = |time: Option<&f64>| time.map_or_else(|| "none".to_owned(), |time| format!("{time:.1} s"));
    let times = format!("{}, at most {}", time(half), time(longest));
    writeln!(f, "| {name} | {} | {late} | {taken} | {times} |", trials.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_each_delay_and_one_for_all() {
        let trial = |delay, state: &str, taken, took| Trial {
            delay: Duration::from_secs(delay),
            state: state.to_owned(),
            taken,
            took: Duration::from_millis(took),
        };
        let trials = Trials(vec![
            trial(9, "None", false, 900),
            trial(0, IDLE, true, 500),
            trial(0, IDLE, false, 1500),
        ]);
        assert_eq!(trials.taken().len(), 1);
        let table = trials.to_string();
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| 0 s | 2 | 2 | 1 | 1.5 s, at most 1.5 s |",
                "| 9 s | 1 | 0 | 0 | 0.9 s, at most 0.9 s |",
                "| **all** | 3 | 2 | 1 | 0.9 s, at most 1.5 s |",
            ]
        );
    }
}
