//! The loop that probes: what is due starts, what ends is counted, what has changed is written.
//!
//! One task owns all state, so nothing is locked; probes and writes are tasks of their own that report back.

use std::{
    collections::{BTreeSet, HashMap},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use gamewarden_api::{
    GameServer,
    quality::{Looked, Reply, Verdict, looked},
    schedule::{Lateness, Start},
};
use jiff::Timestamp;
use kube::runtime::reflector::store::WriterDropped;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Context, Note, Prober,
    attempt::{Report, attempt},
    last_look::{Answers, Found, Looks, server_of_found},
    lost_node::heard,
    metrics::{KindLabel, KindLabels, LookLabels, LookResult, ProbeLabels},
    targets::{Key, Now, Targets, server_of},
    verdict::{Saying, VerdictWriter, tell},
    what::What,
    writes::Writes,
};

/// How many hanging probes give their slot back, for each slot. What hangs costs a connection and no work; but
/// connections are memory, so those beyond keep their slots.
const HANGING_PER_SLOT: usize = 4;
/// How many probes that ask the pod directly weigh as much as one that runs a command. They start no process
/// anywhere; a silent node must not take the slots of all the others with its timeouts.
const DIRECT_PER_SLOT: usize = 8;
/// How long probes may find a container ended before the pod's status says so. After that it is held for a
/// container that cannot be asked.
const STATUS_LAG: Duration = Duration::from_secs(15);
/// How long a change may wait for others, so that a burst of them is one look at the stores.
const GATHER: Duration = Duration::from_millis(250);
/// How long running probes and writes are waited for at the end.
const DRAIN: Duration = Duration::from_secs(5);

/// Why probing has ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A store was never filled.
    #[error("the watch of {0} has ended")]
    Watch(&'static str, #[source] WriterDropped),
}

/// Probes until `shutdown`; then waits for what runs, five seconds at most.
///
/// # Errors
/// A watch ended before its store was filled.
pub async fn run<P: Prober>(context: Context<P>, shutdown: CancellationToken) -> Result<(), Error> {
    let filled = async {
        context.sets.wait_until_ready().await.map_err(|e| Error::Watch("sets", e))?;
        context.pods.wait_until_ready().await.map_err(|e| Error::Watch("pods", e))?;
        context.servers.wait_until_ready().await.map_err(|e| Error::Watch("GameServers", e))
    };
    tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        filled = filled => filled?,
    }
    let mut runner = Runner::new(context);
    runner.work(&shutdown).await;
    if timeout(DRAIN, runner.drain()).await.is_err() {
        tracing::warn!(probes = runner.running.len(), "leaving probes and writes that have not ended");
    }
    Ok(())
}

struct Runner<P> {
    context: Context<P>,
    epoch: Instant,
    targets: Targets,
    /// By the uid of the set.
    lateness: Lateness<String>,
    /// Probes that run and are to be heard.
    running: HashMap<Key, Running>,
    probes: JoinSet<()>,
    keys: HashMap<Id, Key>,
    report: mpsc::UnboundedSender<(Id, Report)>,
    reports: mpsc::UnboundedReceiver<(Id, Report)>,
    writes: Writes,
    looks: Looks,
    answers: JoinSet<()>,
}

struct Running {
    task: AbortHandle,
    hanging: bool,
    kind: KindLabel,
}

/// What the tasks of the runner say.
enum Happened {
    Reported(Id, Report),
    Ended(Result<Id, JoinError>),
    /// They have their turn to be said.
    Turn(BTreeSet<Key>),
    /// A server is to be removed, and to be looked at before.
    Claimed(Arc<GameServer>),
    /// It has been looked at once more.
    Looked(Found),
}

impl<P: Prober> Runner<P> {
    fn new(context: Context<P>) -> Self {
        let writer = VerdictWriter {
            writer: context.writer.clone(),
            pods: context.pods.clone(),
            notes: context.notes.clone(),
            metrics: context.metrics.clone(),
            others: context.others.clone(),
            tells: context.tells_pods.then(|| context.results.clone()),
        };
        let targets = Targets::new(context.hosts, context.others.clone());
        // Bounded by the probes: each says something once a second at most, and is heard at once.
        let (report, reports) = mpsc::unbounded_channel();
        Self {
            writes: Writes::new(writer, context.metrics.clone(), context.max_in_flight),
            context,
            epoch: Instant::now(),
            targets,
            lateness: Lateness::default(),
            running: HashMap::new(),
            probes: JoinSet::new(),
            keys: HashMap::new(),
            report,
            reports,
            looks: Looks::default(),
            answers: JoinSet::new(),
        }
    }

    async fn work(&mut self, shutdown: &CancellationToken) {
        let notify = Arc::clone(&self.context.changed);
        let mut change = pin!(notify.notified());
        change.as_mut().enable();
        let mut looked = Instant::now();
        let mut look_at = Some(looked);
        loop {
            let wake_at = self.start_due();
            self.gauge();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = &mut change => {
                    // Listening again before the look, or a change in between would go unseen.
                    change.set(notify.notified());
                    change.as_mut().enable();
                    look_at.get_or_insert(looked + GATHER);
                }
                () = at(look_at) => {
                    looked = Instant::now();
                    look_at = None;
                    self.look();
                }
                happened = self.happened() => self.take_in(happened),
                () = at(wake_at) => {}
            }
        }
    }

    /// Hears out what runs, hanging probes apart.
    async fn drain(&mut self) {
        while self.running.values().any(|probe| !probe.hanging) || !self.writes.is_empty() {
            let happened = self.happened().await;
            self.take_in(happened);
        }
    }

    async fn happened(&mut self) -> Happened {
        tokio::select! {
            biased;
            Some((id, report)) = self.reports.recv() => Happened::Reported(id, report),
            Some(ended) = self.probes.join_next_with_id() => Happened::Ended(ended.map(|(id, ())| id)),
            keys = self.writes.turn() => Happened::Turn(keys),
            // Not with other changes: what is found is old by as long as it waits.
            Some(server) = self.context.claims.next() => Happened::Claimed(server),
            found = self.looks.next() => Happened::Looked(found),
        }
    }

    fn take_in(&mut self, happened: Happened) {
        match happened {
            Happened::Reported(id, report) => self.reported(id, report),
            Happened::Ended(ended) => self.ended(ended),
            Happened::Turn(keys) => {
                for key in keys {
                    self.say(&key);
                }
            }
            Happened::Claimed(server) => self.looks.start(&self.targets, &server, &self.context.prober),
            Happened::Looked(found) => self.looked(found),
        }
    }

    /// Brings the targets in step with the stores.
    fn look(&mut self) {
        let now = Now { since_epoch: self.epoch.elapsed(), wall: Timestamp::now() };
        let changed = self.targets.sync(&self.context.pods, &self.context.sets, now);
        for key in changed.obsolete {
            if let Some(probe) = self.running.remove(&key) {
                probe.task.abort();
                self.targets.schedule.finished(&key, now.since_epoch);
            }
        }
        for key in changed.ended {
            self.say_not_running(&key);
        }
        for uid in changed.gone {
            self.context.results.forget(&uid);
            self.looks.forget(&uid);
        }
        for set in changed.requalified.iter().chain(&changed.left) {
            self.lateness.forget(set);
        }
        for note in changed.notes {
            tell(&self.context.notes, &self.context.metrics, note);
        }
        for key in self.targets.new_servers(&self.context.servers) {
            self.say(&key);
        }
        self.looks.start_all(&self.targets, &self.context.servers, &self.context.prober);
        while self.answers.try_join_next().is_some() {}
    }

    /// Another answer than the one that a removal was decided on is the verdict, and its write gives the claim back. The
    /// same is written beside the claim; no answer is none.
    fn looked(&mut self, found: Found) {
        let scheduled = found.replies.first().and_then(|(key, _)| self.targets.scheduled.get(key));
        let set = scheduled.and_then(|scheduled| self.context.sets.get(&scheduled.set));
        let Some((set, server)) = set.zip(server_of_found(&found, &self.context.servers)) else { return };
        let pod = self.context.pods.get(&found.pod);
        let (mut differs, mut silent) = (Vec::new(), false);
        for (key, reply) in &found.replies {
            let Some(scheduled) = self.targets.scheduled.get_mut(key) else { return };
            let outcome = match &scheduled.what {
                What::Probe { target } => heard(
                    reply.outcome.clone(),
                    KindLabel::from(&target.handler),
                    pod.as_deref(),
                    &self.context.nodes,
                ),
                What::NotRunning { .. } => reply.outcome.clone(),
            };
            let reply = Reply { outcome: outcome.clone(), timed_out: reply.timed_out };
            let qualities = &set.spec.service_qualities;
            match looked(qualities, &key.quality, reply, &server, &key.pod_uid, Timestamp::now()) {
                Looked::Same => {}
                Looked::Differs(_) => {
                    scheduled.counter.answered(outcome);
                    differs.push(key.clone());
                }
                Looked::NoAnswer(why) => {
                    tracing::info!(server = %found.pod, quality = %key.quality, %why, "no answer to the last look");
                    silent = true;
                }
            }
        }
        let count = |result| self.context.metrics.looks.get_or_create(&LookLabels { result }).inc();
        if !differs.is_empty() {
            tracing::info!(server = %found.pod, "not removed: the last look found another answer");
            count(LookResult::Differs);
            for key in differs {
                self.say(&key);
            }
        } else if silent {
            count(LookResult::NoAnswer);
        } else {
            let (writer, metrics) = (self.context.writer.clone(), self.context.metrics.clone());
            self.answers.spawn(Answers { set, found }.write(server, writer, metrics));
        }
    }

    /// Starts what is due and has a slot; gives when something is due next that could have one.
    fn start_due(&mut self) -> Option<Instant> {
        loop {
            let free = self.free_slots();
            if free == 0 {
                return None;
            }
            let now = self.epoch.elapsed();
            let starts = self.targets.schedule.poll(now, free);
            if starts.is_empty() {
                return self.targets.schedule.next_wakeup().map(|due| self.epoch + due);
            }
            for start in starts {
                self.start(start, now);
            }
        }
    }

    fn free_slots(&self) -> usize {
        let max = self.context.max_in_flight.max(1);
        let count = |which: &dyn Fn(&Running) -> bool| self.running.values().filter(|r| which(r)).count();
        let hanging = count(&|probe| probe.hanging);
        let direct = count(&|probe| probe.kind != KindLabel::Exec);
        let commands = self.running.len() - direct - hanging.min(max * HANGING_PER_SLOT);
        max.saturating_sub(commands + direct / DIRECT_PER_SLOT)
    }

    fn start(&mut self, start: Start<Key>, now: Duration) {
        let Start { key, due } = start;
        let Some(scheduled) = self.targets.scheduled.get(&key) else {
            self.targets.schedule.remove(&key);
            return;
        };
        let What::Probe { target } = &scheduled.what else {
            self.targets.schedule.finished(&key, now);
            self.say_not_running(&key);
            return;
        };
        let kind = KindLabel::from(&target.handler);
        let (prober, target, settings) = (self.context.prober.clone(), target.clone(), scheduled.settings);
        let reports = self.report.clone();
        let task = self.probes.spawn(async move {
            let id = tokio::task::id();
            let tell = |report| {
                // The runner that would listen has left.
                let _ = reports.send((id, report));
            };
            attempt(&prober, &target, &settings, tell).await;
        });

        let lag = now.saturating_sub(due);
        self.context.metrics.lag.observe(lag.as_secs_f64());
        let set_uid = scheduled.set.extra.uid.clone().unwrap_or_default();
        if let Some(notice) = self.lateness.observe(set_uid, settings.period, lag, now)
            && let Some(set) = self.context.sets.get(&scheduled.set)
        {
            let note = Note::about_lateness(&set, &notice, Timestamp::now());
            tell(&self.context.notes, &self.context.metrics, note);
        }
        self.keys.insert(task.id(), key.clone());
        self.running.insert(key, Running { task, hanging: false, kind });
    }

    fn reported(&mut self, id: Id, report: Report) {
        let Some(key) = self.keys.get(&id).cloned() else {
            return;
        };
        let kind = match self.running.get_mut(&key) {
            Some(probe) if probe.task.id() == id => {
                probe.hanging = report.hanging;
                probe.kind
            }
            // Its question is obsolete.
            _ => return,
        };
        if report.asleep {
            self.context.metrics.slept.inc();
            tracing::debug!(pod = %key.pod_uid, quality = %key.quality, "not heard: this process stood still");
            return;
        }
        let pod =
            self.targets.scheduled.get(&key).and_then(|scheduled| self.context.pods.get(&scheduled.pod));
        let outcome = heard(report.outcome, kind, pod.as_deref(), &self.context.nodes);
        self.context.metrics.probes.get_or_create(&ProbeLabels::of(kind, &outcome)).inc();
        if let Some(took) = report.took {
            self.context.metrics.duration.get_or_create(&KindLabels { kind }).observe(took.as_secs_f64());
        }
        // A container that was stopped under the probe makes it fail; that is no answer of the server.
        if !self.targets.still_asks(&key, &self.context.pods) {
            return;
        }
        if let Some(scheduled) = self.targets.scheduled.get_mut(&key) {
            // The container's end is for its status to tell (§3.1), which also knows whether we are the cause.
            let now = self.epoch.elapsed();
            let since = report.gone.then(|| *scheduled.gone_since.get_or_insert(now));
            scheduled.gone_since = since;
            if since.is_some_and(|since| now.saturating_sub(since) < STATUS_LAG) {
                return;
            }
            scheduled.counter.record(&scheduled.settings, outcome);
        }
        self.say(&key);
    }

    fn ended(&mut self, ended: Result<Id, JoinError>) {
        let id = match ended {
            Ok(id) => id,
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(%error, "a probe panicked");
                }
                error.id()
            }
        };
        // It reported before it ended.
        while let Ok((id, report)) = self.reports.try_recv() {
            self.reported(id, report);
        }
        let Some(key) = self.keys.remove(&id) else {
            return;
        };
        if self.running.get(&key).is_some_and(|probe| probe.task.id() == id) {
            self.running.remove(&key);
            self.targets.schedule.finished(&key, self.epoch.elapsed());
        }
    }

    fn say_not_running(&mut self, key: &Key) {
        if let Some(scheduled) = self.targets.scheduled.get_mut(key)
            && let What::NotRunning { container } = &scheduled.what
        {
            scheduled.counter.not_running(container);
            self.say(key);
        }
    }

    /// Compares the verdict that holds with the GameServer, and has it written where they differ.
    fn say(&mut self, key: &Key) {
        match self.saying(key) {
            Some((saying, server)) => self.writes.say(key, saying, server),
            None => self.writes.nothing_to_say(key),
        }
    }

    /// The verdict that holds, and the GameServer of which it is to be said. Without one there is nothing to
    /// say; the look that finds it says it.
    fn saying(&self, key: &Key) -> Option<(Saying, Arc<GameServer>)> {
        let scheduled = self.targets.scheduled.get(key)?;
        let verdict = scheduled.counter.verdict()?;
        match &verdict {
            Verdict::True { result } | Verdict::False { result } => {
                // The verdict may have been written by a process that ended before the status had its text:
                // then nothing is left to write here, and the status waits for it. A queue that is gone
                // belongs to a reconciler that has shut down.
                if self.context.results.set(&key.pod_uid, &key.quality, result) {
                    let _ = self.context.news.unbounded_send(scheduled.pod.clone());
                }
            }
            Verdict::Unknown { .. } => {}
        }
        let set = self.context.sets.get(&scheduled.set)?;
        let name = server_of(&scheduled.pod.name, scheduled.pod.namespace.as_deref());
        let server = self.context.servers.get(&name)?;
        let saying = Saying {
            pod: scheduled.pod.clone(),
            pod_uid: Arc::clone(&key.pod_uid),
            set,
            quality: Arc::clone(&key.quality),
            verdict,
        };
        Some((saying, server))
    }

    fn gauge(&self) {
        let metrics = &self.context.metrics;
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        metrics.in_flight.set(count(self.running.len()));
        metrics.hanging.set(count(self.running.values().filter(|probe| probe.hanging).count()));
        metrics.targets.set(count(self.targets.schedule.len()));
    }
}

impl<P> Drop for Runner<P> {
    /// Who probes nothing any more must not seem to: another process does.
    fn drop(&mut self) {
        let metrics = &self.context.metrics;
        for gauge in [&metrics.in_flight, &metrics.hanging, &metrics.targets] {
            gauge.set(0);
        }
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "runner_again_tests.rs"]
mod again_tests;

#[cfg(test)]
#[path = "runner_on_node_tests.rs"]
mod on_node_tests;
