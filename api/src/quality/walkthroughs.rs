//! The two walkthroughs of the manual, from outcomes to opsState, with the manual's own YAML.

use super::{
    Counter, Outcome, ProbeSettings,
    fixture::{World, qualities},
};

const IDLE: &str = r#"
- name: idle
  containerName: minecraft
  permanent: false
  exec:
    command: ["bash", "./idle.sh"]
  serviceQualityAction:
    - state: true
      opsState: WaitToBeDeleted
    - state: false
      opsState: None
"#;

const HEALTHY: &str = r#"
- name: healthy
  containerName: minecraft
  permanent: false
  exec:
    command: ["bash", "./healthy.sh"]
  serviceQualityAction:
    - state: true
      opsState: None
    - state: false
      opsState: Maintaining
"#;

/// The opsState after each probe (`+` exit 0, `-` another, `?` not asked, `kill` a restart of the prober,
/// anything else is set by hand).
fn walk(yaml: &str, quality: &str, steps: &[&str]) -> Vec<String> {
    let mut world = World::new(qualities(yaml));
    let settings = ProbeSettings::of(&world.qualities[0]);
    let mut counter = Counter::new();
    steps
        .iter()
        .map(|step| {
            let outcome = match *step {
                "+" => Outcome::Success { result: String::new() },
                "-" => Outcome::Failure { result: String::new() },
                "?" => Outcome::Unknown { reason: "connection refused".into() },
                "kill" => {
                    counter = Counter::new();
                    return world.ops_state();
                }
                by_hand => {
                    world.set_by_hand(by_hand);
                    return world.ops_state();
                }
            };
            if let Some(verdict) = counter.record(&settings, outcome) {
                world.say(quality, &verdict);
            }
            world.ops_state()
        })
        .collect()
}

#[test]
fn an_idle_server_waits_to_be_deleted_until_a_player_enters() {
    let w = "WaitToBeDeleted";
    for (steps, expected) in [
        // Idle from the start; a player enters, three probes later the server is protected; the player leaves.
        (&["+", "+", "-", "-", "-", "-", "+"][..], vec![w, w, w, w, "None", "None", w]),
        // Players from the start: never marked.
        (&["-", "-", "-", "-"], vec!["None"; 4]),
        // It cannot be asked: nothing moves, either way.
        (&["+", "?", "?", "?", "?", "+"], vec![w; 6]),
        (&["-", "-", "-", "?", "?", "?", "-"], vec!["None"; 7]),
        // The prober dies and comes back: nothing moves.
        (&["+", "kill", "+", "-", "kill", "-", "-", "-"], vec![w, w, w, w, w, w, w, "None"]),
        // A match is allocated while a player is inside; idle again it can go.
        (&["-", "-", "-", "Allocated", "-", "kill", "-", "-", "-"], {
            let mut states = vec!["None"; 3];
            states.extend(["Allocated"; 6]);
            states
        }),
        (
            &["+", "Allocated", "-", "-", "-", "+"],
            vec![w, "Allocated", "Allocated", "Allocated", "Allocated", w],
        ),
        // Set to None by hand: it stays until the next new verdict.
        (
            &["+", "None", "+", "+", "-", "-", "-", "+"],
            vec![w, "None", "None", "None", "None", "None", "None", w],
        ),
    ] {
        assert_eq!(walk(IDLE, "idle", steps), expected, "{steps:?}");
    }
}

#[test]
fn an_ill_server_is_maintaining_until_it_is_well() {
    let m = "Maintaining";
    for (steps, expected) in [
        (&["+", "-", "-", "-", "-", "+"][..], vec!["None", "None", "None", m, m, "None"]),
        (&["-", "-", "-", "kill", "+"], vec!["None", "None", m, m, "None"]),
        (&["-", "-", "-", "?", "?", "?", "+"], vec!["None", "None", m, m, m, m, "None"]),
        // A person's Maintaining holds although the server is healthy, and when it was ill in between.
        (
            &[m, "+", "-", "-", "-", "+", "None", "-", "-", "-"],
            vec![m, m, m, m, m, m, "None", "None", "None", m],
        ),
        (&["+", "-", "-", "-", "None", "-", "+"], vec!["None", "None", "None", m, "None", "None", "None"]),
    ] {
        assert_eq!(walk(HEALTHY, "healthy", steps), expected, "{steps:?}");
    }
}

#[test]
fn an_idle_server_that_is_ill_is_not_removed_first() {
    let mut world = World::new(qualities(&format!("{IDLE}{HEALTHY}")));
    let verdict = |state: bool| {
        if state { super::fixture::yes("") } else { super::fixture::no("") }
    };
    for (quality, state, expected) in [
        ("idle", true, "WaitToBeDeleted"),
        // idle=true stands when healthy=true says None.
        ("healthy", true, "WaitToBeDeleted"),
        // healthy=false beats idle=true.
        ("healthy", false, "Maintaining"),
        ("idle", false, "Maintaining"),
        ("idle", true, "Maintaining"),
        ("healthy", true, "WaitToBeDeleted"),
        ("idle", false, "None"),
    ] {
        world.say(quality, &verdict(state));
        assert_eq!(world.ops_state(), expected, "after {quality}={state}");
    }
}
