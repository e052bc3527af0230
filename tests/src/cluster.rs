//! Which cluster the tests use, and a client for it.
//!
//! That is the repository's test cluster. Only with `CLUSTER=existing` it is that of the caller's current
//! kubectl context (or of the one that `GAMEWARDEN_CONTEXT` names): what somebody's `KUBECONFIG` says does
//! not matter otherwise.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use kube::{Client, Config, config::KubeConfigOptions, config::Kubeconfig};
use tokio::process::Command;

use crate::controller;

/// The choice, as the environment tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The test cluster of the repository, whose nodes the tests may do anything to.
    Own,
    /// Somebody's cluster: this context of their kubeconfig, or the current one.
    Existing(Option<String>),
}

/// Which cluster the environment asks for.
///
/// # Errors
/// `CLUSTER` is something else than `existing`.
pub fn which() -> Result<Which> {
    match text("CLUSTER").as_deref() {
        None => Ok(Which::Own),
        Some("existing") => Ok(Which::Existing(text("GAMEWARDEN_CONTEXT"))),
        Some(other) => bail!(
            "CLUSTER is {other}; it can be `existing`, for the current kubectl context, or be left unset"
        ),
    }
}

/// Whether the nodes are ours to be killed, and more. If not, it says so in the test's output: such a test
/// has nothing to do then.
///
/// # Errors
/// As for [`which`].
pub fn nodes_are_ours() -> Result<bool> {
    let ours = which()? == Which::Own;
    if !ours {
        eprintln!("SKIPPED: this needs a node of the repository's own test cluster (CLUSTER=existing)");
    }
    Ok(ours)
}

/// Everything of the repository's test cluster is in here.
#[must_use]
pub fn folder() -> PathBuf {
    text("GAMEWARDEN_CLUSTER_DIR").map_or_else(|| repository().join(".cluster"), Into::into)
}

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// A program of the test cluster, or of the PATH where the cluster is another.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    match which() {
        Ok(Which::Existing(_)) => name.into(),
        _ => folder().join("bin").join(name),
    }
}

/// kubectl, for the cluster under test.
///
/// # Errors
/// There is no such cluster; the text says how to get one.
pub fn kubectl() -> Result<Command> {
    Ok(match which()? {
        Which::Own => {
            let mut command = Command::new(program("kubectl"));
            command.env("KUBECONFIG", kubeconfig()?);
            command
        }
        Which::Existing(context) => {
            let mut command = Command::new(program("kubectl"));
            command.args(context.iter().flat_map(|context| ["--context", context]));
            command
        }
    })
}

/// A client with the rights of the kubeconfig (an administrator's).
///
/// # Errors
/// No cluster, or one that cannot be reached.
pub async fn client() -> Result<Client> {
    client_of(|_| {}).await
}

/// A client with the same rights, which the webhook is not asked about: it says that it is the controller. What the API
/// server refuses by itself is seen by it, and it can make sets that are older than the webhook.
///
/// # Errors
/// As for [`client`].
pub async fn client_past_the_webhook() -> Result<Client> {
    client_of(|config| become_controller(config, &["system:masters"])).await
}

/// The same, to pass on what others ask: nothing is tried again, and a watch may be silent for as long as it likes.
///
/// # Errors
/// As for [`client`].
pub async fn client_to_pass_on() -> Result<Client> {
    client_of(|config| {
        become_controller(config, &["system:masters"]);
        config.default_retry = false;
        config.read_timeout = None;
        config.write_timeout = None;
    })
    .await
}

/// A client that is known by this token alone.
///
/// # Errors
/// As for [`client`].
pub async fn client_with_token(token: &str) -> Result<Client> {
    let token = token.to_owned();
    client_of(|config| {
        config.auth_info = kube::config::AuthInfo { token: Some(token.into()), ..Default::default() };
        config.default_retry = false;
    })
    .await
}

/// A client with the name and the rights of the installed controller.
///
/// # Errors
/// As for [`client`].
pub async fn client_as_the_controller() -> Result<Client> {
    let groups =
        ["system:serviceaccounts", "system:serviceaccounts:gamewarden-system", "system:authenticated"];
    client_of(|config| {
        become_controller(config, &groups);
        config.default_retry = false;
    })
    .await
}

fn become_controller(config: &mut Config, groups: &[&str]) {
    config.auth_info.impersonate = Some(controller::USER.to_owned());
    config.auth_info.impersonate_groups = Some(groups.iter().map(|group| (*group).to_owned()).collect());
}

/// The same, but what fails is not tried again behind the caller's back.
///
/// # Errors
/// As for [`client`].
pub async fn client_without_retries() -> Result<Client> {
    client_of(|config| config.default_retry = false).await
}

async fn client_of(change: impl FnOnce(&mut Config)) -> Result<Client> {
    let (kubeconfig, context, whose) = match which()? {
        Which::Own => {
            let path = kubeconfig()?;
            let read = Kubeconfig::read_from(&path);
            let whose = path.display().to_string();
            (read.with_context(|| format!("reading {whose}"))?, None, whose)
        }
        Which::Existing(context) => {
            let read = Kubeconfig::read().context("reading the kubeconfig of CLUSTER=existing")?;
            let whose = context.clone().or_else(|| read.current_context.clone());
            (read, context, format!("the context {}", whose.unwrap_or_default()))
        }
    };
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    change(&mut config);
    let client = Client::try_from(config)?;
    client
        .apiserver_version()
        .await
        .with_context(|| format!("the cluster of {whose} does not answer; run `make cluster`"))?;
    Ok(client)
}

/// The kubeconfig, as the variable of that name has it: that of the repository's test cluster, or the
/// caller's. (The context is not in it: see [`kubectl`].)
///
/// # Errors
/// There is none; the text says how to get one.
pub fn kubeconfig() -> Result<PathBuf> {
    if let Which::Existing(_) = which()? {
        let home = || env::home_dir().map(|home| home.join(".kube/config"));
        return text("KUBECONFIG").map(Into::into).or_else(home).context("no KUBECONFIG, and no home folder");
    }
    let path = folder().join("kubeconfig");
    if !path.exists() {
        bail!("no cluster to test on: there is no {}; run `make cluster`", path.display());
    }
    Ok(path)
}

/// A variable that is set to something.
fn text(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}
