//! Commands that the node's runtime runs, in real containers: what came of them, and what is left behind.
//!
//! `node-probe` runs them on the node as its prober does.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use gamewarden_tests::{Namespace, cluster, in_namespace, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};

const GAME: &str = "registry.cn-hangzhou.aliyuncs.com/gs-demo/gameserver:idle";

/// What came of a command.
#[derive(Debug, Deserialize)]
struct Answer {
    outcome: String,
    text: String,
    gone: bool,
    hanging: bool,
}

impl Answer {
    fn is(&self, outcome: &str, text: &str) -> bool {
        self.outcome == outcome && self.text == text && !self.gone && !self.hanging
    }
}

/// A container on the first node.
struct Container<'a> {
    namespace: &'a Namespace,
    pod: &'static str,
    id: String,
}

impl<'a> Container<'a> {
    /// One of this image, with these fields of a container besides.
    async fn start(namespace: &'a Namespace, pod: &'static str, image: &str, fields: Value) -> Result<Self> {
        let mut container = json!({"name": "main", "image": image, "imagePullPolicy": "IfNotPresent"});
        if let (Some(container), Value::Object(fields)) = (container.as_object_mut(), fields) {
            container.extend(fields);
        }
        let object = json!({
            "metadata": {"name": pod},
            "spec": {"nodeName": "node-0", "terminationGracePeriodSeconds": 0, "containers": [container]},
        });
        namespace.api().create(&PostParams::default(), &serde_json::from_value::<Pod>(object)?).await?;
        let mut container = Self { namespace, pod, id: String::new() };
        container.id = container.id_other_than("").await?;
        Ok(container)
    }

    async fn game(namespace: &'a Namespace) -> Result<Self> {
        Self::start(namespace, "game", GAME, json!({})).await
    }

    /// The id of its run, once that is another one.
    async fn id_other_than(&self, before: &str) -> Result<String> {
        let id = |pod: &Pod| {
            let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
            status.state.as_ref()?.running.as_ref()?;
            status.container_id.clone()
        };
        let runs = |pod: &Pod| id(pod).is_some_and(|id| id != before);
        let pod = wait::one(&self.namespace.api::<Pod>(), self.pod, "its container runs", runs).await?;
        id(&pod).context("it runs")
    }

    fn command(&self, options: &[&str], command: &[&str]) -> Command {
        let mut probe = Command::new(cluster::repository().join("tests/cluster/node"));
        probe
            .arg(env!("CARGO_BIN_EXE_node-probe"))
            .args(options)
            .args([self.namespace.name.as_str(), self.pod, "main", &self.id, "--"])
            .args(command)
            .env("GAMEWARDEN_CLUSTER_DIR", cluster::folder());
        probe
    }

    /// What comes of it, and all else that is printed.
    async fn probe(&self, options: &[&str], command: &[&str]) -> Result<(Vec<Answer>, String)> {
        let output = timeout(wait::DEADLINE, self.command(options, command).output()).await??;
        let text = String::from_utf8(output.stdout)?;
        if !output.status.success() {
            bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let (answers, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('{'));
        let answers = answers.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?;
        Ok((answers, rest.join("\n")))
    }

    async fn sh(&self, options: &[&str], code: &str) -> Result<Answer> {
        let (answers, _) = self.probe(options, &["sh", "-c", code]).await?;
        answers.into_iter().next().context("there is an answer")
    }

    /// How many processes of the container have this in their command line.
    async fn processes(&self, needle: &str) -> Result<usize> {
        let script = format!(
            "n=0; for f in /proc/[0-9]*/cmdline; do case $(tr '\\0' ' ' <$f 2>/dev/null) in *'{needle}'*) \
             [ $f = /proc/$$/cmdline ] || n=$((n+1));; esac; done; echo $n"
        );
        let told = self.namespace.exec(self.pod, &script).await?;
        told.trim().parse().with_context(|| format!("a number, not {told}"))
    }

    async fn none_is_left(&self, needle: &str) -> Result<()> {
        let gone = async {
            while self.processes(needle).await? > 0 {
                sleep(Duration::from_millis(100)).await;
            }
            Ok(())
        };
        timeout(wait::DEADLINE, gone).await.with_context(|| format!("{needle} is left"))?
    }
}

/// A prober that asks again and again, and what it says.
struct Asking {
    prober: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Asking {
    fn start(game: &Container<'_>, period: &str, command: &[&str]) -> Result<Self> {
        let mut prober = game
            .command(&["--times", "1000", "--period", period], command)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let lines = BufReader::new(prober.stdout.take().context("piped")?).lines();
        Ok(Self { prober, lines })
    }

    async fn next(&mut self) -> Result<Answer> {
        let line = timeout(wait::DEADLINE, self.lines.next_line()).await??.context("it goes on")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Ends it: who cannot print ends.
    async fn end(mut self) -> Result<()> {
        drop(self.lines);
        self.prober.wait().await?;
        Ok(())
    }
}

/// Both ways to run a command.
const WAYS: [&[&str]; 2] = [&[], &["--no-resident"]];

#[tokio::test]
async fn a_session_runs_command_after_command_and_both_ways_say_the_same() -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("node-commands", async |namespace| {
        let game = Container::game(namespace).await?;
        let (answers, metrics) =
            game.probe(&["--times", "50", "--metrics"], &["sh", "-c", "echo $((6 * 7))"]).await?;
        ensure!(
            answers.len() == 50 && answers.iter().all(|answer| answer.is("success", "42")),
            "{answers:?}"
        );
        for line in [
            "gamewarden_node_commands_total{way=\"resident\"} 50",
            "gamewarden_node_sessions_opened_total{result=\"opened\"} 1",
            "gamewarden_node_sessions_lost_total 0",
        ] {
            ensure!(metrics.contains(line), "{line} is missing in\n{metrics}");
        }
        let long = "x".repeat(1024);
        for way in WAYS {
            for (command, outcome, text) in [
                (&["sh", "-c", "echo out; echo err >&2; exit 3"][..], "failure", "err"),
                (&["sh", "-c", "kill -9 $$"], "failure", ""),
                (&["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; exit 1"], "failure", long.as_str()),
                (&["sh", "-c", "printf '%s' \"$1\"", "sh", "it's $HOME\\n"], "success", "it's $HOME\\n"),
                (
                    &["nope"],
                    "failure",
                    "cannot run the command: exec: \"nope\": executable file not found in $PATH",
                ),
                (
                    &["/etc/passwd"],
                    "failure",
                    "cannot run the command: exec: \"/etc/passwd\": permission denied",
                ),
            ] {
                let (answers, _) = game.probe(way, command).await?;
                ensure!(
                    answers.len() == 1 && answers[0].is(outcome, text),
                    "{way:?} {command:?}: {answers:?}"
                );
            }
        }
        let elsewhere = Container { pod: "other", id: game.id.clone(), ..game };
        let answer = elsewhere.sh(&[], "echo ran").await?;
        ensure!(
            answer.outcome == "unknown" && answer.text.contains("is not container main of"),
            "{answer:?}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_command_finds_what_it_would_find_through_the_api() -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("node-as-exec", async |namespace| {
        let strict = json!({
            "env": [{"name": "A_NAME", "value": "it's \"quoted\" \\n"}, {"name": "line", "value": "x"}],
            // (Not Guaranteed: that has a negative oom_score_adj, which CRI-O cannot set where the machine may not.)
            "resources": {"limits": {"memory": "32Mi", "cpu": "100m"}, "requests": {"memory": "16Mi", "cpu": "10m"}},
            "securityContext": {
                "readOnlyRootFilesystem": true, "runAsUser": 65533, "runAsGroup": 65533, "runAsNonRoot": true,
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "command": ["sleep", "1000"],
            "workingDir": "/usr",
        });
        let game = Container::start(namespace, "game", GAME, strict).await?;
        // Every shell tells where it is, and how deep in shells.
        let code = "{ env | grep -v -e ^PWD= -e ^OLDPWD= -e ^SHLVL= -e ^_= | sort; id; pwd; ulimit -a; umask; \
                    grep -e ^Cap -e ^Seccomp: -e ^NoNewPrivs -e ^Sig[IC] /proc/self/status; cat /proc/self/cgroup \
                    /proc/self/oom_score_adj; ls -l /proc/self/ns | sed 's/.*-> //'; echo x >/x; } 2>&1";
        let sum = format!("{{ {code}; }} | md5sum");
        let through_api = namespace.exec("game", &format!("sh -c {}", quoted(&sum))).await?;
        for way in WAYS {
            let answer = game.sh(way, &sum).await?;
            if !answer.is("success", through_api.trim()) {
                let api = namespace.exec("game", &format!("sh -c {}", quoted(code))).await?;
                for part in [1, 1001, 2001, 3001] {
                    let ours = game.sh(way, &format!("{{ {code}; }} | tail -c +{part}")).await?;
                    eprintln!("{way:?}, from {part}: {ours:?}");
                }
                bail!("{way:?} {answer:?} is not {through_api}, which is of\n{api}");
            }
        }
        Ok(())
    })
    .await
}

fn quoted(code: &str) -> String {
    format!("'{}'", code.replace('\'', "'\\''"))
}

#[tokio::test]
async fn a_container_without_a_shell_is_asked_all_the_same() -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("node-no-shell", async |namespace| {
        let image = format!("registry.gamewarden.test/server:{}", env!("CARGO_PKG_VERSION"));
        let server = Container::start(namespace, "server", &image, json!({})).await?;
        let (answers, metrics) =
            server.probe(&["--times", "5", "--metrics"], &["/server", "say", "yes", "0"]).await?;
        ensure!(
            answers.len() == 5 && answers.iter().all(|answer| answer.is("success", "yes")),
            "{answers:?}"
        );
        for line in [
            "gamewarden_node_commands_total{way=\"exec_sync\"} 5",
            "gamewarden_node_sessions_opened_total{result=\"no_shell\"} 1",
            "gamewarden_node_sessions 0",
        ] {
            ensure!(metrics.contains(line), "{line} is missing in\n{metrics}");
        }
        Ok(())
    })
    .await
}

/// Ignores what can be ignored, and so do its children.
const STUBBORN: &str = "trap '' TERM INT HUP; sleep 4321 & (sleep 4321 &) ; sleep 4321; sleep 4321";

#[tokio::test]
async fn at_the_timeout_a_command_is_killed_with_its_children_and_the_session_goes_on() -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("node-timeout", async |namespace| {
        let game = Container::game(namespace).await?;
        let (answers, metrics) =
            game.probe(&["--times", "3", "--timeout", "1", "--metrics"], &["sh", "-c", STUBBORN]).await?;
        let timed_out = answers.iter().all(|answer| answer.is("failure", "timed out after 1s"));
        ensure!(answers.len() == 3 && timed_out, "{answers:?}");
        ensure!(metrics.contains("gamewarden_node_sessions_opened_total{result=\"opened\"} 1"), "{metrics}");
        game.none_is_left("sleep 4321").await?;
        game.none_is_left("__gw_").await
    })
    .await
}

#[tokio::test]
async fn nothing_is_left_of_a_prober_that_is_killed() -> Result<()> {
    nothing_is_left("node-killed", STUBBORN, "sleep 4321", 3).await
}

/// Prints more than any pipe holds, and says so by a name of its own.
const TALKATIVE: &str =
    "trap '' TERM INT HUP PIPE; sleep 4323 & while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done";

#[tokio::test]
async fn nothing_is_left_of_a_command_that_prints_on_when_nobody_listens() -> Result<()> {
    nothing_is_left("node-prints", TALKATIVE, "sleep 4323", 1).await
}

/// Kills the prober of a script once it runs, with so many processes of this command line.
async fn nothing_is_left(name: &str, script: &str, needle: &str, processes: usize) -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    in_namespace(name, async |namespace| {
        let game = Container::game(namespace).await?;
        let mut prober = game
            .command(&["--times", "1000", "--timeout", "600"], &["sh", "-c", script])
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let runs = async {
            while game.processes(needle).await? < processes {
                sleep(Duration::from_millis(100)).await;
            }
            anyhow::Ok(())
        };
        timeout(wait::DEADLINE, runs).await??;
        kill_all_of(&game.id).await?;
        prober.wait().await?;
        game.none_is_left(needle).await?;
        game.none_is_left("__gw_").await
    })
    .await
}

/// SIGKILL to all processes that have this in their command line: the prober, and what has started it in the node.
async fn kill_all_of(id: &str) -> Result<()> {
    let pids = Command::new("pgrep").args(["-f", id]).output().await?;
    for pid in String::from_utf8(pids.stdout)?.split_whitespace() {
        Command::new("kill").args(["-9", pid]).status().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_keeps_the_streams_does_not_keep_the_answer() -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("node-daemon", async |namespace| {
        let game = Container::game(namespace).await?;
        let (answers, _) = game.probe(&["--times", "3"], &["sh", "-c", "sleep 4322 & echo started"]).await?;
        ensure!(
            answers.len() == 3 && answers.iter().all(|answer| answer.is("success", "started")),
            "{answers:?}"
        );
        // They are the game's, whoever has started them.
        ensure!(game.processes("sleep 4322").await? == 3);
        // containerd's ExecSync waits for them. (On a busy machine it takes a second until there is one.)
        let answer = game.sh(&["--no-resident", "--timeout", "4"], "sleep 4322 & echo started").await?;
        if game.id.starts_with("cri-o:") {
            ensure!(answer.is("success", "started"), "{answer:?}");
        } else {
            ensure!(
                answer.outcome == "failure" && answer.text == "timed out after 4s" && answer.hanging,
                "{answer:?}"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_killed_session_is_replaced_and_an_ended_container_is_said_to_be_gone() -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("node-restart", async |namespace| {
        let game = Container::game(namespace).await?;
        let mut asking = Asking::start(&game, "100", &["echo", "fine"])?;
        ensure!(asking.next().await?.is("success", "fine"));
        // All shells of the session: the answers stay what they are.
        let kill = "for f in /proc/[0-9]*/cmdline; do case $(tr '\\0' ' ' <$f 2>/dev/null) in 'sh -c while IFS'*) p=${f%/*}; \
                    kill -9 ${p##*/};; esac; done; echo done";
        for _ in 0..3 {
            ensure!(namespace.exec("game", kill).await?.trim() == "done");
            for _ in 0..5 {
                let answer = asking.next().await?;
                ensure!(answer.is("success", "fine"), "{answer:?}");
            }
        }
        // Its first process: the container ends, and is started again.
        namespace.exec("game", "kill -TERM 1").await.ok();
        loop {
            let answer = asking.next().await?;
            if answer.gone {
                ensure!(answer.outcome == "unknown", "{answer:?}");
                break;
            }
        }
        let restarted = Container { id: game.id_other_than(&game.id).await?, ..game };
        let answer = restarted.sh(&[], "echo again").await?;
        ensure!(answer.is("success", "again"), "{answer:?}");
        asking.end().await
    })
    .await
}

/// A command that needs a process.
const FORKS: &str = "/bin/cat /dev/null && echo fine";

/// Files of the container's cgroups: there is one for each hierarchy, or one for all.
fn cgroup_files(id: &str, file: &str) -> Result<Vec<PathBuf>> {
    let id = id.split_once("://").map_or(id, |(_, id)| id);
    // CRI-O's.
    let named = format!("crio-{id}");
    let (mut folders, mut found) = (vec![PathBuf::from("/sys/fs/cgroup")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            if entry.file_name() == id || entry.file_name() == *named {
                found.push(entry.path().join(file));
            }
            folders.push(entry.path());
        }
    }
    found.retain(|path| path.exists());
    ensure!(!found.is_empty(), "there is no {file} of {id}");
    Ok(found)
}

fn limit_processes(id: &str, limit: &str) -> Result<()> {
    for file in cgroup_files(id, "pids.max")? {
        std::fs::write(&file, limit).with_context(|| format!("{limit} into {}", file.display()))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_container_that_may_start_no_process_succeeds_neither_way_and_again_when_it_may() -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("node-pids", async |namespace| {
        let game = Container::game(namespace).await?;
        let mut asking = Asking::start(&game, "200", &["sh", "-c", FORKS])?;
        ensure!(asking.next().await?.is("success", "fine"));
        limit_processes(&game.id, "1")?;
        let both = async {
            let mut refused = asking.next().await?;
            while refused.outcome == "success" {
                refused = asking.next().await?;
            }
            let (answers, _) = game.probe(&["--no-resident"], &["sh", "-c", FORKS]).await?;
            Ok([refused, answers.into_iter().next().context("an answer")?])
        };
        let both: Result<_> = both.await;
        limit_processes(&game.id, "max")?;
        // Whether it is the runtime that cannot start the shell, or the shell that cannot start the program, is chance.
        for answer in both? {
            ensure!(["unknown", "failure"].contains(&answer.outcome.as_str()) && !answer.gone, "{answer:?}");
        }
        while !asking.next().await?.is("success", "fine") {}
        for _ in 0..5 {
            ensure!(asking.next().await?.is("success", "fine"));
        }
        asking.end().await
    })
    .await
}

#[tokio::test]
async fn a_command_that_needs_more_memory_than_there_is_has_failed_either_way() -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("node-memory", async |namespace| {
        // Kubelets may have the kernel kill all of the container with it, which is another story.
        let limited = json!({"resources": {"limits": {"memory": "48Mi"}}});
        let game = Container::start(namespace, "game", GAME, limited).await?;
        let hungry = "head -c 200000000 /dev/zero | tail -c 150000000 >/dev/null";
        for way in WAYS {
            let answer = game.sh(way, hungry).await?;
            if answer.gone {
                eprintln!("the container has ended with the command");
                return Ok(());
            }
            ensure!(answer.outcome == "failure", "{way:?}: {answer:?}");
            ensure!(game.sh(way, "echo fine").await?.is("success", "fine"));
        }
        Ok(())
    })
    .await
}
