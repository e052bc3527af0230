//! Whatever happens in whatever order, the pod ends up as it should be.

use proptest::prelude::*;
use serde_json::json;

use super::{
    world::{World, image_id},
    *,
};
use crate::names;

#[derive(Clone, Debug)]
enum Happens {
    /// The controller carries out its next step.
    Act,
    /// The controller plans, and is late: its write comes after the next thing.
    ActLate,
    Kubelet,
    Crash,
    Pass(i64),
    Image(&'static str),
    Label(&'static str),
    Own(Option<&'static str>),
    Turn(Rollout),
    Hook(bool),
    HookSpec(bool),
    OpenByHand,
    Deleted,
}

fn happens() -> impl Strategy<Value = Happens> {
    let image = prop::sample::select(vec![
        "r.io/main:1",
        "r.io/main:2",
        "r.io/main:missing",
        "r.io/main:same-a",
        "r.io/main:same-b",
    ]);
    prop_oneof![
        8 => Just(Happens::Act),
        2 => Just(Happens::ActLate),
        4 => Just(Happens::Kubelet),
        1 => Just(Happens::Crash),
        2 => (1i64..20).prop_map(Happens::Pass),
        2 => image.clone().prop_map(Happens::Image),
        1 => prop::sample::select(vec!["1", "2"]).prop_map(Happens::Label),
        1 => prop::option::of(image).prop_map(Happens::Own),
        1 => prop::sample::select(vec![Rollout::Go, Rollout::Wait, Rollout::Stay]).prop_map(Happens::Turn),
        2 => any::<bool>().prop_map(Happens::Hook),
        1 => any::<bool>().prop_map(Happens::HookSpec),
        1 => Just(Happens::OpenByHand),
        1 => Just(Happens::Deleted),
    ]
}

fn lifecycle(hook: bool) -> serde_json::Value {
    if hook {
        json!({
            "inPlaceUpdate": {"labelsHandler": {"hook": "on"}, "markPodNotReady": true},
            "preNormal": {"labelsHandler": {"go": "yes"}},
        })
    } else {
        json!({})
    }
}

impl World {
    fn act(&mut self, write: &Write) {
        let (image, open) = (self.image("main"), self.open());
        if self.apply(write) && self.image("main") != image {
            assert!(!open, "an image was changed on a pod in service");
            assert!(self.annotated(names::IN_PLACE_UPDATE).is_some() && self.state() == "Updating");
        }
    }

    fn happen(&mut self, what: Happens, late: &mut Option<Write>) {
        let due = late.take();
        match what {
            Happens::Act => {
                if let Some(write) = self.step().write {
                    self.act(&write);
                }
            }
            Happens::ActLate => *late = self.step().write,
            Happens::Kubelet => self.kubelet(),
            Happens::Crash => self.crash(),
            Happens::Pass(seconds) => self.pass(seconds),
            Happens::Image(image) => self.template_image("main", image),
            Happens::Label(value) => {
                self.set["spec"]["gameServerTemplate"]["metadata"]["labels"]["tier"] = json!(value);
            }
            Happens::Own(image) => {
                self.own = image
                    .map(|image| serde_json::from_value(json!([{"name": "main", "image": image}])).unwrap());
            }
            Happens::Turn(rollout) => self.rollout = rollout,
            Happens::Hook(on) => self.label("hook", if on { "on" } else { "off" }),
            Happens::HookSpec(on) => self.set["spec"]["lifecycle"] = lifecycle(on),
            Happens::OpenByHand => {
                let conditions = self.pod["status"]["conditions"].as_array_mut().unwrap();
                conditions[0]["status"] = json!("True");
                self.touch();
            }
            Happens::Deleted => self.make(),
        }
        if let Some(write) = due {
            self.act(&write);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any interleaving of steps, late writes, restarts, changes, crashes and hooks ends where it should: with the
    /// images of the template or of the server's own, all of them running, in service, and nothing left to do.
    #[test]
    fn a_pod_arrives(
        hook in any::<bool>(),
        grace in 0u64..30,
        story in prop::collection::vec(happens(), 0..40),
        last in prop::sample::select(vec!["r.io/main:1", "r.io/main:3", "r.io/main:same-a", "r.io/main:same-b"]),
        own in prop::option::of(Just("r.io/main:own")),
    ) {
        let mut world = World::new(lifecycle(hook));
        world.grace = std::time::Duration::from_secs(grace);
        let mut late = None;
        for what in story {
            world.happen(what, &mut late);
        }
        // In the end everybody does what is due.
        world.template_image("main", last);
        world.own = Some(own.map_or(vec![], |image| {
            serde_json::from_value(json!([{"name": "main", "image": image}])).unwrap()
        }));
        world.rollout = Rollout::Go;
        world.run();
        world.label("hook", "off");
        world.run();
        world.label("hook", "on");
        world.label("go", "yes");
        world.run();

        let wanted = own.unwrap_or(last);
        prop_assert_eq!(world.image("main"), wanted);
        prop_assert_eq!(world.runs("main"), image_id(wanted));
        prop_assert_eq!((world.state(), world.open()), ("Normal", true));
        for key in [names::IN_PLACE_UPDATE, names::UPDATING_CONTAINERS] {
            prop_assert_eq!(world.annotated(key), None);
        }
        let template = Template::of(&world.typed_set());
        prop_assert_eq!(world.annotated(names::TEMPLATE).map(str::to_owned), Some(template.record.text()));
        prop_assert_eq!(&world.pod["metadata"]["labels"][names::REVISION_HASH], &template.revision);
        let tier = world.set["spec"]["gameServerTemplate"]["metadata"]["labels"]["tier"].clone();
        prop_assert_eq!(&world.pod["metadata"]["labels"]["tier"], &tier);
        prop_assert_eq!(world.step(), Step::default());
    }
}
