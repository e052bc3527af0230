//! What is done to the sets, to the controllers and to the API server while players play.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::{
    process::Command,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Course,
    log::{Disturbance, Log, What},
};
use crate::{
    Gss, Namespace, cluster,
    controller::{Stopped, another_leads, kill_leader, replace_killed},
};

/// Scales one of the sets, again and again.
pub(super) async fn scale(sets: &[Gss<'_>], log: &Log, course: &Course) -> Result<()> {
    let mut random = course.random(1_000);
    while !course.is_over() {
        // What people do, and no wait for something.
        sleep(Duration::from_millis(random.u64(300..3000))).await;
        let Some(set) = random.choice(sets) else { continue };
        let replicas = random.u32(1..=course.servers());
        match set.scale(replicas).await {
            Ok(()) => log.note(What::Scaled { set: set.name.clone(), replicas }),
            Err(error) => eprintln!("{} is not scaled to {replicas}: {error:#}", set.name),
        }
    }
    Ok(())
}

/// Ends leaders and API servers at random, one after another. What fails is said, and the race goes on: how often each was
/// done is in the table.
pub(super) async fn disturb(namespace: &Namespace, log: &Log, course: &Course) -> Result<()> {
    let mut random = course.random(1_001);
    let began = Instant::now();
    let restarts = course.settings.api_restarts;
    let mut restarts =
        (1..=restarts).map(|nth| began + course.settings.lasts * nth / (restarts + 1)).peekable();
    loop {
        let next = Instant::now() + Duration::from_millis(random.u64(5_000..30_000));
        while Instant::now() < next && !course.is_over() {
            sleep_until(next.min(Instant::now() + Duration::from_millis(500))).await;
        }
        if course.is_over() {
            return Ok(());
        }
        let done = if restarts.next_if(|at| *at <= Instant::now()).is_some() {
            restart_api_server(log, random.u32(0..6)).await
        } else if !course.settings.leader_ends {
            Ok(())
        } else if random.bool() {
            end_leader(namespace, log).await
        } else {
            stop_leader(namespace, log, Duration::from_millis(random.u64(0..8_000))).await
        };
        if let Err(error) = done {
            eprintln!("a disturbance failed: {error:#}");
        }
    }
}

async fn end_leader(namespace: &Namespace, log: &Log) -> Result<()> {
    let client = &namespace.client;
    let killed = kill_leader(client).await?;
    log.note(What::Disturbed(Disturbance::LeaderKilled));
    another_leads(client, &killed).await?;
    replace_killed(client).await
}

/// Stops the leader past its lease and `longer`, while another leads, and lets it go on.
async fn stop_leader(namespace: &Namespace, log: &Log, longer: Duration) -> Result<()> {
    let client = &namespace.client;
    let stopped = Stopped::leader(client).await?;
    log.note(What::Disturbed(Disturbance::LeaderStopped));
    another_leads(client, &stopped.leader.identity).await?;
    // How late it wakes up is what is tried.
    sleep(longer).await;
    log.note(What::Disturbed(Disturbance::LeaderGoesOn));
    stopped.goes_on_and_ends(client).await?;
    replace_killed(client).await
}

async fn restart_api_server(log: &Log, away: u32) -> Result<()> {
    log.note(What::Disturbed(Disturbance::ApiServerEnds));
    let path = cluster::repository().join("tests/cluster/restart-api-server");
    let mut command = Command::new(&path);
    command.arg(away.to_string()).env("GAMEWARDEN_CLUSTER_DIR", cluster::folder());
    let output = command.output().await.with_context(|| format!("running {}", path.display()))?;
    ensure!(output.status.success(), "restart-api-server: {}", String::from_utf8_lossy(&output.stderr));
    log.note(What::Disturbed(Disturbance::ApiServerAnswers));
    Ok(())
}
