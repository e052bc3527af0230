//! A server's process: started, measured, ended.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{self, Command, Stdio},
};

use rustls::pki_types::CertificateDer;

use crate::serve::{Kind, VARIABLE};

/// A running server. It ends with this.
pub(crate) struct Child {
    process: process::Child,
    pub(crate) addr: SocketAddr,
    pub(crate) ca: CertificateDer<'static>,
}

impl Child {
    pub(crate) fn start(kind: Kind) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .env(VARIABLE, kind.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (addr, ca) = line.trim().split_once(' ').unwrap();
        let ca: Vec<u8> =
            (0..ca.len()).step_by(2).map(|at| u8::from_str_radix(&ca[at..at + 2], 16).unwrap()).collect();
        Self { process, addr: addr.parse().unwrap(), ca: ca.into() }
    }

    /// Seconds of processor time of all its threads.
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of hours fit")]
    pub(crate) fn cpu(&self) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let nanoseconds: u64 = threads
            .map(|thread| fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap())
            .map(|text| text.split(' ').next().unwrap().parse::<u64>().unwrap())
            .sum();
        nanoseconds as f64 / 1e9
    }

    /// KiB of memory it holds.
    pub(crate) fn rss(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
