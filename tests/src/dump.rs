//! The state of a namespace, for people who read a failed test.

use anyhow::Error;

use crate::kubectl;

/// What is shown: a title and kubectl's arguments, `{ns}` standing for the namespace.
const VIEWS: [(&str, &str); 7] = [
    ("sets and servers", "-n {ns} get gss,gs -o wide"),
    ("pods", "-n {ns} get pods -o wide --show-labels"),
    ("events", "-n {ns} get events --sort-by=.metadata.creationTimestamp"),
    ("sets, in full", "-n {ns} get gss -o yaml"),
    ("servers, in full", "-n {ns} get gs -o yaml"),
    ("controllers", "get pods -A -l app.kubernetes.io/name=gamewarden -o wide"),
    (
        "controller logs",
        "-n gamewarden-system logs -l app.kubernetes.io/component=controller --prefix --tail=60",
    ),
];

/// Writes it to standard error; what cannot be had is said and skipped.
pub(crate) async fn state(namespace: &str, why: &Error) {
    eprintln!("---- FAILED in namespace {namespace}: {why:#}");
    for (title, args) in VIEWS {
        let args: Vec<String> = args.split(' ').map(|arg| arg.replace("{ns}", namespace)).collect();
        let text = match kubectl::run(&args, None).await {
            Ok(output) => output.stdout + &output.stderr,
            Err(error) => format!("{error:#}"),
        };
        eprintln!("---- {title}\n{text}");
    }
}
