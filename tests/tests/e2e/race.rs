//! Players join and leave at random while sets are scaled at random: a removal never takes a server whose player was
//! there before its last look began. The long one, in which leaders and the API server end, too, is `make race`.

use std::fs;

use anyhow::{Result, ensure};
use gamewarden_tests::{
    Namespace, cluster, in_namespace,
    race::{Disturbance, Report, Settings, run},
};

/// Prints what came of it; what is wrong ends the test, with all that is known of it.
async fn race(namespace: &Namespace, settings: Settings, files: bool) -> Result<Report> {
    eprintln!("GAMEWARDEN_SEED={}", settings.seed);
    let folder = cluster::folder();
    let log = folder.join("race.log");
    let report = run(namespace, settings, files.then_some(log.as_path())).await?;
    eprintln!("{report}");
    if files {
        fs::write(folder.join("race.md"), report.to_string())?;
    }
    let wrong = report.judgement.wrong.len();
    ensure!(wrong == 0, "{wrong} wrong removals\n{}", report.wrong());
    let unexplained = &report.judgement.unexplained;
    ensure!(unexplained.is_empty(), "thrown out though nothing was removed: visits {unexplained:?}");
    Ok(report)
}

#[tokio::test]
async fn no_removal_takes_who_was_there_before_its_last_look() -> Result<()> {
    in_namespace("race", async |namespace| race(namespace, Settings::short(), false).await.map(drop)).await
}

#[tokio::test]
#[ignore = "takes ten minutes: make race"]
async fn ten_minutes_with_leaders_and_api_servers_that_end() -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("race", async |namespace| {
        let settings = Settings::full();
        let restarts = settings.api_restarts;
        let report = race(namespace, settings, true).await?;
        for (how, least) in [
            (Disturbance::LeaderKilled, 1),
            (Disturbance::LeaderGoesOn, 1),
            (Disturbance::ApiServerAnswers, restarts as usize),
        ] {
            let times = report.disturbed(how);
            ensure!(times >= least, "{how:?} happened {times} times instead of {least}");
        }
        Ok(())
    })
    .await
}
