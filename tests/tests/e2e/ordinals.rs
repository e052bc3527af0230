//! Which ordinals servers get and lose, and what the HPA sees.

use anyhow::Result;
use gamewarden_api::GameServerSet;
use gamewarden_tests::{Gss, Manifest, in_namespace};
use kube::{Api, ResourceExt};
use serde_json::{json, to_value};

#[tokio::test]
async fn a_set_grows_from_the_lowest_ordinals_and_the_scale_subresource_tells_its_size() -> Result<()> {
    in_namespace("ordinals", async |namespace| {
        let set = Gss::create(namespace, &Manifest::plain("game", 0)?).await?;
        set.wait("its status says that there is nothing", |set| {
            set.status.as_ref().is_some_and(|s| s.observed_generation == set.metadata.generation)
        })
        .await?;
        set.scale(3).await?;
        set.wait_ready(&[0, 1, 2]).await?;
        set.wait("its status counts three", |set| {
            set.status
                .as_ref()
                .is_some_and(|s| s.replicas == 3 && s.ready_replicas == 3 && s.available_replicas == 3)
        })
        .await?;
        let api: Api<GameServerSet> = namespace.api();
        let scale = api.get_scale("game").await?;
        assert_eq!(to_value(scale.spec)?, json!({"replicas": 3}));
        let status = json!({"replicas": 3, "selector": "game.kruise.io/owner-gss=game"});
        assert_eq!(to_value(scale.status)?, status);

        // A hole in the middle is filled first.
        set.patch_server(0, json!({"deletionPriority": 1})).await?;
        set.wait_seen(0).await?;
        set.scale(2).await?;
        set.wait_ready(&[1, 2]).await?;
        set.scale(4).await?;
        set.wait_ready(&[0, 1, 2, 3]).await?;
        set.scale(0).await?;
        set.wait_ready(&[]).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_reserved_ordinal_is_left_and_not_used() -> Result<()> {
    in_namespace("reserved", async |namespace| {
        let set = Gss::create(namespace, &Manifest::plain("game", 2)?).await?;
        let before = set.wait_ready(&[0, 1]).await?;
        set.patch(json!({"spec": {"reserveGameServerIds": [0, "2-4"]}})).await?;
        let after = set.wait_ready(&[1, 5]).await?;
        assert_eq!(after["game-1"].metadata.uid, before["game-1"].metadata.uid);
        assert_eq!(set.get().await?.annotations()["game.kruise.io/reserve-ids"], "0,2-4");

        // What is taken off the list moves nothing, and may be used again.
        set.patch(json!({"spec": {"reserveGameServerIds": [0]}})).await?;
        set.wait("the shorter list is in force", |set| {
            set.annotations().get("game.kruise.io/reserve-ids").is_some_and(|ids| ids == "0")
        })
        .await?;
        set.scale(3).await?;
        let grown = set.wait_ready(&[1, 2, 5]).await?;
        assert_eq!(grown["game-5"].metadata.uid, after["game-5"].metadata.uid);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_strategy_reserve_ids_keeps_removed_ordinals_from_coming_back() -> Result<()> {
    in_namespace("reserve-ids", async |namespace| {
        let strategy = json!({"scaleStrategy": {"scaleDownStrategyType": "ReserveIds"}});
        let set = Gss::create(namespace, &Manifest::plain("game", 3)?.merge(strategy)).await?;
        set.wait_ready(&[0, 1, 2]).await?;
        set.patch_server(1, json!({"opsState": "WaitToBeDeleted"})).await?;
        set.wait_seen(1).await?;
        set.scale(2).await?;
        set.wait_ready(&[0, 2]).await?;
        assert_eq!(to_value(set.get().await?.spec.reserve_game_server_ids)?, json!([1]));
        set.scale(3).await?;
        set.wait_ready(&[0, 2, 3]).await?;
        Ok(())
    })
    .await
}
