//! Makes what nobody controls the set's.

use gamewarden_api::{
    GameServerSet,
    event::{Event, EventType, Involved},
    names,
    set::{Adoption, Orphan},
};
use kube::ResourceExt;

use super::{Context, set::Error};
use crate::write::WriteError;

/// Whether the set is still there and not being deleted, asked of the API server itself, as ReplicaSets do it before
/// they adopt: the store may still show a set that is going, and an orphan of that moment was let go on purpose.
pub(super) async fn lives(set: &GameServerSet, context: &Context) -> Result<bool, WriteError> {
    let (namespace, name) = (set.namespace().unwrap_or_default(), set.name_any());
    let now = context.writer.get_set(&namespace, &name).await?;
    Ok(now
        .is_some_and(|now| now.metadata.uid == set.metadata.uid && now.metadata.deletion_timestamp.is_none()))
}

/// Adopts what the plan found, if the set still lives. All are tried; the first failure is returned.
pub(super) async fn adopt(set: &GameServerSet, orphans: &[Adoption], context: &Context) -> Result<(), Error> {
    let (namespace, name) = (set.namespace().unwrap_or_default(), set.name_any());
    if !lives(set, context).await? {
        return Err(Error::Behind);
    }
    let mut result = Ok(());
    for Adoption { orphan, name: object, patch } in orphans {
        let written = match orphan {
            Orphan::Pod => context.writer.patch_pod(&namespace, object, patch).await.map(drop),
            Orphan::GameServer => context.writer.patch_server(&namespace, object, patch).await.map(drop),
        };
        match &written {
            Ok(()) => tracing::info!(%namespace, set = %name, %object, ?orphan, "adopted"),
            // It has changed or gone; the next plan sees it as it is.
            Err(error) if error.is_conflict() || error.is_not_found() => {}
            // Until it is adopted nothing else is done about the set, so somebody has to know.
            Err(error) => context.say(&refused(set, object, &error.reason()), &Involved::of(set)).await,
        }
        result = result.and(written.map_err(Error::from));
    }
    result
}

/// What people are told of an orphan that the API server does not let us adopt: once for each spec of the set.
fn refused(set: &GameServerSet, object: &str, why: &str) -> Event {
    Event {
        type_: EventType::Warning,
        reason: names::reason::FAILED_ADOPT.to_owned(),
        message: format!(
            "{object} belongs to nobody, has this set's label, and cannot be adopted: {why}; until it can, or is gone, the set is \
             left as it is"
        ),
        occurrence: set.metadata.generation.unwrap_or_default().to_string(),
    }
}
