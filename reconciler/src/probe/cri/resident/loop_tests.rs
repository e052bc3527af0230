//! The loop in the shells that images have, without containers: their streams are pipes here.

use std::{
    collections::BTreeSet, future::pending, os::unix::process::ExitStatusExt, path::Path, process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use super::{
    loop_fixture::{
        DEADLINE, Fixture, Process, all_end, children, end, exited, lines_of, lives, parent, shells,
        told_last, words,
    },
    script,
    session::{Lost, Ran, Session},
};
use crate::probe::exec_stream::KEPT;

#[tokio::test]
async fn a_commands_end_and_output_are_told_as_they_are() {
    for mut fixture in Fixture::each().await {
        for (code, expected) in [
            ("echo out; echo err >&2", exited(0, "out\n", "err\n")),
            ("printf out; printf err >&2; exit 3", exited(3, "out", "err")),
            ("exit 255", exited(255, "", "")),
            ("printf '\\n\\n'", exited(0, "\n\n", "")),
            // stdin is empty.
            ("cat; echo read", exited(0, "read\n", "")),
            // Nothing of the shell's is said of it.
            ("kill -9 $$", exited(137, "", "")),
        ] {
            let ran = fixture.sh(&format!("ulimit -c 0; {code}")).await;
            assert_eq!(ran, expected, "{:?}: {code}", fixture.shell);
        }
    }
}

#[tokio::test]
async fn a_command_finds_what_it_finds_elsewhere() {
    for mut fixture in Fixture::each().await {
        for code in [
            "kill -INT $$; echo ignored",
            "kill -QUIT $$; echo ignored",
            "kill -PIPE $$; echo ignored",
            "kill -HUP $$; echo ignored",
            "kill -TERM $$; echo ignored",
            "grep -e '^Sig[^Q]' -e ^Cap -e ^Cpus_allowed: /proc/self/status",
            "for n in 3 4 5 6 7 8 9; do if [ -e /proc/$$/fd/$n ]; then echo $n; fi; done",
            "ulimit -a; umask",
        ] {
            let code = format!("ulimit -c 0; {code}");
            // Whoever runs the tests may ignore signals, and have files open.
            let elsewhere =
                Command::new("sh").args(["-c", &code]).stdin(Stdio::null()).output().await.unwrap();
            let status = elsewhere.status;
            let code_there = status.code().or_else(|| status.signal().map(|number| 128 + number)).unwrap();
            let expected = exited(code_there, str::from_utf8(&elsewhere.stdout).unwrap(), "");
            let ran = fixture.run(&["/bin/sh", "-c", &code]).await;
            assert_eq!(ran, expected, "{:?}: {code}", fixture.shell);
        }
    }
}

#[tokio::test]
async fn arguments_are_what_they_are() {
    let odd = "it's \"q\" $HOME `x` $(x) \\ \\n \\\\ \n tab\t * ~ # ; & | < > é %s -n !";
    for mut fixture in Fixture::each().await {
        for word in [odd, "", "'", "\\", "\n", "-n", "a b", "k", "'\\''"] {
            let ran = fixture.run(&["sh", "-c", "printf '%s|' \"$@\"", "sh", word, "next"]).await;
            assert_eq!(ran, exited(0, &format!("{word}|next|"), ""), "{:?}", fixture.shell);
        }
    }
}

#[tokio::test]
async fn it_is_the_program_that_runs_and_not_the_shells_own() {
    for mut fixture in Fixture::each().await {
        assert_eq!(fixture.run(&["exit", "0"]).await.code(), 127, "{:?}", fixture.shell);
        assert_eq!(fixture.run(&["__gw_kill"]).await.code(), 127);
        assert_eq!(fixture.run(&["nope"]).await.code(), 127);
        assert_eq!(fixture.run(&["./nope"]).await.code(), 127);
        assert_eq!(fixture.run(&["/"]).await.code(), 126);
        // The system does not start these, and so the runtime does not.
        std::fs::write(fixture.folder.join("no-shebang"), "echo ran\n").unwrap();
        executable(&fixture.folder.join("no-shebang"));
        std::fs::write(fixture.folder.join("not-executable"), "#!/bin/sh\necho ran\n").unwrap();
        for file in ["./no-shebang", "./not-executable"] {
            assert_eq!(fixture.run(&[file]).await.code(), 126, "{:?}: {file}", fixture.shell);
        }
        std::fs::write(fixture.folder.join("script"), "#!/bin/sh\necho ran in $PWD\n").unwrap();
        executable(&fixture.folder.join("script"));
        let expected = format!("ran in {}\n", fixture.folder.display());
        assert_eq!(fixture.run(&["./script"]).await, exited(0, &expected, ""));
    }
}

fn executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

impl Ran {
    fn code(&self) -> i32 {
        match self {
            Self::Exited { code, .. } => *code,
            Self::TimedOut | Self::Stuck => panic!("timed out"),
        }
    }
}

#[tokio::test]
async fn the_environment_is_the_containers() {
    let own: BTreeSet<String> = std::env::vars().map(|(key, _)| key).collect();
    for mut fixture in Fixture::each().await {
        let Ran::Exited { stdout, .. } = fixture.run(&["env"]).await else { panic!() };
        let text = String::from_utf8(stdout).unwrap();
        let keys = text.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key);
        let new: Vec<&str> = keys.filter(|key| !own.contains(*key) && *key != "SHLVL_OF_THE_IMAGE").collect();
        // Every shell says where it is.
        assert!(new.iter().all(|key| ["PWD", "_"].contains(key)), "{:?}: {new:?}", fixture.shell);
        assert!(!text.contains("__gw_"), "{text}");
    }
}

#[tokio::test]
async fn megabytes_are_read_and_their_beginning_is_kept() {
    for mut fixture in Fixture::each().await {
        let ran =
            fixture.sh("head -c 3000000 /dev/zero | tr '\\0' x; head -c 2000000 /dev/zero >&2; exit 1").await;
        assert_eq!(ran, exited(1, &"x".repeat(KEPT), &"\0".repeat(KEPT)), "{:?}", fixture.shell);
        assert_eq!(fixture.sh("echo next").await, exited(0, "next\n", ""));
    }
}

#[tokio::test]
async fn more_commands_than_are_kept_are_told_apart() {
    for mut fixture in Fixture::each().await {
        for round in 0..2 {
            for number in 0..20 {
                let text = number.to_string();
                let ran = fixture.run(&["echo", &text]).await;
                assert_eq!(ran, exited(0, &format!("{text}\n"), ""), "{:?}, round {round}", fixture.shell);
            }
        }
    }
}

/// Says who it is, as its children do, one of which it leaves to others.
const FAMILY: &str = "trap '' TERM INT HUP
    echo $$ >>pids
    sh -c 'echo $$ >>pids; exec sleep 1000' &
    (sh -c 'echo $$ >>pids; exec sleep 1000' &)
    wait; sleep 1000";

#[tokio::test]
async fn at_its_limit_a_command_is_killed_with_all_that_it_has_started() {
    for mut fixture in Fixture::each().await {
        // A daemon of an earlier command is none of it.
        let daemon = fixture.daemon("setsid sleep 1000 >/dev/null 2>&1 &").await;
        let pids = fixture.folder.join("pids");
        let started = async {
            lines_of(&pids, 3).await;
        };
        let ran = timeout(DEADLINE, fixture.session.run(&words(&["sh", "-c", FAMILY]), started)).await;
        assert_eq!(ran.unwrap().unwrap(), Ran::TimedOut, "{:?}", fixture.shell);
        all_end(&fixture.lines("pids", 3).await).await;
        assert!(lives(&daemon), "{:?}", fixture.shell);
        end(&daemon);
        assert_eq!(fixture.sh("echo next").await, exited(0, "next\n", ""), "{:?}", fixture.shell);
    }
}

/// Begins it, and waits for it no more once all of it runs; gives its pids.
async fn begin_family(fixture: &mut Fixture) -> Vec<String> {
    let pids = fixture.folder.join("pids");
    let command = words(&["sh", "-c", FAMILY]);
    tokio::select! {
        ran = fixture.session.run(&command, pending()) => panic!("{ran:?}"),
        all = lines_of(&pids, 3) => all,
    }
}

#[tokio::test]
async fn nothing_is_left_where_nobody_waits_any_more() {
    for mut fixture in Fixture::each().await {
        let mut all = begin_family(&mut fixture).await;
        all.push(fixture.session.pipe().child.id().unwrap().to_string());
        drop(fixture);
        all_end(&all).await;
    }
}

#[tokio::test]
async fn nothing_is_left_where_the_shell_is_killed_first() {
    // As containerd does when the way to a session breaks: its process, and then the streams.
    for mut fixture in Fixture::each().await {
        let mut all = begin_family(&mut fixture).await;
        let shell = fixture.session.pipe().child.id().unwrap().to_string();
        all.extend(children(&shell));
        end(&shell);
        all_end(&[shell]).await;
        drop(fixture);
        all_end(&all).await;
    }
}

#[tokio::test]
async fn a_command_is_killed_also_where_its_runner_was() {
    for mut fixture in Fixture::each().await {
        let pids = fixture.folder.join("pids");
        let killed = async {
            let all = lines_of(&pids, 3).await;
            end(&parent(&all[0]));
        };
        let ran = timeout(DEADLINE, fixture.session.run(&words(&["sh", "-c", FAMILY]), killed)).await;
        assert!(!matches!(ran.unwrap(), Ok(Ran::Exited { .. })), "{:?}", fixture.shell);
        all_end(&fixture.lines("pids", 3).await).await;
    }
}

#[tokio::test]
async fn who_is_not_heard_any_more_does_not_wait_for_it() {
    // As in a shim, the streams stay open at the other end, and nobody reads.
    for mut fixture in Fixture::each().await {
        let pids = fixture.folder.join("pids");
        let command = words(&["sh", "-c", "echo $$ >>pids; while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done"]);
        let text = script::define(0, &command) + &script::run(0);
        fixture.session.tell(text).await;
        let mut all = lines_of(&pids, 1).await;
        let shell = fixture.session.pipe().child.id().unwrap().to_string();
        all.extend(children(&shell));
        all.push(shell);
        let streams = fixture.session.hang_up();
        all_end(&all).await;
        drop(streams);
    }
}

#[tokio::test]
async fn a_session_whose_working_directory_was_exchanged_runs_nothing() {
    for mut fixture in Fixture::each().await {
        assert_eq!(fixture.sh("echo fine").await, exited(0, "fine\n", ""));
        let old = fixture.folder.with_extension("old");
        std::fs::rename(&fixture.folder, &old).unwrap();
        std::fs::create_dir(&fixture.folder).unwrap();
        let command = words(&["sh", "-c", "echo fine"]);
        let ran = timeout(DEADLINE, fixture.session.run(&command, pending())).await.unwrap();
        assert!(matches!(ran, Err(Lost::Occupied)), "{:?}: {ran:?}", fixture.shell);
        std::fs::remove_dir_all(old).unwrap();
    }
}

#[tokio::test]
async fn a_daemon_that_keeps_the_streams_does_not_keep_the_answer() {
    for mut fixture in Fixture::each().await {
        let Ran::Exited { code: 0, stdout, .. } = fixture.sh("sleep 1000 & echo $!").await else { panic!() };
        assert!(fixture.session.is_quiet(), "{:?}", fixture.shell);
        let pid = String::from_utf8(stdout).unwrap();
        assert!(lives(pid.trim()));
        end(pid.trim());
    }
}

#[tokio::test]
async fn a_daemon_outlives_its_session() {
    // On one processor the shell's processes wait for each other in ever other places.
    let processor = one_processor();
    for _ in 0..5 {
        for mut fixture in Fixture::each_by(&["taskset", "-c", processor]).await {
            let daemon = fixture.daemon("sleep 1000 &").await;
            let shell = fixture.session.pipe().child.id().unwrap().to_string();
            // As the CRI has it, the other streams stay open for the daemon.
            let streams = fixture.session.hang_up();
            all_end(&[shell]).await;
            assert!(lives(&daemon), "{:?}", fixture.shell);
            end(&daemon);
            drop(streams);
        }
    }
}

/// The number of a processor that may be used.
fn one_processor() -> &'static str {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    allowed.trim().split([',', '-']).next().unwrap().to_owned().leak()
}

#[tokio::test]
async fn a_session_into_which_a_daemon_writes_is_not_used_again() {
    for mut fixture in Fixture::each().await {
        let code = "(until [ -e go ]; do sleep 0.01; done; echo late; echo written >done) & echo started";
        assert_eq!(fixture.sh(code).await, exited(0, "started\n", ""), "{:?}", fixture.shell);
        assert!(fixture.session.is_quiet());
        std::fs::write(fixture.folder.join("go"), "").unwrap();
        fixture.lines("done", 1).await;
        let noticed = async {
            while fixture.session.is_quiet() {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, noticed).await.unwrap();
    }
}

#[tokio::test]
async fn no_command_is_run_beside_what_another_has_left_behind() {
    for left in [
        "sleep 1000 &",
        // It prints nothing here, but is of the session: it would be killed with the next command.
        "sleep 1000 >/dev/null 2>&1 &",
        // It is none of the session, but could print into the next command's output.
        "setsid sleep 1000 2>/dev/null &",
        "setsid sleep 1000 >/dev/null &",
        "setsid sleep 1000 >&2 2>/dev/null &",
    ] {
        for mut fixture in Fixture::each().await {
            let daemon = fixture.daemon(left).await;
            let command = words(&["sh", "-c", "echo >>ran"]);
            let ran = timeout(DEADLINE, fixture.session.run(&command, pending())).await.unwrap();
            assert!(matches!(ran, Err(Lost::Occupied)), "{:?}: {left}: {ran:?}", fixture.shell);
            assert!(!fixture.folder.join("ran").exists(), "it is run elsewhere");
            assert!(lives(&daemon), "{:?}: {left}", fixture.shell);
            end(&daemon);
        }
    }
}

#[tokio::test]
async fn what_others_do_meanwhile_is_no_reason_not_to_run() {
    for mut fixture in Fixture::each().await {
        let mut others = Vec::new();
        for _ in 0..5 {
            others.push(Command::new("sleep").arg("1000").kill_on_drop(true).spawn().unwrap());
            // Gone when the next one is run, as is what it has started and waited for.
            assert_eq!(fixture.sh("sleep 0.01 | cat; echo next").await, exited(0, "next\n", ""));
        }
        // That has ended, whether anybody has taken note of it or not.
        assert_eq!(fixture.sh("(sleep 0 &) | cat").await, exited(0, "", ""));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(fixture.sh("echo next").await, exited(0, "next\n", ""), "{:?}", fixture.shell);
    }
}

#[tokio::test]
async fn a_command_that_is_begun_as_nobody_waits_any_more_is_not_left() {
    let folder = std::env::temp_dir().join(format!("gamewarden-loop-{:x}", fastrand::u64(..)));
    std::fs::create_dir_all(&folder).unwrap();
    let command = words(&["sh", "-c", "echo $$ >>pids; exec sleep 1000"]);
    for shell in shells() {
        for round in 0..10 {
            let text = script::define(0, &command) + &script::run(0);
            let mut session = told_last(&shell, &folder, text).await;
            timeout(DEADLINE, session.wait()).await.unwrap().unwrap();
            let pids = std::fs::read_to_string(folder.join("pids")).unwrap_or_default();
            let left: Vec<&str> = pids.lines().filter(|pid| lives(pid)).collect();
            left.iter().for_each(|pid| end(pid));
            assert!(left.is_empty(), "{shell:?}, round {round}");
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_command_that_had_its_time_is_not_run_again_if_its_shell_says_nothing_more() {
    for mut fixture in Fixture::each().await {
        let folder = fixture.folder.clone();
        let stopped = async {
            let [pid] = &lines_of(&folder.join("pid"), 1).await[..] else { panic!() };
            let runner = parent(pid);
            // The reader as well, which would kill it.
            for pid in children(&parent(&runner)) {
                assert!(std::process::Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
            }
        };
        let command = words(&["sh", "-c", "echo $$ >pid; exec sleep 1000"]);
        let ran = timeout(DEADLINE, fixture.session.run(&command, stopped)).await.unwrap();
        assert_eq!(ran.unwrap(), Ran::Stuck, "{:?}", fixture.shell);
        assert!(!fixture.session.is_clean());
        let [pid] = &fixture.lines("pid", 1).await[..] else { panic!() };
        let runner = parent(pid);
        let shell = parent(&runner);
        for pid in children(&shell).into_iter().chain([pid.clone(), shell]) {
            end(&pid);
        }
    }
}

#[tokio::test]
async fn a_shell_that_is_killed_is_noticed() {
    for mut fixture in Fixture::each().await {
        let folder = fixture.folder.clone();
        let killed = async {
            let [pid] = &lines_of(&folder.join("pid"), 1).await[..] else { panic!() };
            // The command's parent is the runner, whose parent is the shell that was started.
            let runner = parent(pid);
            for pid in [parent(&runner), runner, pid.clone()] {
                end(&pid);
            }
            pending::<()>().await;
        };
        let command = words(&["sh", "-c", "echo $$ >pid; exec sleep 1000"]);
        let ran = timeout(DEADLINE, fixture.session.run(&command, killed)).await.unwrap();
        assert!(matches!(ran, Err(Lost::Ended(_))), "{:?}: {ran:?}", fixture.shell);
    }
}

#[tokio::test]
async fn a_runner_that_gives_up_says_so() {
    for mut fixture in Fixture::each().await {
        // As it does where it cannot fork.
        let lost = timeout(DEADLINE, fixture.session.say("exit 2\n".to_owned())).await.unwrap().unwrap_err();
        assert!(matches!(lost, Lost::Garbled(_)), "{:?}: {lost}", fixture.shell);
    }
}

#[tokio::test]
async fn what_is_no_shell_opens_no_session() {
    let folder = std::env::temp_dir();
    let lost = Session::open(Process::start(&["false"], &folder), DEADLINE).await.unwrap_err();
    assert!(matches!(lost, Lost::NotBegun { .. }), "{lost}");
    // What runc says where the streams are its own until the command runs.
    let says = ["sh", "-c", "read -r line; echo 'exec failed: no shell' >&2; exit 255"];
    let lost = Session::open(Process::start(&says, &folder), DEADLINE).await.unwrap_err();
    let Lost::NotBegun { said, .. } = &lost else { panic!("{lost}") };
    assert_eq!(said, "exec failed: no shell\n");
    // It gives back what it is told.
    let lost =
        Session::open(Process::start(&["tail", "-f"], &folder), Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(lost, Lost::Hung | Lost::NotBegun { .. }), "{lost}");
}
