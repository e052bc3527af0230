//! A request, what is known of the cluster → whether it passes.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    cache::{Cache, Sight},
    external,
    kept::{KeptServer, KeptSet, is_in_use, is_protected, metadata},
    owners, replicas,
    request::{Asked, Operation, Rules, Target},
    say::{List, Named, Refusal},
};
use crate::{
    GameServerSet,
    admission::Mode,
    names,
    removal::Protection,
    scale::{self, Ordinals, ScalePlan, Why},
    server::controller,
};

/// What becomes of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it is refused; `None` where it passes.
    pub refusal: Option<Refusal>,
    /// What who asks should know.
    pub warnings: Vec<String>,
    /// It passes although nobody could tell whether it should.
    pub unguarded: bool,
}

impl Verdict {
    pub(super) fn pass() -> Self {
        Self::default()
    }

    pub(super) fn refuse(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..Self::default() }
    }

    pub(super) fn unguarded() -> Self {
        Self { unguarded: true, ..Self::default() }
    }
}

/// What is known, and what holds here.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) cache: &'a Cache,
    pub(super) sight: Sight,
    pub(super) rules: &'a Rules,
    pub(super) now: Timestamp,
}

/// Judges a request.
#[must_use]
pub fn judge(asked: &Asked<'_>, cache: &Cache, sight: Sight, rules: &Rules, now: Timestamp) -> Verdict {
    if rules.is_exempt(asked) {
        return Verdict::pass();
    }
    let view = View { cache, sight, rules, now };
    let verdict = match (asked.target, asked.operation) {
        (Target::Pod, Operation::Update) => view.pod_changed(asked),
        (Target::Pod, Operation::Delete) => view.pod_deleted(asked),
        (Target::Server, Operation::Update) => view.server_changed(asked),
        (Target::Server, Operation::Delete) => view.server_deleted(asked),
        (Target::Set, Operation::Delete) => view.set_deleted(asked),
        (Target::Eviction, Operation::Create) => view.evicted(asked),
        (Target::Set, Operation::Update) => view.set_changed(asked),
        (Target::Scale, Operation::Update) => replicas::changed(asked, &view),
        (Target::Workload | Target::WorkloadScale, Operation::Update) => view.workload_changed(asked),
        (Target::Workload, Operation::Delete) => view.workload_deleted(asked),
        _ => Verdict::pass(),
    };
    // Of what does not happen nothing gets by.
    Verdict { unguarded: verdict.unguarded && !asked.is_dry_run(), ..verdict }
}

impl<'a> View<'a> {
    pub(super) fn is_clear(&self) -> bool {
        self.sight == Sight::Clear
    }

    /// Whether OpenKruiseGame's controller makes and takes servers.
    pub(super) fn is_external(&self) -> bool {
        self.rules.mode == Mode::External
    }

    fn pod_changed(&self, asked: &Asked<'_>) -> Verdict {
        let (Some(old), Some(new)) = (asked.old, asked.new) else { return Verdict::pass() };
        let Some(pod) = Pod::of(asked, old) else { return Verdict::pass() };
        if owners::are_exchanged(asked) {
            return self.pod(&pod, |view, set, server| {
                is_protected(set, server).then(|| view.server_reowned("pod", asked, pod.set, server))
            });
        }
        let taken_off = if text(old, names::OWNER_GSS) != text(new, names::OWNER_GSS) {
            names::OWNER_GSS
        } else if is_labelled_guarded(old) && !is_labelled_guarded(new) {
            names::GUARDED
        } else if let Some(label) = external::reordered(old, new).filter(|_| self.is_external()) {
            return self.pod(&pod, |view, set, _| view.relabelled(asked, label, pod.name, pod.set, set));
        } else {
            return Verdict::pass();
        };
        self.pod(&pod, |view, set, server| {
            is_protected(set, server).then(|| Refusal::Unlabelled {
                label: taken_off,
                server: named(pod.name, server),
                set: pod.set.to_owned(),
                namespace: view.namespace(asked),
            })
        })
    }

    fn pod_deleted(&self, asked: &Asked<'_>) -> Verdict {
        let Some(pod) = asked.old.and_then(|old| Pod::of(asked, old)) else { return Verdict::pass() };
        self.pod(&pod, |view, set, server| view.deleted("pod", asked, pod.set, set, server))
    }

    /// Holds a pod of a set against a rule, as far as there is one and it can be judged.
    fn pod(
        &self,
        pod: &Pod<'_>,
        refused: impl FnOnce(&Self, &KeptSet, Option<&KeptServer>) -> Option<Refusal>,
    ) -> Verdict {
        let set = self.cache.sets.get(pod.namespace, pod.set);
        // What goes already is gone, whatever has been seen since.
        if set.is_some_and(|set| set.going && pod.is_of(set)) {
            return Verdict::pass();
        }
        if !self.is_clear() {
            let is_strict = pod.guarded || set.is_some_and(|set| set.protection == Protection::Strict);
            return match set {
                _ if is_strict => self.blind(pod.name, pod.set, false),
                Some(set) if set.protection == Protection::Off => Verdict::pass(),
                _ => Verdict::unguarded(),
            };
        }
        let Some(set) = set.filter(|set| pod.is_of(set)) else { return Verdict::pass() };
        let server = self.cache.server_of(pod.namespace, pod.name, pod.uid, set);
        refused(self, set, server).map_or_else(Verdict::pass, Verdict::refuse)
    }

    fn server_changed(&self, asked: &Asked<'_>) -> Verdict {
        if !owners::are_exchanged(asked) {
            return Verdict::pass();
        }
        self.server(asked, |view, set, server| {
            is_protected(set, Some(server))
                .then(|| view.server_reowned("GameServer", asked, &server.set, Some(server)))
        })
    }

    fn server_deleted(&self, asked: &Asked<'_>) -> Verdict {
        self.server(asked, |view, set, server| {
            view.deleted("GameServer", asked, &server.set, set, Some(server))
        })
    }

    /// Holds a GameServer against a rule, as far as there is one and it can be judged.
    fn server(
        &self,
        asked: &Asked<'_>,
        refused: impl FnOnce(&Self, &KeptSet, &KeptServer) -> Option<Refusal>,
    ) -> Verdict {
        let Some(old) = asked.old.filter(|old| !is_going(old)) else { return Verdict::pass() };
        // What the request says of the server is newer than what the cache shows.
        let Some(server) = KeptServer::read(old).filter(|server| !server.leaving) else {
            return Verdict::pass();
        };
        let set = self.cache.sets.get(asked.namespace, &server.set);
        if set.is_some_and(|set| set.going) {
            return Verdict::pass();
        }
        if !self.is_clear() {
            return match set.map(|set| set.protection) {
                _ if server.is_free() => Verdict::pass(),
                Some(Protection::Off) => Verdict::pass(),
                Some(Protection::Prefer) => Verdict::unguarded(),
                // One that was never seen may be Strict.
                Some(Protection::Strict) | None => self.blind(asked.name(), &server.set, false),
            };
        }
        let Some(set) = set else { return Verdict::pass() };
        refused(self, set, &server).map_or_else(Verdict::pass, Verdict::refuse)
    }

    /// Why a server, which is there, is not to be deleted.
    fn deleted(
        &self,
        what: &'static str,
        asked: &Asked<'_>,
        set_name: &str,
        set: &KeptSet,
        server: Option<&KeptServer>,
    ) -> Option<Refusal> {
        let name = asked.name();
        if !is_in_use(set, server) || server.is_some_and(|server| server.leaving) {
            return None;
        }
        let (set_text, namespace) = (set_name.to_owned(), self.namespace(asked));
        match set.protection {
            Protection::Off => None,
            Protection::Strict => {
                Some(Refusal::InUse { what, server: named(name, server), set: set_text, namespace })
            }
            Protection::Prefer => {
                let plan = self.plan(asked.namespace, set_name, set);
                let ordinal = names::ordinal_of(set_name, name)?;
                if plan.remove.iter().any(|leave| leave.ordinal == ordinal) {
                    return None;
                }
                // Who has a reserved ordinal is replaced: that is no shrinking.
                let first = plan.remove.iter().find(|leave| leave.why != Why::Reserved)?;
                let first = Cache::name(set_name, first.ordinal);
                let sibling = self.cache.servers.get(asked.namespace, &first);
                Some(Refusal::NotItsTurn {
                    what,
                    server: named(name, server),
                    sibling: named(&first, sibling),
                    set: set_text,
                    replicas: set.replicas,
                    namespace,
                })
            }
        }
    }

    fn set_changed(&self, asked: &Asked<'_>) -> Verdict {
        let reowned = self.set_reowned(asked);
        if reowned.refusal.is_some() { reowned } else { replicas::changed(asked, self) }
    }

    fn set_deleted(&self, asked: &Asked<'_>) -> Verdict {
        let Some(old) = asked.old else { return Verdict::pass() };
        let set = KeptSet::read(old);
        // Where its servers stay nobody is lost: the set that is made in its place takes them back.
        if asked.orphans {
            return Verdict::pass();
        }
        let shrink = match self.rules.mode {
            Mode::Managed => "first, which takes those that nobody uses as they become free",
            Mode::External => "as they become free",
        };
        self.set(asked, asked.name(), &set, |view, servers| Refusal::SetInUse {
            servers,
            shrink,
            replicas: if view.is_external() { "<number>" } else { "0" },
            set: asked.name().to_owned(),
            namespace: view.namespace(asked),
        })
    }

    /// Holds a set against a rule that keeps its servers, as far as there are some that must not be lost.
    pub(super) fn set(
        &self,
        asked: &Asked<'_>,
        name: &str,
        set: &KeptSet,
        refused: impl FnOnce(&Self, List) -> Refusal,
    ) -> Verdict {
        if set.going || !set.holds() {
            return Verdict::pass();
        }
        if !self.is_clear() {
            return self.blind(&format!("the servers of set {name}"), name, false);
        }
        let servers = self.protected(asked.namespace, name, set);
        if servers.0.is_empty() {
            return Verdict::pass();
        }
        Verdict::refuse(refused(self, servers))
    }

    /// The servers of a set that must not be lost, by ordinal.
    fn protected(&self, namespace: &str, name: &str, set: &KeptSet) -> List {
        let mut used: Vec<_> = self
            .cache
            .servers_of(namespace, name)
            .filter(|(_, server)| !server.leaving && is_protected(set, Some(server)))
            .collect();
        used.sort_by_key(|(_, server)| server.ordinal);
        List(used.into_iter().map(|(name, server)| named(name, Some(server))).collect())
    }

    /// An Eviction names a pod and says nothing else of it.
    fn evicted(&self, asked: &Asked<'_>) -> Verdict {
        let name = asked.name();
        let Some(server) = self.cache.servers.get(asked.namespace, name) else {
            // Most pods are no game servers: where some are not known, the budget alone holds theirs.
            return if self.is_clear() { Verdict::pass() } else { Verdict::unguarded() };
        };
        let set = self.cache.sets.get(asked.namespace, &server.set).filter(|set| !set.going);
        let Some(set) = set.filter(|_| !server.leaving) else { return Verdict::pass() };
        match set.protection {
            Protection::Strict if !self.is_clear() => self.blind(name, &server.set, true),
            // As Kubernetes' own budgets let pods go that do not run yet.
            Protection::Strict if is_in_use(set, Some(server)) && !server.is_starting() => {
                Verdict::refuse(Refusal::Evicted {
                    server: named(name, Some(server)),
                    set: server.set.clone(),
                    namespace: self.namespace(asked),
                })
            }
            _ => Verdict::pass(),
        }
    }

    /// Who goes and who is kept, of a set of this size. In external mode nobody is kept.
    pub(super) fn plan(&self, namespace: &str, name: &str, set: &KeptSet) -> ScalePlan {
        let seen = |server: &KeptServer| {
            let server = server.scaled(set, self.now);
            if self.is_external() { external::taken(server) } else { server }
        };
        let servers: Vec<scale::Server> =
            self.cache.servers_of(namespace, name).map(|(_, server)| seen(server)).collect();
        let existing: Ordinals = servers.iter().filter(|s| !s.leaving).map(|s| s.ordinal).collect();
        // Who is made does not matter, and a million of them take a while.
        let replicas = set.replicas.min(i32::try_from(servers.len()).unwrap_or(i32::MAX));
        scale::plan(&scale::Input {
            replicas,
            reserved: &set.reserved,
            // Noted by our controller, if it ever made this set.
            seats: set.seats.as_ref().filter(|_| !self.is_external()).unwrap_or(&existing),
            strategy: set.strategy,
            max_unavailable: None,
            servers: &servers,
            blocked: &Default::default(),
        })
    }

    /// Nobody can tell, and the set is Strict, or may be.
    pub(super) fn blind(&self, what: &str, set: &str, evicted: bool) -> Verdict {
        Verdict::refuse(Refusal::Blind {
            what: what.to_owned(),
            why: format!("Set {set} is, or may be, Strict (gamewarden.dev/protection)"),
            sight: self.sight,
            evicted,
        })
    }

    pub(super) fn namespace(&self, asked: &Asked<'_>) -> String {
        asked.namespace.to_owned()
    }
}

/// A pod that carries the label of a set and the name of a server of it.
struct Pod<'a> {
    namespace: &'a str,
    name: &'a str,
    uid: &'a str,
    set: &'a str,
    /// It says that its server is protected.
    guarded: bool,
    object: &'a Value,
}

impl<'a> Pod<'a> {
    /// `None` where nobody loses anything with it: it terminates, has ended, or is no server.
    fn of(asked: &Asked<'a>, object: &'a Value) -> Option<Self> {
        let has_ended = matches!(object["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
        if is_going(object) || has_ended {
            return None;
        }
        let (name, set) = (asked.name(), text(object, names::OWNER_GSS)?);
        names::ordinal_of(set, name)?;
        Some(Self {
            namespace: asked.namespace,
            name,
            uid: object["metadata"]["uid"].as_str().unwrap_or_default(),
            set,
            guarded: is_labelled_guarded(object),
            object,
        })
    }

    /// Whether it is this set's, as far as it says: nobody controls it, or the set does, or (in external mode, or on the
    /// way from it) a workload of OpenKruise. A set of the same name may be a later one.
    fn is_of(&self, set: &KeptSet) -> bool {
        use kube::Resource;
        let metadata = metadata(self.object);
        controller(&metadata).is_none_or(|owner| {
            let is_ours = owner.kind == GameServerSet::kind(&()) && owner.uid == set.uid;
            is_ours || owner.api_version.starts_with("apps.kruise.io/")
        })
    }
}

fn is_going(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

fn is_labelled_guarded(object: &Value) -> bool {
    text(object, names::GUARDED) == Some("true")
}

/// The value of a label.
fn text<'a>(object: &'a Value, label: &str) -> Option<&'a str> {
    object["metadata"]["labels"].get(label)?.as_str()
}

pub(super) fn named(name: &str, server: Option<&KeptServer>) -> Named {
    Named { name: name.to_owned(), state: server.map(|server| server.ops_state.clone()) }
}
