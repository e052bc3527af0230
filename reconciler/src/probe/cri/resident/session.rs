//! One shell in a container that runs commands, one at a time.

use std::{future::Future, time::Duration};

use futures::FutureExt;
use hyper::body::Bytes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use tokio::time::timeout;

use super::{
    output::{NoCode, Output},
    script,
};

/// How many commands a shell keeps. One more takes the place of the first.
const KNOWN: usize = 16;
/// How long a killed command may take to be gone, and a shell that lives to listen.
const GRACE: Duration = Duration::from_secs(1);

/// The streams of a shell's process.
pub(super) trait Pipe: Send {
    /// Writes to its stdin.
    fn send(&mut self, text: String) -> impl Future<Output = Result<(), End>> + Send;
    /// What comes next. Cancelling it loses nothing.
    fn next(&mut self) -> impl Future<Output = Event> + Send;
}

/// What comes of a process.
#[derive(Debug)]
pub(super) enum Event {
    /// It has printed.
    Stdout(Bytes),
    /// It has printed.
    Stderr(Bytes),
    /// It has ended, or its streams have.
    Ended(End),
}

/// How a process came to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// As the runtime reports it.
    #[error("it ended: {}", .0.message.as_deref().unwrap_or("of itself"))]
    Reported(Box<Status>),
    /// The streams broke.
    #[error("{0}")]
    Broken(String),
}

/// Why a session is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// Its shell has ended, or the way to it.
    #[error(transparent)]
    Ended(#[from] End),
    /// Its shell has ended, or the way to it, before it has answered for the first time.
    #[error("{end}")]
    NotBegun {
        /// How.
        end: End,
        /// The beginning of what it has printed to stderr, or the runtime in its place.
        said: String,
    },
    /// It is out of step.
    #[error(transparent)]
    Garbled(NoCode),
    /// It does nothing.
    #[error("its shell does not answer")]
    Hung,
    /// What an earlier command has left behind is in it yet, and could be taken for part of the next one.
    #[error("an earlier command has left something behind in it")]
    Occupied,
}

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// It ended.
    Exited {
        /// Its exit code: 126 and 127 may also be the shell's, which could not start it.
        code: i32,
        /// The beginning of what it printed.
        stdout: Vec<u8>,
        /// The beginning of what it printed.
        stderr: Vec<u8>,
    },
    /// It did not, and was killed with all that it had started.
    TimedOut,
    /// It did not, and the shell does not say that it is gone. It is not to be run again.
    Stuck,
}

/// A shell that runs commands.
#[derive(Debug)]
pub(super) struct Session<P> {
    pipe: P,
    mark: String,
    known: Vec<Vec<String>>,
    /// Which one of the known is forgotten next.
    oldest: usize,
    spent: bool,
}

impl<P: Pipe> Session<P> {
    /// A session with the shell at the other end, once it has answered.
    ///
    /// # Errors
    /// There is none, or it does not do as it is told.
    pub(super) async fn open(pipe: P, limit: Duration) -> Result<Self, Lost> {
        let mark = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let mut session = Self { pipe, mark, known: Vec::new(), oldest: 0, spent: false };
        let first = script::first(&session.mark);
        let mut outputs = session.outputs();
        match timeout(limit, session.say_into(first, &mut outputs)).await {
            Ok(Ok(())) if outputs[0].exit_code() == Some(0) => Ok(session),
            Ok(Err(Lost::Ended(end))) => {
                let [_, stderr] = outputs;
                Err(Lost::NotBegun { end, said: String::from_utf8_lossy(&stderr.into_all()).into_owned() })
            }
            Ok(Err(lost)) => Err(lost),
            Ok(Ok(())) | Err(_) => Err(Lost::Hung),
        }
    }

    /// Runs a command that [`script::fits`], and kills it if it has not ended when `limit` has. From then on it has not
    /// ended in time, whatever else goes wrong, unless the shell has ended or has never begun with it.
    ///
    /// # Errors
    /// Nothing is known of the command, and the session is of no more use.
    pub(super) async fn run(
        &mut self,
        command: &[String],
        limit: impl Future<Output = ()>,
    ) -> Result<Ran, Lost> {
        let mut text = String::new();
        let number = match self.known.iter().position(|known| known == command) {
            Some(number) => number,
            None => {
                let number = self.learn(command);
                text.push_str(&script::define(number, command));
                number
            }
        };
        text.push_str(&script::run(number));
        let mut outputs = self.outputs();
        timeout(GRACE, self.pipe.send(text)).await.map_err(|_| Lost::Hung)??;
        tokio::select! {
            read = self.read(&mut outputs) => {
                read?;
                return Ok(self.ran(outputs));
            }
            () = limit => {}
        }
        // Where this process had no time, both may have come meanwhile. (Not by an order of the two: one that prints without
        // end would keep the limit from being looked at.)
        if let Ok(read) = timeout(Duration::ZERO, self.read(&mut outputs)).await {
            read?;
            return Ok(self.ran(outputs));
        }
        let killed = self.say_into(script::KILL.to_owned(), &mut outputs);
        match timeout(GRACE * 2, killed).await.unwrap_or(Err(Lost::Hung)) {
            Ok(()) => Ok(Ran::TimedOut),
            Err(Lost::Hung | Lost::Garbled(_)) => {
                self.spent = true;
                Ok(Ran::Stuck)
            }
            Err(lost) => Err(lost),
        }
    }

    /// Whether it has said nothing since the last command ended, and lives as far as is known.
    pub(super) fn is_quiet(&mut self) -> bool {
        !self.spent && self.pipe.next().now_or_never().is_none()
    }

    /// Whether it can be used again.
    pub(super) fn is_clean(&self) -> bool {
        !self.spent
    }

    /// The streams that it has.
    #[cfg(test)]
    pub(super) fn pipe(&self) -> &P {
        &self.pipe
    }

    /// The same, to be used.
    #[cfg(test)]
    pub(super) fn pipe_mut(&mut self) -> &mut P {
        &mut self.pipe
    }

    /// The same, given away.
    #[cfg(test)]
    pub(super) fn into_pipe(self) -> P {
        self.pipe
    }

    /// Tells the shell something that ends as a command does.
    #[cfg(test)]
    pub(super) async fn say(&mut self, text: String) -> Result<Ran, Lost> {
        let mut outputs = self.outputs();
        self.say_into(text, &mut outputs).await?;
        Ok(self.ran(outputs))
    }

    async fn say_into(&mut self, text: String, outputs: &mut [Output; 2]) -> Result<(), Lost> {
        self.pipe.send(text).await?;
        self.read(outputs).await
    }

    fn outputs(&self) -> [Output; 2] {
        [Output::new(&self.mark), Output::new(&self.mark)]
    }

    /// Reads until both streams have come to the mark.
    async fn read(&mut self, [stdout, stderr]: &mut [Output; 2]) -> Result<(), Lost> {
        while stdout.exit_code().is_none() || stderr.exit_code().is_none() {
            let fed = match self.pipe.next().await {
                Event::Stdout(piece) => stdout.feed(&piece),
                Event::Stderr(piece) => stderr.feed(&piece),
                Event::Ended(end) => return Err(end.into()),
            };
            fed.map_err(|error| match error {
                NoCode::Occupied => Lost::Occupied,
                NoCode::Other => Lost::Garbled(error),
            })?;
        }
        self.spent |= stdout.is_late() || stderr.is_late();
        Ok(())
    }

    fn ran(&self, [stdout, stderr]: [Output; 2]) -> Ran {
        let code = stdout.exit_code().unwrap_or(-1);
        Ran::Exited { code, stdout: stdout.into_kept(), stderr: stderr.into_kept() }
    }

    /// The number that the command gets.
    fn learn(&mut self, command: &[String]) -> usize {
        if self.known.len() < KNOWN {
            self.known.push(command.to_vec());
            return self.known.len() - 1;
        }
        let number = self.oldest;
        self.known[number] = command.to_vec();
        self.oldest = (number + 1) % KNOWN;
        number
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, future::ready};

    use super::*;

    /// A shell whose commands have ended as soon as they are known of.
    #[derive(Default)]
    struct AtOnce {
        mark: String,
        events: VecDeque<Event>,
    }

    impl Pipe for AtOnce {
        async fn send(&mut self, text: String) -> Result<(), End> {
            if self.mark.is_empty() {
                self.mark = text.lines().rev().nth(1).unwrap().to_owned();
            }
            let line = Bytes::from(format!("\n{} 0\n", self.mark));
            self.events.extend([Event::Stdout(line.clone()), Event::Stderr(line)]);
            Ok(())
        }

        async fn next(&mut self) -> Event {
            match self.events.pop_front() {
                Some(event) => event,
                None => std::future::pending().await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_has_come_is_heard_although_the_time_is_over() {
        let mut session = Session::open(AtOnce::default(), GRACE).await.unwrap();
        for _ in 0..100 {
            let ran = session.run(&["idle".to_owned()], ready(())).await.unwrap();
            assert!(matches!(ran, Ran::Exited { code: 0, .. }), "{ran:?}");
        }
    }
}
