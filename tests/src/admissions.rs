//! Requests that go through the webhook, one after another, while something is done to it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kube::{
    Api,
    api::{DynamicObject, PostParams},
};
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle};

use crate::{Namespace, cluster, untyped::smallest};

/// How many ask at once.
const CLIENTS: usize = 2;

/// Dry runs of creating sets, which the API server asks the webhook about, until they are counted.
pub struct Admissions {
    stop: watch::Sender<bool>,
    clients: Vec<JoinHandle<Vec<Answer>>>,
}

struct Answer {
    after: Duration,
    took: Duration,
    refused: Option<String>,
}

impl Admissions {
    /// Begins, in `namespace`, which the webhook must be asked about.
    ///
    /// # Errors
    /// There is no cluster.
    pub async fn begin(namespace: &Namespace) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut clients = Vec::new();
        let began = Instant::now();
        let object: DynamicObject = serde_json::from_value(smallest(json!({})))?;
        for _ in 0..CLIENTS {
            // What fails must not be hidden by a second try.
            let client = cluster::client_without_retries().await?;
            let sets: Api<DynamicObject> = Namespace { client, name: namespace.name.clone() }.untyped_sets();
            let (stopped, object) = (stopped.clone(), object.clone());
            clients.push(tokio::spawn(async move {
                let dry_run = PostParams { dry_run: true, ..PostParams::default() };
                let mut answers = Vec::new();
                while !*stopped.borrow() {
                    let asked = Instant::now();
                    let answer = sets.create(&dry_run, &object).await;
                    answers.push(Answer {
                        after: asked - began,
                        took: asked.elapsed(),
                        refused: answer.err().map(|error| error.to_string()),
                    });
                }
                answers
            }));
        }
        Ok(Self { stop, clients })
    }

    /// Ends, and says how many there were.
    ///
    /// # Errors
    /// One of them was not granted, or there were hardly any.
    pub async fn all_granted(self) -> Result<usize> {
        self.stop.send(true).context("nobody asks any more")?;
        let mut answers = Vec::new();
        for client in self.clients {
            answers.extend(client.await?);
        }
        let refused: Vec<String> = answers
            .iter()
            .filter_map(|answer| {
                let Answer { after, took, refused } = answer;
                Some(format!("after {after:?}, in {took:?}: {}", refused.as_ref()?))
            })
            .collect();
        let longest = answers.iter().map(|answer| answer.took).max().unwrap_or_default();
        eprintln!("{} requests, the longest took {longest:?}, {} failed", answers.len(), refused.len());
        ensure!(refused.is_empty(), "{} of {} requests failed: {:#?}", refused.len(), answers.len(), refused);
        ensure!(answers.len() > 50, "only {} requests", answers.len());
        Ok(answers.len())
    }
}
