//! Players who come, stay a while and leave, one server after another.

use std::time::Duration;

use anyhow::Result;
use kube::ResourceExt;
use tokio::time::{sleep, timeout};

use super::{
    Course,
    log::{Log, What},
    watch::Open,
};
use crate::{Namespace, player::Player};

/// How long a player waits for a welcome: the server may go just then.
const PATIENCE: Duration = Duration::from_secs(5);

/// One player, until the race is over. `number` tells this player's visits from those of others.
pub(super) async fn play(
    namespace: &Namespace,
    log: &Log,
    open: &Open,
    course: &Course,
    number: u64,
) -> Result<()> {
    let mut random = course.random(number);
    let mut stay = number << 32;
    while !course.is_over() {
        // What players do, and no wait for something.
        sleep(Duration::from_millis(random.u64(50..800))).await;
        let Some(pod) = open.any(&mut random) else { continue };
        let uid = pod.uid().unwrap_or_default();
        stay += 1;
        log.note(What::Enters { stay, pod: uid.clone() });
        let Ok(Ok(mut player)) = timeout(PATIENCE, Player::enter_pod(namespace, &pod)).await else {
            log.note(What::TurnedAway { stay, pod: uid });
            continue;
        };
        log.note(What::Joined { stay, pod: uid.clone() });
        let thrown_out = !player.stays(Duration::from_millis(random.u64(200..6000))).await;
        // Before the connection is closed: whoever has left is not there any more, for sure.
        log.note(What::Left { stay, pod: uid, thrown_out });
    }
    Ok(())
}
