//! Which objects have to do with another one: the pods of a set, of a node, of a claim.
//!
//! A store can only be asked for one name or for everything. At ten thousand servers everything is too much
//! for each change of one of them. An index is filled by the events that fill the store, after it, and built
//! anew after each list. It gives names, and may be a moment behind the store either way: who asks takes
//! the objects from the store and looks at them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{PoisonError, RwLock},
};

use kube::{Resource, ResourceExt, runtime::reflector::ObjectRef};

/// Namespace (empty where there is none) and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Name {
    pub(super) fn new(namespace: Option<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.unwrap_or_default(), name: name.into() }
    }

    pub(super) fn of(object: &impl ResourceExt) -> Self {
        Self::new(object.namespace(), object.name_any())
    }

    /// As stores want to be asked.
    pub(super) fn reference<K: Resource<DynamicType = ()>>(&self) -> ObjectRef<K> {
        ObjectRef::new(&self.name).within(&self.namespace)
    }
}

/// The objects of kind `K` by what they name.
#[derive(Debug)]
pub(super) struct Index<K> {
    keys: fn(&K) -> Vec<Name>,
    entries: RwLock<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    members: HashMap<Name, BTreeSet<Name>>,
    /// Under which keys each object stands now: its labels may have changed since.
    keys: HashMap<Name, Vec<Name>>,
}

impl<K: ResourceExt> Index<K> {
    /// An empty one of what `keys` reads off an object.
    pub(super) fn new(keys: fn(&K) -> Vec<Name>) -> Self {
        Self { keys, entries: RwLock::default() }
    }

    /// The objects that name `key`, in the order of their names.
    pub(super) fn of(&self, key: &Name) -> Vec<Name> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.members.get(key).into_iter().flatten().cloned().collect()
    }

    /// Takes an object in as it is now.
    pub(super) fn apply(&self, object: &K) {
        let keys = (self.keys)(object);
        self.entries.write().unwrap_or_else(PoisonError::into_inner).put(Name::of(object), keys);
    }

    /// Takes an object out.
    pub(super) fn delete(&self, object: &K) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).put(Name::of(object), Vec::new());
    }

    /// Starts anew with these objects.
    pub(super) fn rebuild<T: AsRef<K>>(&self, objects: &[T]) {
        let mut entries = Entries::default();
        for object in objects.iter().map(<T as AsRef<K>>::as_ref) {
            entries.put(Name::of(object), (self.keys)(object));
        }
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
    }
}

impl Entries {
    fn put(&mut self, object: Name, keys: Vec<Name>) {
        if self.keys.get(&object) == Some(&keys) {
            return;
        }
        for key in self.keys.remove(&object).into_iter().flatten() {
            if let Some(members) = self.members.get_mut(&key) {
                members.remove(&object);
                if members.is_empty() {
                    self.members.remove(&key);
                }
            }
        }
        for key in &keys {
            self.members.entry(key.clone()).or_default().insert(object.clone());
        }
        if !keys.is_empty() {
            self.keys.insert(object, keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use gamewarden_api::names::OWNER_GSS;
    use k8s_openapi::api::core::v1::Pod;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn owner(pod: &Pod) -> Vec<Name> {
        let owner = pod.labels().get(OWNER_GSS).map(|set| Name::new(pod.namespace(), set));
        owner.into_iter().collect()
    }

    fn pod(name: &str, set: Option<&str>) -> Arc<Pod> {
        let labels = set.map(|set| json!({OWNER_GSS: set}));
        let metadata = json!({"name": name, "namespace": "games", "labels": labels});
        Arc::new(serde_json::from_value(json!({"metadata": metadata})).unwrap())
    }

    fn names(index: &Index<Pod>, set: &str) -> Vec<String> {
        index.of(&Name::new(Some("games".into()), set)).into_iter().map(|name| name.name).collect()
    }

    #[test]
    fn an_object_stands_where_its_label_says_now() {
        let index = Index::new(owner);
        index.apply(&pod("a-0", Some("a")));
        index.apply(&pod("a-1", Some("a")));
        assert_eq!(names(&index, "a"), ["a-0", "a-1"]);
        index.apply(&pod("a-1", Some("b")));
        assert_eq!((names(&index, "a"), names(&index, "b")), (vec!["a-0".into()], vec!["a-1".into()]));
        index.apply(&pod("a-0", None));
        index.delete(&pod("a-1", Some("b")));
        assert_eq!((names(&index, "a").len(), names(&index, "b").len()), (0, 0));
        let other = Name::new(Some("other".into()), "a");
        index.apply(&pod("a-0", Some("a")));
        assert!(index.of(&other).is_empty(), "a set of the same name elsewhere");
        index.rebuild(&[pod("a-7", Some("a"))]);
        assert_eq!(names(&index, "a"), ["a-7"], "what a new list does not show is gone");
        index.rebuild::<Arc<Pod>>(&[]);
        let entries = index.entries.read().unwrap();
        assert!(entries.members.is_empty() && entries.keys.is_empty(), "nothing is kept of what is gone");
    }

    proptest! {
        /// However it came about, the index shows what a look at everything would.
        #[test]
        fn the_index_and_a_look_at_everything_agree(
            steps in prop::collection::vec((0_usize..6, prop::option::of(0_usize..3), any::<bool>()), 0..40),
        ) {
            let sets = ["a", "b", "c"];
            let index = Index::new(owner);
            let mut all: std::collections::BTreeMap<String, Arc<Pod>> = Default::default();
            for (name, set, deleted) in steps {
                let pod = pod(&format!("p-{name}"), set.map(|set| sets[set]));
                if deleted {
                    all.remove(&pod.name_any());
                    index.delete(&pod);
                } else {
                    index.apply(&pod);
                    all.insert(pod.name_any(), pod);
                }
                for set in sets {
                    let expected: Vec<String> = all.values()
                        .filter(|pod| pod.labels().get(OWNER_GSS).is_some_and(|owner| owner == set))
                        .map(|pod| pod.name_any())
                        .collect();
                    prop_assert_eq!(names(&index, set), expected);
                }
            }
        }
    }

    /// `cargo test -p reconciler --release -- --ignored --nocapture measure_index`
    #[test]
    #[ignore = "a measurement"]
    fn measure_index() {
        let pods: Vec<_> = (0..10_000)
            .map(|number| {
                pod(&format!("set-{}-{number}", number % 100), Some(&format!("set-{}", number % 100)))
            })
            .collect();
        let index = Index::new(owner);
        let start = Instant::now();
        index.rebuild(&pods);
        eprintln!("built for {} pods in {:?}", pods.len(), start.elapsed());
        let start = Instant::now();
        let found = names(&index, "set-7").len();
        eprintln!("{found} pods of one set of 100: {:?} by index", start.elapsed());
        let start = Instant::now();
        let seen = pods.iter().filter(|pod| owner(pod) == [Name::new(Some("games".into()), "set-7")]).count();
        eprintln!("{seen} by a look at everything: {:?}", start.elapsed());
    }
}
