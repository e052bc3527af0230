//! Shells of this machine for tests, and what they leave behind.

use std::{
    future::pending,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use hyper::body::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::{sleep, timeout},
};

use super::{
    script,
    session::{End, Event, Pipe, Ran, Session},
};

/// How long anything here may take on a busy machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// A shell on this machine, in a session of its own, as a runtime starts it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl Process {
    pub(super) fn start(shell: &[&str], folder: &Path) -> Self {
        let session = script::session();
        let mut child = Command::new("setsid")
            .args(shell)
            .args(&session[1..])
            .env("SHLVL_OF_THE_IMAGE", "1")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Self { child, stdin, stdout, stderr }
    }
}

impl Pipe for Process {
    async fn send(&mut self, text: String) -> Result<(), End> {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).await.map_err(|error| End::Broken(error.to_string()))
    }

    async fn next(&mut self) -> Event {
        loop {
            let (mut out, mut err) = ([0; 4096], [0; 4096]);
            tokio::select! {
                read = some(&mut self.stdout, &mut out), if self.stdout.is_some() => match read {
                    0 => self.stdout = None,
                    read => return Event::Stdout(Bytes::copy_from_slice(&out[..read])),
                },
                read = some(&mut self.stderr, &mut err), if self.stderr.is_some() => match read {
                    0 => self.stderr = None,
                    read => return Event::Stderr(Bytes::copy_from_slice(&err[..read])),
                },
                else => return Event::Ended(End::Broken("its streams have ended".to_owned())),
            }
        }
    }
}

async fn some(stream: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    match stream {
        Some(stream) => stream.read(buffer).await.unwrap(),
        None => pending().await,
    }
}

impl Session<Process> {
    /// Tells the shell something, and waits for nothing.
    pub(super) async fn tell(&mut self, text: String) {
        self.pipe_mut().send(text).await.unwrap();
    }

    /// Closes its stdin; gives the other streams, which nobody reads.
    pub(super) fn hang_up(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        let pipe = self.pipe_mut();
        pipe.stdin = None;
        (pipe.stdout.take(), pipe.stderr.take())
    }
}

/// Tells a new session something and hangs up at once, as a prober does that ends; gives the shell.
pub(super) async fn told_last(shell: &[&str], folder: &Path, text: String) -> Child {
    let session = Session::open(Process::start(shell, folder), DEADLINE).await.unwrap();
    let mut process = session.into_pipe();
    process.send(text).await.unwrap();
    process.child
}

/// The shells that this machine has. There is always one.
pub(super) fn shells() -> Vec<Vec<&'static str>> {
    let all = [&["dash"][..], &["bash"], &["busybox", "sh"], &["sh"]];
    let there = |shell: &&[&str]| {
        std::env::var("PATH").unwrap().split(':').any(|folder| Path::new(folder).join(shell[0]).exists())
    };
    all.into_iter().filter(there).map(<[&str]>::to_vec).collect()
}

/// A folder with a session whose working directory it is.
pub(super) struct Fixture {
    pub(super) folder: PathBuf,
    pub(super) session: Session<Process>,
    pub(super) shell: Vec<&'static str>,
}

impl Fixture {
    pub(super) async fn each() -> Vec<Self> {
        Self::each_by(&[]).await
    }

    /// Each started by this command.
    pub(super) async fn each_by(starter: &[&'static str]) -> Vec<Self> {
        let mut each = Vec::new();
        for shell in shells() {
            let shell = [starter, &shell].concat();
            let folder = std::env::temp_dir().join(format!("gamewarden-loop-{:x}", fastrand::u64(..)));
            std::fs::create_dir_all(&folder).unwrap();
            let session = Session::open(Process::start(&shell, &folder), DEADLINE).await.unwrap();
            each.push(Self { folder, session, shell });
        }
        each
    }

    pub(super) async fn run(&mut self, command: &[&str]) -> Ran {
        let ran = timeout(DEADLINE, self.session.run(&words(command), pending())).await;
        ran.unwrap_or_else(|_| panic!("{:?}: {command:?} does not end", self.shell)).unwrap()
    }

    pub(super) async fn sh(&mut self, code: &str) -> Ran {
        self.run(&["sh", "-c", code]).await
    }

    /// Runs what leaves a daemon behind; gives its pid.
    pub(super) async fn daemon(&mut self, code: &str) -> String {
        let ran = self.sh(&format!("{code} echo $! >daemon")).await;
        assert_eq!(ran, exited(0, "", ""), "{:?}: {code}", self.shell);
        self.lines("daemon", 1).await.remove(0)
    }

    /// The lines of a file in the folder, once there are so many.
    pub(super) async fn lines(&self, file: &str, lines: usize) -> Vec<String> {
        lines_of(&self.folder.join(file), lines).await
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

pub(super) async fn lines_of(file: &Path, lines: usize) -> Vec<String> {
    let there = async {
        loop {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            if text.ends_with('\n') && text.lines().count() >= lines {
                return text.lines().map(str::to_owned).collect();
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, there).await.unwrap_or_else(|_| panic!("{} has no {lines} lines", file.display()))
}

/// The parent of a process.
pub(super) fn parent(pid: &str) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().to_owned()
}

/// The children of a process.
pub(super) fn children(pid: &str) -> Vec<String> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().map(str::to_owned).collect()
}

pub(super) fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

pub(super) async fn all_end(pids: &[String]) {
    let ended = async {
        while pids.iter().any(|pid| lives(pid)) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, ended).await.unwrap_or_else(|_| panic!("of {pids:?} one is left"));
}

/// Ends what a test has left behind on purpose.
pub(super) fn end(pid: &str) {
    assert!(std::process::Command::new("kill").args(["-9", pid]).status().unwrap().success());
}

pub(super) fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|word| (*word).to_owned()).collect()
}

pub(super) fn exited(code: i32, stdout: &str, stderr: &str) -> Ran {
    Ran::Exited { code, stdout: stdout.into(), stderr: stderr.into() }
}
