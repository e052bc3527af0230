//! The rules of the design that hold for any qualities and any history.

use proptest::prelude::*;

use super::{
    Verdict,
    fixture::{World, no, unknown, yes},
    record::Record,
};
use crate::{
    GameServer,
    types::{GameServerContainer, IntOrString, OpsState, ServiceQuality, ServiceQualityAction},
};

const NAMES: [&str; 3] = ["a", "b", "c"];
const STATES: [&str; 6] = ["None", "WaitToBeDeleted", "Maintaining", "Allocated", "Kill", "blue"];

/// Something that happens to a server.
#[derive(Clone, Debug)]
enum Step {
    Verdict(&'static str, Verdict),
    ByHand(&'static str),
}

fn action() -> impl Strategy<Value = ServiceQualityAction> {
    let template = "{{if eq .Result \"0\"}}WaitToBeDeleted{{else}}None{{end}}";
    let ops_state = prop_oneof![3 => prop::sample::select(STATES.to_vec()), 1 => Just(template)];
    let result = prop::option::weighted(0.3, prop::sample::select(vec!["0", "5", "two words"]));
    let priority = prop::option::weighted(0.3, Just("{{.Result}}"));
    let label = prop::option::weighted(0.3, prop::sample::select(vec!["{{.Result}}", "x", "y"]));
    (any::<bool>(), result, prop::option::weighted(0.8, ops_state), priority, label, containers()).prop_map(
        |(state, result, ops_state, priority, label, containers)| ServiceQualityAction {
            containers,
            state,
            result: result.map(str::to_owned),
            ops_state: ops_state.map(OpsState::from),
            deletion_priority: priority.map(|text| IntOrString::String(text.to_owned())),
            labels: label.map(|value| ("label".to_owned(), value.to_owned())).into_iter().collect(),
            ..ServiceQualityAction::default()
        },
    )
}

fn containers() -> impl Strategy<Value = Vec<GameServerContainer>> {
    let name = prop::sample::select(vec!["game", "log"]);
    let image = prop::option::of(prop::sample::select(vec!["one", "two"]));
    let resources = prop::option::of(Just(Default::default()));
    let container = (name, image, resources).prop_map(|(name, image, resources)| GameServerContainer {
        name: name.to_owned(),
        image: image.map(str::to_owned),
        resources,
    });
    prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(container, 1..3)]
}

fn qualities() -> impl Strategy<Value = Vec<ServiceQuality>> {
    let quality = (prop::bool::weighted(0.2), prop::collection::vec(action(), 0..4));
    prop::collection::vec(quality, 3).prop_map(|all| {
        let named = NAMES.iter().zip(all);
        named
            .map(|(name, (permanent, service_quality_action))| ServiceQuality {
                name: (*name).to_owned(),
                permanent,
                service_quality_action,
                ..ServiceQuality::default()
            })
            .collect()
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    let result = prop::sample::select(vec!["", "0", "5", "two words"]);
    prop_oneof![
        3 => result.clone().prop_map(yes),
        3 => result.prop_map(no),
        1 => Just(unknown("refused")),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (prop::sample::select(NAMES.to_vec()), verdict()).prop_map(|(name, verdict)| Step::Verdict(name, verdict)),
        1 => prop::sample::select(STATES.to_vec()).prop_map(Step::ByHand),
    ]
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 0..20)
}

fn take(world: &mut World, step: &Step) {
    match step {
        Step::Verdict(quality, verdict) => _ = world.say(quality, verdict),
        Step::ByHand(state) => world.set_by_hand(state),
    }
}

/// The server without what every write changes.
fn essence(server: &GameServer) -> GameServer {
    let mut server = server.clone();
    server.metadata.resource_version = None;
    let mut record = Record::of(&server, super::fixture::POD);
    for held in record.qualities.values_mut() {
        (held.transition, held.changed, held.action) = (None, None, None);
    }
    server.metadata.annotations = record.text().map(|text| [("record".to_owned(), text)].into());
    server
}

/// The containers that the server is given, whatever their order.
fn containers_of(world: &World) -> Vec<GameServerContainer> {
    let mut containers = world.server.spec.containers.clone();
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    containers
}

/// The lower, the earlier scale-down takes it (§4).
fn kept(state: &str) -> u8 {
    match state {
        "Kill" => 0,
        "WaitToBeDeleted" => 1,
        "Allocated" => 3,
        "Maintaining" => 4,
        _ => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    // §6: what a node's prober writes and what the controller then carries out is what the controller alone would have
    // written, whenever it comes to it, and whoever writes which verdict.
    #[test]
    fn what_a_prober_owes_and_the_controller_settles_is_what_one_would_write(
        qualities in qualities(),
        history in history(),
        on_node in prop::collection::vec(prop::bool::weighted(0.8), 20),
        settles in prop::collection::vec(prop::bool::weighted(0.3), 20),
    ) {
        let mut alone = World::new(qualities.clone());
        let mut two = World::new(qualities);
        for ((step, on_node), settles) in history.iter().zip(on_node).zip(settles) {
            let before = two.server.spec.containers.clone();
            two.owes = on_node;
            take(&mut alone, step);
            take(&mut two, step);
            if on_node {
                prop_assert_eq!(&before, &two.server.spec.containers, "it may not write them");
            }
            if settles {
                two.settle();
                prop_assert_eq!(containers_of(&alone), containers_of(&two));
            }
            let mut spec = two.server.spec.clone();
            spec.containers.clone_from(&alone.server.spec.containers);
            prop_assert_eq!(&alone.server.spec, &spec);
            prop_assert_eq!(&alone.notices, &two.notices);
        }
        two.settle();
        prop_assert_eq!(containers_of(&alone), containers_of(&two));
        let unordered = |world: &World| {
            let mut server = essence(&world.server);
            server.spec.containers = containers_of(world);
            server
        };
        prop_assert_eq!(unordered(&alone), unordered(&two));
    }

    // §6, I8: what is written once is not written again, so that a crash before or after the write, a retry
    // and a second prober repeat nothing.
    #[test]
    fn a_verdict_has_its_effect_once(qualities in qualities(), history in history(), again in prop::collection::vec(0usize..3, 20)) {
        let mut once = World::new(qualities.clone());
        let mut often = World::new(qualities);
        for (step, times) in history.iter().zip(&again) {
            take(&mut once, step);
            // Decided and lost in a crash: nothing has happened.
            if let Step::Verdict(quality, verdict) = step {
                let _ = often.decide(quality, verdict);
            }
            take(&mut often, step);
            if let Step::Verdict(quality, verdict) = step {
                prop_assert_eq!(once.decide(quality, verdict), None, "decide is idempotent");
                for _ in 0..*times {
                    prop_assert_eq!(often.say(quality, verdict), None);
                }
            }
            prop_assert_eq!(essence(&once.server), essence(&often.server));
        }
        prop_assert_eq!(once.notices, often.notices);
    }

    // §3.2, I5
    #[test]
    fn unknown_changes_nothing_but_the_record(qualities in qualities(), history in history(), quality in prop::sample::select(NAMES.to_vec())) {
        let mut world = World::new(qualities);
        history.iter().for_each(|step| take(&mut world, step));
        if let Some(decision) = world.decide(quality, &unknown("refused")) {
            let patch = decision.patch.as_object().unwrap();
            prop_assert_eq!(patch.keys().collect::<Vec<_>>(), ["metadata"]);
            let metadata = patch["metadata"].as_object().unwrap();
            prop_assert_eq!(metadata.keys().collect::<Vec<_>>(), ["annotations", "resourceVersion", "uid"]);
            prop_assert_eq!(metadata["annotations"].as_object().unwrap().len(), 1);
            prop_assert_eq!(decision.ops_state, None);
            prop_assert_eq!(decision.notices.len(), 1);
        }
    }

    // I5: a server becomes easier to remove only by what an action says that fired, now or (its opinion
    // standing) before.
    #[test]
    fn no_verdict_makes_a_server_more_removable_by_itself(qualities in qualities(), history in history(), quality in prop::sample::select(NAMES.to_vec()), verdict in verdict()) {
        let mut world = World::new(qualities);
        history.iter().for_each(|step| take(&mut world, step));
        let before = world.ops_state();
        world.say(quality, &verdict);
        let after = world.ops_state();
        if kept(&after) < kept(&before) {
            let own = world.qualities.iter().find(|own| own.name == quality).unwrap();
            let state = matches!(verdict, Verdict::True { .. });
            let names_one = own.service_quality_action.iter().any(|a| a.state == state && a.ops_state.is_some());
            prop_assert!(names_one, "no action of {} names an opsState", quality);
            let record = Record::of(&world.server, &world.pod);
            let said = record.qualities.values().any(|held| held.opinion.as_ref().is_some_and(|o| o.as_str() == after));
            prop_assert!(said || after == "None", "nothing says {}", after);
        }
    }

    // §3.5
    #[test]
    fn a_person_s_protection_holds(qualities in qualities(), before in history(), state in prop::sample::select(vec!["Maintaining", "Allocated"]), verdicts in prop::collection::vec((prop::sample::select(NAMES.to_vec()), verdict()), 1..10)) {
        let mut world = World::new(qualities);
        before.iter().for_each(|step| take(&mut world, step));
        // A value that a quality wrote cannot be told from the same value set over it by hand.
        prop_assume!(Record::of(&world.server, &world.pod).wrote != Some(OpsState::from(state)));
        world.set_by_hand(state);
        for (quality, verdict) in verdicts {
            world.say(quality, &verdict);
            if state == "Maintaining" {
                prop_assert_eq!(world.ops_state(), "Maintaining");
            } else if world.ops_state() != "Allocated" {
                prop_assert_ne!(world.ops_state(), "None");
                break;
            }
        }
    }

    // §3.5: whatever happened, the most protective opinion stands once a quality has spoken.
    #[test]
    fn the_most_protective_opinion_stands(qualities in qualities(), history in history(), quality in prop::sample::select(NAMES.to_vec()), verdict in verdict()) {
        let mut world = World::new(qualities);
        history.iter().for_each(|step| take(&mut world, step));
        let Some(decision) = world.say(quality, &verdict) else { return Ok(()) };
        if decision.ops_state.is_some() {
            let record = Record::of(&world.server, &world.pod);
            let after = world.ops_state();
            for held in record.qualities.values() {
                let opinion = held.opinion.as_ref().map_or("None", OpsState::as_str);
                prop_assert!(opinion == "None" || kept(opinion) <= kept(&after), "{} loses to {}", opinion, after);
            }
        }
    }

    // §3.3
    #[test]
    fn permanent_fires_once(mut qualities in qualities(), verdicts in prop::collection::vec(verdict(), 0..12)) {
        qualities[0].permanent = true;
        let mut world = World::new(qualities);
        let mut fired = None;
        for verdict in verdicts {
            world.say("a", &verdict);
            let held = Record::of(&world.server, &world.pod).qualities.remove("a").unwrap_or_default();
            if fired.is_some() {
                prop_assert_eq!(held.action, fired);
                prop_assert!(held.fired);
            }
            fired = held.action;
            let spoken = essence(&world.server).spec;
            if fired.is_none() {
                prop_assert_eq!(spoken.ops_state, Some(OpsState::None));
            }
        }
    }

    // §3.4: every write carries uid and resourceVersion, and the record can be read back.
    #[test]
    fn every_write_is_conditional(qualities in qualities(), history in history()) {
        let mut world = World::new(qualities);
        for step in &history {
            let version = world.server.metadata.resource_version.clone();
            if let Step::Verdict(quality, verdict) = step
                && let Some(decision) = world.say(quality, verdict)
            {
                prop_assert_eq!(decision.patch["metadata"]["resourceVersion"].as_str(), version.as_deref());
                prop_assert_eq!(decision.patch["metadata"]["uid"].as_str(), Some("gs-1"));
                let record = Record::of(&world.server, &world.pod);
                prop_assert!(record.qualities.contains_key(*quality));
                let changed = decision.ops_state.map(|(_, after)| after);
                prop_assert_eq!(changed.clone().or(world.server.spec.ops_state.clone()), world.server.spec.ops_state.clone());
                if changed.is_some() {
                    prop_assert_eq!(record.wrote, changed);
                }
            } else {
                take(&mut world, step);
            }
        }
    }
}
