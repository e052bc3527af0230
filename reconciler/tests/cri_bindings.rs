//! The committed bindings of the container runtime interface are those that its proto generates.

use std::{fs, path::Path};

/// `GAMEWARDEN_GENERATE=1 cargo test -p reconciler --test cri_bindings` writes the file instead of comparing.
#[test]
fn committed_bindings_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let proto = root.join("proto/runtime_v1.proto");
    let files = protox::compile([&proto], [root.join("proto")]).unwrap();
    let made = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tonic_prost_build::configure()
        .build_transport(false)
        // Only tests are a runtime.
        .server_mod_attribute("runtime.v1", "#[cfg(test)]")
        .out_dir(made)
        .compile_fds(files)
        .unwrap();
    let generated = fs::read_to_string(made.join("runtime.v1.rs")).unwrap();

    let path = root.join("src/probe/cri/runtime_v1.rs");
    if std::env::var_os("GAMEWARDEN_GENERATE").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "{} drifted: run `make generate`", path.display());
}
