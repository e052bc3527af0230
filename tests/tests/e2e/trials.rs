//! Whoever has just joined keeps their server when the set shrinks: the manual's first example, letter for letter, at delays
//! from 0 to 9 s between the player and the scale-down. A hundred of them are `make trials`.

use std::{env, fs, time::Duration};

use anyhow::{Result, ensure};
use gamewarden_tests::{
    cluster,
    trials::{Trials, run},
};

/// The longest delay that is tried: with three probes three seconds apart that fail, a verdict says it by then.
const LONGEST: u64 = 9;

/// How many at once: their servers are probed by exec on the same machine.
const AT_ONCE: usize = 8;

fn judge(trials: &Trials, tried: usize) -> Result<()> {
    eprintln!("{trials}");
    ensure!(trials.0.len() == tried, "{} of {tried} were tried", trials.0.len());
    let taken = trials.taken();
    ensure!(taken.is_empty(), "{} of {tried} players have lost their servers: {taken:#?}", taken.len());
    Ok(())
}

#[tokio::test]
async fn who_has_just_joined_keeps_their_server() -> Result<()> {
    let delays = [0, 1, 2, 4, 7].map(Duration::from_secs);
    judge(&run(delays, delays.len()).await?, delays.len())
}

#[tokio::test]
#[ignore = "takes seven minutes: make trials"]
async fn a_hundred_who_have_joined_keep_their_servers() -> Result<()> {
    let each: u64 = env::var("GAMEWARDEN_TRIALS").map_or(Ok(10), |text| text.parse())?;
    let delays: Vec<_> = (0..each).flat_map(|_| (0..=LONGEST).map(Duration::from_secs)).collect();
    let tried = delays.len();
    let trials = run(delays, AT_ONCE).await?;
    fs::write(cluster::folder().join("trials.md"), trials.to_string())?;
    judge(&trials, tried)
}
