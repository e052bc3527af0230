//! The targets under libFuzzer. `GAMEWARDEN_FUZZ_TARGET` says which.

#![no_main]

use std::sync::OnceLock;

use gamewarden_fuzz::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fn chosen() -> Target {
    let name = std::env::var("GAMEWARDEN_FUZZ_TARGET").unwrap_or_default();
    let Some(target) = TARGETS.into_iter().find(|target| target.name == name) else {
        let names = TARGETS.map(|target| target.name).join(", ");
        eprintln!("fuzz: GAMEWARDEN_FUZZ_TARGET is {name:?}, want one of {names}");
        std::process::exit(2);
    };
    target
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| (TARGET.get_or_init(chosen).run)(input));
