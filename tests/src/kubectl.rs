//! The commands that people type, and the tables they read.

use std::{collections::BTreeMap, process::Stdio};

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;

use crate::{Namespace, cluster};

/// What a command left.
#[derive(Debug)]
pub struct Output {
    /// Whether it exited with 0.
    pub success: bool,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// Runs kubectl, with text on its standard input if there is any.
///
/// # Errors
/// It could not be run. That it failed is in the output.
pub async fn run(args: &[impl AsRef<str>], stdin: Option<&str>) -> Result<Output> {
    let mut command = cluster::kubectl()?;
    command
        .args(args.iter().map(AsRef::as_ref))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().context("running kubectl")?;
    if let (Some(mut input), Some(text)) = (child.stdin.take(), stdin) {
        input.write_all(text.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    Ok(Output {
        success: output.status.success(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

impl Namespace {
    /// Runs a kubectl command line in the namespace, words parted by spaces; gives what it prints.
    ///
    /// # Errors
    /// It fails.
    pub async fn kubectl(&self, line: &str) -> Result<String> {
        self.kubectl_with(line, None).await
    }

    /// The same with text on its standard input.
    ///
    /// # Errors
    /// It fails.
    pub async fn kubectl_with(&self, line: &str, stdin: Option<&str>) -> Result<String> {
        let output = self.try_kubectl(line, stdin).await?;
        if !output.success {
            bail!("kubectl {line}: {}", output.stderr);
        }
        Ok(output.stdout)
    }

    /// The same; that it fails is in the output.
    ///
    /// # Errors
    /// It could not be run.
    pub async fn try_kubectl(&self, line: &str, stdin: Option<&str>) -> Result<Output> {
        let mut args = vec!["-n", &self.name];
        args.extend(line.split(' '));
        run(&args, stdin).await
    }

    /// Runs `kubectl get …` and reads the table.
    ///
    /// # Errors
    /// The command fails, or prints no table.
    pub async fn kubectl_table(&self, line: &str) -> Result<Table> {
        Table::read(&self.kubectl(line).await?)
    }
}

/// A table as kubectl prints it.
#[derive(Debug)]
pub struct Table {
    /// The headings, in order.
    pub columns: Vec<String>,
    rows: BTreeMap<String, Vec<String>>,
}

impl Table {
    /// Reads it. An empty cell would shift those after it; kubectl prints `<none>` or `<unknown>` there for
    /// known resources and nothing for unset JSON paths, so rows that are too short are refused.
    fn read(text: &str) -> Result<Self> {
        let mut lines = text.lines().map(|line| line.split_whitespace().map(str::to_owned));
        let columns: Vec<String> = lines.next().context("kubectl printed nothing")?.collect();
        let mut rows = BTreeMap::new();
        for line in lines {
            let cells: Vec<String> = line.collect();
            let (Some(name), true) = (cells.first(), cells.len() == columns.len()) else {
                bail!("a row that does not fit its headings in\n{text}");
            };
            rows.insert(name.clone(), cells);
        }
        Ok(Self { columns, rows })
    }

    /// The rows as text: the cells of the first `columns` columns, parted by one space.
    #[must_use]
    pub fn rows(&self, columns: usize) -> Vec<String> {
        let row = |cells: &Vec<String>| cells.get(..columns).unwrap_or(cells).join(" ");
        self.rows.values().map(row).collect()
    }
}
