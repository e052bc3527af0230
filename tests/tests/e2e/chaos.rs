//! Leaders killed, stopped and restarted at random moments of random work, round after round: `make failover`.
//!
//! `GAMEWARDEN_ROUNDS` says how many rounds, `GAMEWARDEN_SEED` repeats the choices of an earlier run (not its
//! timing).

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use gamewarden_tests::{
    Gss, Manifest, Namespace,
    controller::{Stopped, another_leads, kill_leader, replace_killed, restart_leader},
    in_namespace,
    player::Player,
    wait,
};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::{ResourceExt, api::ListParams};
use serde_json::json;
use tokio::time::sleep;

/// Servers that players come to and leave.
const ARENA: u32 = 4;

fn setting<T: FromStr>(name: &str, default: T) -> T {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test]
#[ignore = "takes a minute a round: make failover"]
async fn whatever_becomes_of_leaders_nothing_is_lost_and_nothing_is_done_twice() -> Result<()> {
    let (rounds, seed) = (setting("GAMEWARDEN_ROUNDS", 5), setting("GAMEWARDEN_SEED", fastrand::u64(..)));
    eprintln!("GAMEWARDEN_ROUNDS={rounds} GAMEWARDEN_SEED={seed}");
    fastrand::seed(seed);
    in_namespace("chaos", async |namespace| {
        let mut world = World::begin(namespace).await?;
        for round in 1..=rounds {
            let began = Instant::now();
            let what = world.round().await.with_context(|| format!("round {round} of seed {seed}"))?;
            eprintln!("round {round}: {what}; as it should be after {}s", began.elapsed().as_secs());
        }
        Ok(())
    })
    .await
}

/// The sets, and what is wanted of them.
struct World<'a> {
    namespace: &'a Namespace,
    arena: Gss<'a>,
    pool: Gss<'a>,
    players: BTreeMap<u32, Player>,
    uids: BTreeMap<String, Option<String>>,
    version: u32,
    scales: Vec<u32>,
}

impl<'a> World<'a> {
    async fn begin(namespace: &'a Namespace) -> Result<World<'a>> {
        let arena = Gss::create(namespace, &Manifest::idle("arena", ARENA)?).await?;
        let pool = Gss::create(namespace, &Manifest::plain("pool", 2)?).await?;
        pool.wait_ready(&[0, 1]).await?;
        let mut world = Self {
            namespace,
            arena,
            pool,
            players: BTreeMap::new(),
            uids: BTreeMap::new(),
            version: 0,
            scales: vec![2],
        };
        world.uids = uids(&world.arena_as_wanted().await?);
        Ok(world)
    }

    /// Random work, and in the middle of it the end or the sleep of the leader; then everything is as wanted.
    async fn round(&mut self) -> Result<String> {
        let work = self.work().await?;
        sleep(Duration::from_millis(fastrand::u64(0..3000))).await;
        let client = &self.namespace.client;
        let (what, before, stopped) = match fastrand::u8(0..3) {
            0 => ("killed", kill_leader(client).await?, None),
            1 => ("restarted", restart_leader(client).await?, None),
            _ => {
                let stopped = Stopped::leader(client).await?;
                ("stopped", stopped.leader.identity.clone(), Some(stopped))
            }
        };
        another_leads(client, &before).await?;
        if let Some(stopped) = stopped {
            // At once, while the new one has most to do.
            stopped.goes_on_and_ends(client).await?;
        }
        self.arena_as_wanted().await?;
        self.pool_as_wanted().await?;
        self.namespace.settled().await?;
        self.check().await?;
        replace_killed(client).await?;
        Ok(format!("{work}, leader {what}"))
    }

    async fn work(&mut self) -> Result<String> {
        for ordinal in 0..ARENA {
            if fastrand::bool() && self.players.remove(&ordinal).is_none() {
                let player = Player::enter(self.namespace, &self.arena.server(ordinal)).await?;
                self.players.insert(ordinal, player);
            }
        }
        let replicas = fastrand::u32(1..6);
        if Some(&replicas) != self.scales.last() {
            self.scales.push(replicas);
        }
        let mut patch = json!({"spec": {"replicas": replicas}});
        let mut text = format!("players on {:?}, {replicas} servers", self.players.keys());
        if fastrand::bool() {
            self.version += 1;
            let env = json!({"env": [{"name": "VERSION", "value": self.version.to_string()}]});
            let template = Manifest::plain("pool", 1)?.container(env).object()?.spec.game_server_template;
            patch["spec"]["gameServerTemplate"] = json!(template);
            text += ", a new template";
        }
        self.pool.patch(patch).await?;
        Ok(text)
    }

    async fn arena_as_wanted(&self) -> Result<BTreeMap<String, Pod>> {
        let state = |ordinal| if self.players.contains_key(&ordinal) { "None" } else { "WaitToBeDeleted" };
        self.arena.wait_states(&(0..ARENA).map(|o| (o, state(o))).collect::<Vec<_>>()).await
    }

    async fn pool_as_wanted(&self) -> Result<()> {
        let (version, replicas) = (self.version.to_string(), self.scales.last().copied().unwrap_or(0));
        let is_new = |pod: &Pod| {
            let env = pod.spec.iter().flat_map(|s| &s.containers).flat_map(|c| c.env.iter().flatten());
            let mut found = env.filter(|var| var.name == "VERSION").filter_map(|var| var.value.as_deref());
            found.next().unwrap_or("0") == version
        };
        let names: BTreeSet<String> = (0..replicas).map(|o| self.pool.server(o)).collect();
        let what = format!("the pool is {names:?} of version {version}");
        wait::all(&self.pool.pods(), self.pool.members(), &what, |seen| {
            seen.keys().eq(names.iter()) && seen.values().all(is_new)
        })
        .await?;
        self.pool.wait_ready(&(0..replicas).collect::<Vec<_>>()).await.map(drop)
    }

    /// No server of the arena was made again, and what was said is a chain: each change begins where the one
    /// before it ended, the last one ends where things are.
    async fn check(&self) -> Result<()> {
        let now = uids(&self.arena_as_wanted().await?);
        ensure!(now == self.uids, "other pods: {now:?} instead of {:?}", self.uids);
        for ordinal in 0..ARENA {
            let server = self.arena.server(ordinal);
            let end = if self.players.contains_key(&ordinal) { "None" } else { "WaitToBeDeleted" };
            let said = self.changes(&server, "OpsState turn from ").await?;
            chain(&said, "None", end).with_context(|| format!("opsState of {server}: {said:?}"))?;
        }
        let said = self.changes("pool", "scale from ").await?;
        let wanted: Vec<(String, String)> =
            self.scales.windows(2).map(|pair| (pair[0].to_string(), pair[1].to_string())).collect();
        ensure!(said == wanted, "said of the pool: {said:?} instead of {wanted:?}");
        Ok(())
    }

    /// From and to of the events about an object that begin like this, in the order they were written.
    async fn changes(&self, name: &str, begin: &str) -> Result<Vec<(String, String)>> {
        let about = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let mut events = self.namespace.api::<Event>().list(&about).await?.items;
        events.sort_by_key(|e| e.resource_version().and_then(|v| v.parse::<u64>().ok()));
        let messages = events.iter().filter_map(|e| e.message.as_deref()?.strip_prefix(begin));
        let words = messages.map(|m| m.split(' ').collect::<Vec<_>>());
        Ok(words.filter(|w| w.len() >= 3).map(|w| (w[0].to_owned(), w[2].to_owned())).collect())
    }
}

fn chain(changes: &[(String, String)], begin: &str, end: &str) -> Result<()> {
    let mut at = begin;
    for (from, to) in changes {
        ensure!(from == at, "from {from} although it was {at}");
        at = to;
    }
    ensure!(at == end, "the last one ends in {at}, and it is {end}");
    Ok(())
}

fn uids(pods: &BTreeMap<String, Pod>) -> BTreeMap<String, Option<String>> {
    pods.iter().map(|(name, pod)| (name.clone(), pod.uid())).collect()
}
