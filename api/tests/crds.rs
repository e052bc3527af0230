//! The committed CRDs are those that the types generate.

use std::{fs, path::PathBuf};

use gamewarden_api::types::{crd_yaml, crds};

/// `GAMEWARDEN_GENERATE=1 cargo test -p gamewarden-api --test crds` writes the files instead of comparing.
#[test]
fn committed_crds_are_up_to_date() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../charts/gamewarden/files/crds");
    for (file, crd) in crds().unwrap() {
        let path = dir.join(file);
        let generated = crd_yaml(&crd).unwrap();
        if std::env::var_os("GAMEWARDEN_GENERATE").is_some() {
            fs::create_dir_all(&dir).unwrap();
            fs::write(&path, &generated).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, generated, "{} drifted: run `make generate`", path.display());
    }
}
