//! Where requests are held, and what is seen of them there.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};
use gamewarden_api::{names, removal::Claim};
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::wait::DEADLINE;

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// Its body; null where that is no JSON.
    pub body: Value,
}

impl Asked {
    /// The pod that it deletes.
    #[must_use]
    pub fn deletes_pod(&self) -> Option<&str> {
        (self.method == Method::DELETE).then(|| self.object("pods")).flatten()
    }

    /// The pod that it reads.
    #[must_use]
    pub fn reads_pod(&self) -> Option<&str> {
        (self.method == Method::GET).then(|| self.object("pods")).flatten()
    }

    /// The server whose removal it writes, and what it writes of it.
    #[must_use]
    pub fn writes_claim(&self) -> Option<(&str, Claim)> {
        let server = (self.method == Method::PATCH).then(|| self.object("gameservers")).flatten()?;
        let claim = self.body["metadata"]["annotations"][names::REMOVAL].as_str()?;
        Some((server, serde_json::from_str(claim).ok()?))
    }

    /// The name of the object itself (no list, no subresource), where it is of this kind.
    fn object(&self, kind: &str) -> Option<&str> {
        let (_, object) = self.path.split_once("/namespaces/")?;
        let mut segments = object.split('/').skip(1);
        let (is_kind, name) = (segments.next() == Some(kind), segments.next()?);
        (is_kind && segments.next().is_none()).then_some(name)
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// What is held: requests that the rule says yes to.
type Rule = Box<dyn Fn(&Asked) -> bool + Send + Sync>;

/// All places at which a proxy holds requests.
#[derive(Default)]
pub(super) struct Pauses(Mutex<Vec<(Rule, mpsc::UnboundedSender<Caught>)>>);

impl Pauses {
    /// Another one.
    pub(super) fn add(&self, rule: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> Pause {
        let (sender, caught) = mpsc::unbounded_channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Box::new(rule), sender));
        Pause(caught)
    }

    /// Returns when the request may pass. Who let it pass is to be told what became of it.
    pub(super) async fn pass(&self, asked: &Asked) -> Option<oneshot::Sender<StatusCode>> {
        let (go, gone) = oneshot::channel();
        let (told, answer) = oneshot::channel();
        let caught = Caught { asked: asked.clone(), go, answer };
        {
            let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            pauses.retain(|(_, sender)| !sender.is_closed());
            let (_, sender) = pauses.iter().find(|(rule, _)| rule(asked))?;
            // One that has been taken away in this moment holds nothing.
            sender.send(caught).ok()?;
        }
        // Also when nobody holds it any more.
        let _ = gone.await;
        Some(told)
    }
}

/// A place at which requests are held. Dropped, it holds none any more, and what it holds goes on.
pub struct Pause(mpsc::UnboundedReceiver<Caught>);

impl Pause {
    /// The next request that is held here.
    ///
    /// # Errors
    /// None comes in time; the text says what was waited for.
    pub async fn next(&mut self, what: &str) -> Result<Caught> {
        match timeout(DEADLINE, self.0.recv()).await {
            Ok(caught) => caught.with_context(|| format!("the proxy has ended before {what}")),
            Err(_) => bail!("not within {}s: {what}", DEADLINE.as_secs()),
        }
    }
}

/// A request that is held. Dropped, it goes on.
pub struct Caught {
    /// What is asked for.
    pub asked: Asked,
    go: oneshot::Sender<()>,
    answer: oneshot::Receiver<StatusCode>,
}

impl Caught {
    /// Lets it go on; gives the API server's answer to it.
    ///
    /// # Errors
    /// There is none.
    pub async fn goes_on(self) -> Result<StatusCode> {
        drop(self.go);
        let answer = timeout(DEADLINE, self.answer).await;
        answer.ok().and_then(Result::ok).with_context(|| format!("no answer to {}", self.asked))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(method: Method, path: &str, body: Value) -> Asked {
        Asked { method, path: path.to_owned(), body }
    }

    #[test]
    fn requests_are_told_apart() {
        let pod = "/api/v1/namespaces/ours/pods/game-1";
        assert_eq!(asked(Method::DELETE, pod, Value::Null).deletes_pod(), Some("game-1"));
        assert_eq!(asked(Method::GET, pod, Value::Null).deletes_pod(), None);
        assert_eq!(asked(Method::GET, pod, Value::Null).reads_pod(), Some("game-1"));
        for other in [&format!("{pod}/exec"), "/api/v1/namespaces/ours/pods", "/api/v1/nodes/pods"] {
            assert_eq!(asked(Method::GET, other, Value::Null).reads_pod(), None, "{other}");
        }
        let server = "/apis/game.kruise.io/v1alpha1/namespaces/ours/gameservers/game-1";
        let claim = r#"{"v":1,"id":"a/7","pod":"a","phase":"Claimed","since":"2026-01-01T00:00:00Z"}"#;
        let patch = json!({"metadata": {"annotations": {names::REMOVAL: claim}}});
        let claims = asked(Method::PATCH, server, patch);
        let (name, claim) = claims.writes_claim().unwrap();
        assert_eq!((name, claim.id.as_str()), ("game-1", "a/7"));
        let gives_back = json!({"metadata": {"annotations": {names::REMOVAL: null}}});
        assert!(asked(Method::PATCH, server, gives_back).writes_claim().is_none());
    }

    #[tokio::test]
    async fn what_is_held_goes_on_when_it_is_let_go_or_nobody_holds_it_any_more() {
        let pauses = Pauses::default();
        let pod = asked(Method::DELETE, "/api/v1/namespaces/ours/pods/game-1", Value::Null);
        assert!(pauses.pass(&pod).await.is_none(), "nothing is held");
        let mut pause = pauses.add(|asked| asked.deletes_pod().is_some());
        let held = async {
            pauses.pass(&pod).await.unwrap().send(StatusCode::CONFLICT).unwrap();
        };
        let lets_go = async {
            let caught = pause.next("it is held").await.unwrap();
            assert_eq!(caught.goes_on().await.unwrap(), StatusCode::CONFLICT);
        };
        tokio::join!(held, lets_go);
        let held = pauses.pass(&pod);
        let dropped = async { drop(pause) };
        let (told, ()) = tokio::join!(held, dropped);
        assert!(told.is_some(), "it was held");
        assert!(pauses.pass(&pod).await.is_none(), "it is held no more");
    }
}
