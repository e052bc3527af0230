//! Gives the servers' volume claims the owners that the retention policy wants.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use gamewarden_api::{
    GameServerSet,
    set::{Retention, claim_patches},
};
use kube::ResourceExt;

use super::{Context, set::Error};

/// What the claims of each set were last brought in line with, by its uid. Claims are not watched: they are looked at
/// when what decides their owners has changed, and once after each start.
#[derive(Debug, Default)]
pub(super) struct Settled(Mutex<HashMap<String, Retention>>);

impl Settled {
    /// Sets that are remembered; the claims of others are looked at once more.
    const MOST: usize = 4096;

    fn is(&self, uid: &str, retention: &Retention) -> bool {
        let settled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        settled.get(uid).is_some_and(|earlier| retention.is_settled_by(earlier))
    }

    fn insert(&self, uid: &str, retention: &Retention) {
        let mut settled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if settled.len() >= Self::MOST {
            settled.clear();
        }
        settled.insert(uid.to_owned(), retention.clone());
    }
}

/// Brings the owners of a set's claims in line.
pub(super) async fn settle(
    set: &GameServerSet,
    retention: &Retention,
    context: &Context,
) -> Result<(), Error> {
    let uid = set.metadata.uid.as_deref().unwrap_or_default();
    if context.claims.is(uid, retention) {
        return Ok(());
    }
    let (namespace, name) = (set.namespace().unwrap_or_default(), set.name_any());
    let claims = context.writer.list_claims(&namespace, &name).await?;
    for change in claim_patches(retention, &claims) {
        context.writer.patch_claim(&namespace, &change.name, &change.patch).await?;
        tracing::info!(%namespace, set = %name, claim = %change.name, "owners of the volume claim changed");
    }
    context.claims.insert(uid, retention);
    Ok(())
}
