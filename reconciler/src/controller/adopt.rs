//! Makes what nobody controls the set's.

use gamewarden_api::{
    GameServerSet,
    set::{Adoption, Orphan},
};
use kube::ResourceExt;

use super::{Context, set::Error};

/// Adopts what the plan found. All are tried; the first failure is returned.
///
/// The set is read from the API server first, as ReplicaSets do it: the store may still show a set that is being
/// deleted, and an orphan of that moment was let go on purpose.
pub(super) async fn adopt(set: &GameServerSet, orphans: &[Adoption], context: &Context) -> Result<(), Error> {
    if orphans.is_empty() {
        return Ok(());
    }
    let (namespace, name) = (set.namespace().unwrap_or_default(), set.name_any());
    let now = context.writer.get_set(&namespace, &name).await?;
    let lives = now
        .is_some_and(|now| now.metadata.uid == set.metadata.uid && now.metadata.deletion_timestamp.is_none());
    if !lives {
        return Err(Error::Behind);
    }
    let mut result = Ok(());
    for Adoption { orphan, name: object, patch } in orphans {
        let written = match orphan {
            Orphan::Pod => context.writer.patch_pod(&namespace, object, patch).await,
            Orphan::GameServer => context.writer.patch_server(&namespace, object, patch).await.map(drop),
        };
        if written.is_ok() {
            tracing::info!(%namespace, set = %name, %object, ?orphan, "adopted");
        }
        result = result.and(written.map_err(Error::from));
    }
    result
}
