//! Keeps a client that watches the whole cluster to one namespace.
//!
//! What it lists of all namespaces it gets of that one, and so it acts on nothing else: a controller of a test's own runs
//! beside the tests of others.

/// Kinds that are in no namespace, of those that a controller lists.
const CLUSTER_SCOPED: [&str; 3] = ["namespaces", "nodes", "persistentvolumes"];

/// Path and query, where a list of all namespaces becomes that of `namespace`.
pub(super) fn confined(path_and_query: &str, namespace: &str) -> String {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, kind) = match segments[..] {
        ["api", version, kind] => (format!("/api/{version}"), kind),
        ["apis", group, version, kind] => (format!("/apis/{group}/{version}"), kind),
        _ => return path_and_query.to_owned(),
    };
    if CLUSTER_SCOPED.contains(&kind) {
        return path_and_query.to_owned();
    }
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{group}/namespaces/{namespace}/{kind}{mark}{query}")
}

#[cfg(test)]
mod tests {
    use super::confined;

    #[test]
    fn lists_of_all_namespaces_become_those_of_one() {
        for (asked, sent) in [
            ("/api/v1/pods?watch=true", "/api/v1/namespaces/ours/pods?watch=true"),
            (
                "/apis/game.kruise.io/v1alpha1/gameservers",
                "/apis/game.kruise.io/v1alpha1/namespaces/ours/gameservers",
            ),
            ("/api/v1/nodes?limit=500", "/api/v1/nodes?limit=500"),
            ("/api/v1/persistentvolumes", "/api/v1/persistentvolumes"),
            ("/api/v1/namespaces/theirs/pods/game-0", "/api/v1/namespaces/theirs/pods/game-0"),
            ("/apis/policy/v1", "/apis/policy/v1"),
            ("/version", "/version"),
        ] {
            assert_eq!(confined(asked, "ours"), sent);
        }
    }
}
