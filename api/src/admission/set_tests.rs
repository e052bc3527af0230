//! Tests of what is said about a GameServerSet.

use json_patch::merge;
use serde_json::{Value, json};

use super::*;
use crate::admission::Severity;

/// A set in which nothing is wrong, changed by a merge patch.
fn set(patch: &Value) -> Value {
    let mut set = json!({
        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
        "metadata": {"name": "minecraft", "namespace": "games"},
        "spec": {
            "replicas": 3,
            "gameServerTemplate": {"spec": {"containers": [{"name": "minecraft", "image": "i"}]}},
            "serviceQualities": [quality(&json!({}))],
        },
    });
    merge(&mut set, patch);
    set
}

fn quality(patch: &Value) -> Value {
    let mut quality = json!({
        "name": "idle", "containerName": "minecraft", "exec": {"command": ["bash", "./idle.sh"]},
        "serviceQualityAction": [
            {"state": true, "opsState": "WaitToBeDeleted"}, {"state": false, "opsState": "None"},
        ],
    });
    merge(&mut quality, patch);
    quality
}

fn with_quality(patch: &Value) -> Value {
    set(&json!({"spec": {"serviceQualities": [quality(patch)]}}))
}

fn with_actions(actions: &Value) -> Value {
    with_quality(&json!({"serviceQualityAction": actions}))
}

fn said(set: &Value) -> Vec<String> {
    let line = |finding: &Finding| {
        let mark = if finding.severity == Severity::Warning { "warning: " } else { "" };
        format!("{mark}{finding}")
    };
    check_set(set, &Settings::default()).iter().map(line).collect()
}

fn table(rows: Vec<(Value, &[&str])>) {
    for (set, wanted) in rows {
        assert_eq!(said(&set), wanted, "{set:#}");
    }
}

#[test]
fn a_good_set_is_not_spoken_of() {
    table(vec![
        (set(&json!({})), &[]),
        (set(&json!({"spec": {"serviceQualities": null}})), &[]),
        (with_quality(&json!({"containerName": null, "exec": null, "httpGet": {"port": 80}})), &[]),
        (with_quality(&json!({"periodSeconds": 0, "timeoutSeconds": 0})), &[]),
        (
            set(&json!({"spec": {
                "reserveGameServerIds": [1, "5-7", "9"],
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {
                    "maxUnavailable": "20%", "podUpdatePolicy": "InPlaceIfPossible", "minReadySeconds": 300,
                }},
                "scaleStrategy": {"maxUnavailable": 1, "scaleDownStrategyType": "ReserveIds"},
            }})),
            &[],
        ),
    ]);
}

#[test]
fn qualities_need_a_name_a_container_and_one_probe() {
    table(vec![
        (
            with_quality(&json!({"name": null})),
            &[
                "spec.serviceQualities[0].name: missing; write a name of its own for each quality, as \"idle\"",
            ],
        ),
        (
            set(&json!({"spec": {"serviceQualities": [quality(&json!({})), quality(&json!({}))]}})),
            &["spec.serviceQualities[1].name: \"idle\" is the name of two qualities; rename one"],
        ),
        (
            with_quality(&json!({"name": "is idle"})),
            &[
                "spec.serviceQualities[0].name: \"is idle\" cannot be the name of a condition: it has other characters \
               than letters, digits, '-', '_' and '.'; write letters, digits, '-', '_' and '.', at most 63",
            ],
        ),
        (
            with_quality(&json!({"containerName": "minecraf"})),
            &["spec.serviceQualities[0].containerName: containerName \"minecraf\" is not a container of \
               gameServerTemplate (has: minecraft); did you mean \"minecraft\"?"],
        ),
        (
            with_quality(&json!({"exec": null})),
            &["spec.serviceQualities[0]: no probe; write one of exec, httpGet, tcpSocket, grpc"],
        ),
        (
            with_quality(&json!({"tcpSocket": {"port": 80}})),
            &[
                "spec.serviceQualities[0]: several probes, where one is due: exec, tcpSocket; leave one, and make a \
               quality of its own of each other",
            ],
        ),
        (
            with_quality(&json!({"exec": {"command": []}})),
            &[
                "spec.serviceQualities[0].exec.command: empty, there is nothing to run; write the program and its \
               arguments, as [\"bash\", \"./idle.sh\"]",
            ],
        ),
        (
            with_quality(&json!({"exec": {"command": "bash ./idle.sh"}})),
            &[
                "spec.serviceQualities[0].exec.command: \"bash ./idle.sh\" is text, and a list of words is due; write \
               [\"bash\", \"./idle.sh\"]",
            ],
        ),
        (
            with_quality(&json!({"exec": "bash ./idle.sh"})),
            &[
                "spec.serviceQualities[0].exec: \"bash ./idle.sh\" is text; write command: [\"bash\", \"./idle.sh\"] \
                 below it",
            ],
        ),
        (
            with_quality(&json!({"exec": {"command": ["bash ./idle.sh"]}})),
            &["warning: spec.serviceQualities[0].exec.command: one word, the name of a program; better \
               [\"bash\", \"./idle.sh\"]"],
        ),
        (
            with_quality(&json!({"exec": null, "httpGet": {"port": "8080"}})),
            &["spec.serviceQualities[0].httpGet.port: \"8080\" is a number in quotes; write 8080"],
        ),
        (
            with_quality(&json!({"exec": null, "grpc": {"port": 70000}})),
            &["spec.serviceQualities[0].grpc.port: 70000 is not a port; write one from 1 to 65535"],
        ),
        (
            with_quality(&json!({"exec": null, "tcpSocket": {}})),
            &[
                "spec.serviceQualities[0].tcpSocket.port: missing; write the number of the port, from 1 to 65535",
            ],
        ),
        (
            with_quality(&json!({"exec": null, "tcpSocket": {"port": "game"}})),
            &[
                "spec.serviceQualities[0].tcpSocket.port: port \"game\" is not a port of container \"minecraft\" (has: \
               none with a name); write its number, or name it under ports",
            ],
        ),
        (
            with_quality(&json!({"periodSeconds": -3})),
            &[
                "spec.serviceQualities[0].periodSeconds: -3 is below 0; write 0, or leave it out, for the default",
            ],
        ),
        (
            with_quality(&json!({"periodSeconds": "3"})),
            &[
                "spec.serviceQualities[0].periodSeconds: \"3\" is not a whole number; write one, as 5, without quotes",
            ],
        ),
        (
            with_quality(&json!({"timeoutSeconds": 20, "periodSeconds": 10})),
            &[
                "warning: spec.serviceQualities[0].timeoutSeconds: 20 s is over the period of 10 s: a slow probe \
               makes the next ones late",
            ],
        ),
    ]);
}

#[test]
fn several_containers_need_a_choice() {
    let pods = json!({"spec": {"gameServerTemplate": {
        "metadata": {"annotations": {"gamewarden.dev/injected-containers": "istio, agent"}},
        "spec": {
            "containers": [{"name": "game", "image": "i", "ports": [{"name": "rcon", "containerPort": 1}]}, {"name": "log", "image": "i"}],
            "initContainers": [
                {"name": "mesh", "image": "i", "restartPolicy": "Always"}, {"name": "fetch", "image": "i"},
            ],
        },
    }}});
    let named = |name: Value| {
        let mut set = set(&pods);
        set["spec"]["serviceQualities"] = json!([quality(&json!({"containerName": name}))]);
        set
    };
    let choices = "game, log, mesh, istio, agent";
    for fine in ["game", "log", "mesh", "istio", "agent"] {
        assert_eq!(said(&named(json!(fine))), [""; 0], "{fine}");
    }
    let at = "spec.serviceQualities[0].containerName";
    for (name, message) in [
        (json!(null), format!("missing, and the template has several containers; write one of: {choices}")),
        (
            json!("fetch"),
            format!(
                "containerName \"fetch\" is an init container that ends before the server starts (can be probed: \
                 {choices}); give it restartPolicy: Always, or name another"
            ),
        ),
        (
            json!("nobody"),
            format!(
                "containerName \"nobody\" is not a container of gameServerTemplate (has: {choices}); one that others inject \
                 is named in the template's annotation gamewarden.dev/injected-containers"
            ),
        ),
    ] {
        assert_eq!(said(&named(name)), [format!("{at}: {message}")]);
    }
    // A named port is looked up in the container that is meant, and taken on trust in one that others inject.
    let asked = |container: &str| {
        let mut set = named(json!(container));
        set["spec"]["serviceQualities"][0]["exec"] = Value::Null;
        set["spec"]["serviceQualities"][0]["tcpSocket"] = json!({"port": "rcom"});
        said(&set)
    };
    assert_eq!(asked("istio"), [""; 0]);
    assert_eq!(
        asked("game"),
        [
            "spec.serviceQualities[0].tcpSocket.port: port \"rcom\" is not a port of container \"game\" (has: rcon); write \
          its number, or name it under ports; did you mean \"rcon\"?"
        ]
    );
}

#[test]
fn a_state_that_is_set_has_to_be_taken_back() {
    let at = "spec.serviceQualities[0].serviceQualityAction";
    let stays = format!(
        "{at}: sets opsState \"Maintaining\" when the answer is false and has no action for true: a server would stay \
         Maintaining for ever; add {{state: true, opsState: None}}, or permanent: true if that is meant"
    );
    let only = json!([{"state": false, "opsState": "Maintaining"}]);
    assert_eq!(said(&with_actions(&only)), [stays]);
    assert_eq!(said(&with_quality(&json!({"permanent": true, "serviceQualityAction": only}))), [""; 0]);
    for actions in [
        json!([{"state": true, "opsState": "{{.Result}}"}]),
        json!([{"state": true, "labels": {"players": "{{.Result}}"}}]),
    ] {
        let message = "none for false: what true sets stays; add one, or permanent: true";
        assert_eq!(said(&with_actions(&actions)), [format!("warning: {at}: {message}")]);
    }
    let none = "no actions, the answer changes nothing; write what it means";
    assert_eq!(said(&with_actions(&json!([]))), [format!("warning: {at}: {none}")]);
}

#[test]
fn actions_say_what_can_be_written_and_do_not_contradict_each_other() {
    let at = "spec.serviceQualities[0].serviceQualityAction";
    let both = |action: Value| {
        let mut action = action;
        action["state"] = json!(true);
        json!([action, {"state": false}])
    };
    for (actions, message) in [
        (json!([{"opsState": "None"}]), "[0].state: missing; write the answer that it is for: true or false"),
        (both(json!({"opsState": "{{.Reslt}}"})), "[0].opsState: \"{{.Reslt}}\" is no template: "),
        (
            both(json!({"deletionPriority": "high"})),
            "[0].deletionPriority: \"high\" is no whole number; write one, as 10, or a template, as \"{{.Result}}\"",
        ),
        (
            both(json!({"labels": {"game.kruise.io/x": "y"}})),
            "[0].labels[game.kruise.io/x]: label \"game.kruise.io/x\" is written by Gamewarden itself; write one with \
             another prefix, or opsState, updatePriority, deletionPriority or networkDisabled to set those",
        ),
        (
            both(json!({"labels": {"players online": "{{.Result}}"}})),
            "[0].labels[players online]: \"players online\" is no key of a label: it has other characters",
        ),
        (
            both(json!({"labels": {"players": "a lot"}})),
            "[0].labels[players]: \"a lot\" is no value of a label: it has other characters",
        ),
        (
            json!([
                {"state": true, "opsState": "Kill"}, {"state": true, "opsState": "None"},
                {"state": false, "opsState": "None"},
            ]),
            "[1].opsState: \"None\" contradicts spec.serviceQualities[0].serviceQualityAction[0], which is \"Kill\" for the \
             same answer (true); leave one of them",
        ),
    ] {
        let said = said(&with_actions(&actions));
        let wanted = format!("{at}{message}");
        assert!(matches!(said.as_slice(), [one] if one.starts_with(&wanted)), "{said:#?}\n{wanted}");
    }
    let near = with_actions(&both(json!({"opsState": "kill"})));
    let state = "warning: spec.serviceQualities[0].serviceQualityAction[0].opsState: \"kill\" is unknown; did you \
                 mean \"Kill\"?";
    assert_eq!(said(&near)[0], state);
    // Another result is another answer.
    let results = json!([
        {"state": true, "result": "a", "opsState": "Kill"}, {"state": true, "result": "b", "opsState": "None"},
        {"state": false, "opsState": "None"},
    ]);
    assert_eq!(said(&with_actions(&results)), [""; 0]);
}

#[test]
fn strategies_and_ids_and_templates() {
    let spec = |spec: Value| set(&json!({"spec": spec}));
    table(vec![
        (
            spec(json!({"replicas": -1})),
            &["spec.replicas: -1 is out of range; write a number from 0 to 1000000"],
        ),
        (
            spec(json!({"reserveGameServerIds": [-1, "7-3", 4, "4", {}]})),
            &[
                "spec.reserveGameServerIds[0]: -1: ordinals start at 0; write a number of 0 or more",
                "spec.reserveGameServerIds[1]: \"7-3\": the range ends before it starts; write \"3-7\"",
                "spec.reserveGameServerIds[4]: a map of fields is not an ordinal; write a number such as 5, or a range such \
                 as \"5-7\"",
                "warning: spec.reserveGameServerIds[3]: \"4\" is reserved already by an entry before it",
            ],
        ),
        (
            spec(json!({"scaleStrategy": {"scaleDownStrategyType": "ReservedIds", "maxUnavailable": "0%"}})),
            &[
                "spec.scaleStrategy.maxUnavailable: \"0%\" is neither a number from 1 nor a percentage from 1% to 100%; \
                 write 1 or \"20%\", or leave it out for the default",
                "spec.scaleStrategy.scaleDownStrategyType: \"ReservedIds\" is not known (known: General, ReserveIds); did \
                 you mean \"ReserveIds\"?",
            ],
        ),
        (
            spec(
                json!({"gameServerTemplate": {"spec": {"restartPolicy": "Never", "activeDeadlineSeconds": 60}}}),
            ),
            &[
                "spec.gameServerTemplate.spec.restartPolicy: \"Never\": a game server runs until its set removes it; write \
                 Always, or leave it out",
                "spec.gameServerTemplate.spec.activeDeadlineSeconds: 60: it would end the game server whoever plays on it; \
                 leave it out",
            ],
        ),
        (
            spec(json!({"gameServerTemplate": {"spec": {"containers": []}}})),
            &["spec.gameServerTemplate.spec.containers: none; write at least one, with its name and image"],
        ),
        (
            spec(
                json!({"gameServerTemplate": {"metadata": {"labels": {"game.kruise.io/owner-gss": "other"}}}}),
            ),
            &[
                "spec.gameServerTemplate.metadata.labels[game.kruise.io/owner-gss]: \"other\" is another set: its servers \
               would be mixed with this one's; leave it out",
            ],
        ),
        (
            set(&json!({"metadata": {"name": "a".repeat(53)}})),
            &[
                "metadata.name: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" cannot begin its servers' names, which \
               are host names: it is too long; write at most 52 lower case letters, digits and dashes",
            ],
        ),
        (
            set(&json!({"metadata": {"name": null, "generateName": "mine.craft-"}})),
            &[
                "metadata.generateName: \"mine.craft-\" cannot begin its servers' names, which are host names: it has other \
               characters than lower case letters, digits, and dashes inside; write at most 47 lower case letters, digits \
               and dashes",
            ],
        ),
        (json!({"kind": "GameServerSet"}), &["spec: missing; write replicas and gameServerTemplate"]),
    ]);
}

#[test]
fn containers_need_an_image_and_volumes_that_are_there() {
    let container = |patch: Value| {
        let mut container = json!({"name": "minecraft", "image": "i"});
        merge(&mut container, &patch);
        set(&json!({"spec": {"gameServerTemplate": {
            "spec": {"containers": [container], "volumes": [{"name": "world", "emptyDir": {}}]},
            "volumeClaimTemplates": [{"metadata": {"name": "saves"}}],
        }}}))
    };
    let mounts = |name: &str| container(json!({"volumeMounts": [{"name": name, "mountPath": "/a"}]}));
    let at = "spec.gameServerTemplate.spec.containers[0]";
    let image = format!("{at}.image: missing; write the image that the container runs");
    let mount = format!(
        "{at}.volumeMounts[0].name: \"wold\" is no volume of the template (has: world, saves); write it under volumes or \
         volumeClaimTemplates; did you mean \"world\"?"
    );
    table(vec![
        (mounts("world"), &[]),
        (mounts("saves"), &[]),
        (mounts("wold"), &[mount.as_str()]),
        (container(json!({"image": null})), &[image.as_str()]),
        (container(json!({"image": ""})), &[image.as_str()]),
    ]);
    let said = said(&container(
        json!({"image": 7, "imagepullPolicy": "Always", "resources": {"limits": {"cpu": "two"}}}),
    ));
    assert_eq!(
        said,
        [
            format!("{at}.image: 7 is not text; write it in quotes"),
            format!("{at}.resources.limits[cpu]: \"two\" is not a quantity; write one, as 500m, 2 or 1Gi"),
            format!("warning: {at}.imagepullPolicy: unknown field; did you mean \"imagePullPolicy\"?"),
        ]
    );
}

#[test]
fn what_only_one_mode_does() {
    let paths = |set: &Value, settings: &Settings| {
        check_set(set, settings).into_iter().map(|finding| finding.path).collect::<Vec<_>>()
    };
    let external = Settings { mode: Mode::External, ..Settings::default() };
    let network = set(&json!({"spec": {"network": {"networkType": "Kubernetes-HostPort"}}}));
    assert_eq!(paths(&network, &Settings::default()), ["spec.network"]);
    assert_eq!(paths(&network, &external), [""; 0]);
    let grpc = with_quality(&json!({"exec": null, "grpc": {"port": 80}}));
    let host = with_quality(&json!({"exec": null, "httpGet": {"port": 80, "host": "127.0.0.1"}}));
    for set in [&grpc, &host] {
        assert_eq!(paths(set, &Settings::default()), [""; 0]);
    }
    assert_eq!(
        check_set(&grpc, &external)[0].to_string(),
        "spec.serviceQualities[0].grpc: Kruise's probes know no grpc; write exec, httpGet or tcpSocket"
    );
    assert_eq!(
        check_set(&host, &external)[0].to_string(),
        "spec.serviceQualities[0].httpGet.host: \"127.0.0.1\": Kruise's probes ask the pod itself; leave it out"
    );
    let many = set(&json!({"spec": {"replicas": 1000}}));
    assert_eq!(paths(&many, &Settings::default()), ["spec.serviceQualities"]);
    assert_eq!(paths(&many, &Settings { node_prober: true, ..Settings::default() }), [""; 0]);
}

#[test]
fn what_matters_most_is_said_first() {
    let actions = json!([{"state": true, "opsState": "kill"}, {"state": false, "opsState": "None"}]);
    let set = set(&json!({"spec": {
        "network": {}, "reserveGameServerIds": [1, 1],
        "serviceQualities": [
            quality(&json!({"timeoutSeconds": 9})),
            quality(&json!({"name": "broken", "serviceQualityAction": actions})),
        ],
    }}));
    let paths: Vec<String> =
        check_set(&set, &Settings::default()).into_iter().map(|finding| finding.path).collect();
    assert_eq!(
        paths,
        [
            "spec.serviceQualities[1].serviceQualityAction[0].opsState",
            "spec.network",
            "spec.serviceQualities",
            "spec.serviceQualities[0].timeoutSeconds",
            "spec.reserveGameServerIds[1]",
        ]
    );
}

#[test]
fn every_warning_of_an_ordinary_set_is_shown_whole() {
    let actions = json!([{"state": true, "opsState": "waitToBeDeleted"}]);
    let sets = [
        with_actions(&json!([])),
        with_quality(&json!({"timeoutSeconds": 120, "periodSeconds": 100})),
        with_quality(&json!({"permanent": true, "serviceQualityAction": actions})),
        with_actions(&json!([{"state": false, "opsState": "{{.Result}}"}])),
        set(&json!({"spec": {"network": {}, "replicas": 9999, "reserveGameServerIds": ["10-20", 15]}})),
    ];
    for finding in sets.iter().flat_map(|set| check_set(set, &Settings::default())) {
        assert_eq!(finding.severity, Severity::Warning, "{finding}");
        assert_eq!(finding.warning(), finding.to_string(), "cut");
    }
}

#[test]
fn fields_that_are_not_there_or_missing_or_of_another_type_are_told_at_every_level() {
    let at = "spec.serviceQualities[0]";
    let spec = |patch: Value| set(&json!({"spec": patch}));
    for (set, wanted) in [
        (spec(json!({"replica": 3})), "spec.replica: unknown field; did you mean \"replicas\"?".to_owned()),
        (set(&json!({"serviceQualities": []})), "serviceQualities: unknown field".to_owned()),
        (
            spec(json!({"gameServerTemplate": {"serviceQualities": []}})),
            "spec.gameServerTemplate.serviceQualities: unknown field".to_owned(),
        ),
        (
            with_quality(&json!({"periodSecond": 3})),
            format!("{at}.periodSecond: unknown field; did you mean \"periodSeconds\"?"),
        ),
        (
            with_quality(&json!({"exec": null, "httpGet": {"port": 1, "httpHeaders": [{"name": "a"}]}})),
            format!("{at}.httpGet.httpHeaders[0].value: missing; write it"),
        ),
        (
            spec(json!({"updateStrategy": "OnDelete"})),
            "spec.updateStrategy: \"OnDelete\" is not a map of fields; write \"name: value\"".to_owned(),
        ),
        (
            spec(json!({"lifecycle": {"preDelete": 7}})),
            "spec.lifecycle.preDelete: 7 is not a map of fields; write \"name: value\"".to_owned(),
        ),
        (
            spec(json!({"gameServerTemplate": {"spec": {"containers": [
                {"name": "minecraft", "image": "i", "env": [{"value": "x"}]},
            ]}}})),
            "spec.gameServerTemplate.spec.containers[0].env[0].name: missing; write it".to_owned(),
        ),
        (
            set(&json!({"metadata": {"name": null}})),
            "metadata.name: missing; write a name, as \"minecraft\", or generateName".to_owned(),
        ),
    ] {
        assert_eq!(said(&set), [wanted], "{set:#}");
    }
    let actions = json!([{"state": true, "opState": "Kill"}, {"state": false, "opsState": "None"}]);
    let at = format!("{at}.serviceQualityAction[0].opState");
    assert_eq!(said(&with_actions(&actions)), [format!("{at}: unknown field; did you mean \"opsState\"?")]);
}

#[test]
fn none_need_not_be_taken_back_and_an_answer_without_a_state_takes_nothing_back() {
    let at = "spec.serviceQualities[0].serviceQualityAction";
    let only = |actions: Value| said(&with_actions(&actions));
    assert_eq!(
        only(json!([{"state": false, "opsState": "None"}])),
        [format!("warning: {at}: none for true: what false sets stays; add one, or permanent: true")]
    );
    for other in [
        json!({"state": false}),
        json!({"state": false, "labels": {"a": "b"}}),
        json!({"state": false, "opsState": ""}),
    ] {
        assert_eq!(
            only(json!([{"state": true, "opsState": "Kill"}, other])),
            [format!("warning: {at}: no opsState for false: it stays Kill for ever; add opsState: None")]
        );
    }
    // What an answer is for has to be known first.
    let wrong = only(json!([{"state": "true", "opsState": "None"}, {"state": false, "opsState": "Kill"}]));
    assert_eq!(
        wrong,
        [format!("{at}[0].state: \"true\" is not true or false; write one of them, without quotes")]
    );
}

#[test]
fn the_defaults_are_nothing_to_be_warned_of() {
    let mut filled = with_quality(&json!({}));
    let _ = crate::admission::set_defaults(&mut filled, None);
    assert_eq!(said(&filled), [""; 0]);
    assert_eq!(said(&with_quality(&json!({"periodSeconds": 1}))).len(), 1, "the default timeout is longer");
}

#[test]
fn whatever_is_there_is_answered() {
    for value in [json!(null), json!(7), json!("x"), json!([]), json!([{}]), json!({}), json!({"a": 1})] {
        for path in [
            "/spec",
            "/spec/serviceQualities",
            "/spec/gameServerTemplate",
            "/spec/gameServerTemplate/spec/containers",
            "/spec/serviceQualities/0",
            "/spec/serviceQualities/0/exec",
            "/spec/serviceQualities/0/serviceQualityAction",
            "/spec/serviceQualities/0/serviceQualityAction/0",
            "/spec/serviceQualities/0/containerName",
        ] {
            let mut set = set(&json!({}));
            if let Some(place) = set.pointer_mut(path) {
                *place = value.clone();
            }
            assert!(check_set(&set, &Settings::default()).len() < 20, "{set:#}");
        }
    }
}

#[test]
fn a_protection_is_one_of_three() {
    let judged = |protection: Value| {
        let mut set = set(&json!({}));
        set["metadata"]["annotations"] = json!({"gamewarden.dev/protection": protection});
        said(&set)
    };
    for known in ["Prefer", "Strict", "Off"] {
        assert_eq!(judged(json!(known)), [""; 0], "{known}");
    }
    let place = "metadata.annotations[gamewarden.dev/protection]";
    for (text, near) in
        [("strict", "; did you mean \"Strict\"?"), ("Prefered", "; did you mean \"Prefer\"?"), ("yes", "")]
    {
        let wanted = format!("{place}: {text:?} is not known (known: Prefer, Strict, Off){near}");
        assert_eq!(judged(json!(text)), [wanted]);
    }
}
