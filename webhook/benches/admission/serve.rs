//! The server under load, in a process of its own: `ADMISSION_BENCH_SERVE=rules` or `floor`.

use std::{env, net::SocketAddr, process, sync::Arc, time::Duration};

use gamewarden_api::admission::Settings;
use gamewarden_certs::{self_signed, server_config};
use gamewarden_runtime::{Metrics, Shutdown};
use serde::Deserialize;
use webhook::{
    Answer, Refusal, WebhookMetrics,
    app::{self, Judge},
    review::{Malformed, Request},
    server::{Limits, Server},
};

pub(crate) const VARIABLE: &str = "ADMISSION_BENCH_SERVE";
pub(crate) const NAME: &str = "admission.bench";

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads the uid, answers "allowed".
    Floor,
    /// Ours.
    Rules,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Rules => "rules",
        }
    }

    pub(crate) fn asked_for() -> Option<Self> {
        match env::var(VARIABLE).ok()?.as_str() {
            "floor" => Some(Self::Floor),
            _ => Some(Self::Rules),
        }
    }
}

/// Serves until the standard input ends; writes its address and CA on a line.
pub(crate) fn serve(kind: Kind) {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let day = Duration::from_secs(24 * 3600);
        let cert = self_signed(&[NAME.to_owned()], jiff::Timestamp::now(), day).unwrap();
        let limits = Limits::default();
        let judge = if kind == Kind::Floor { floor() } else { app::rules(Settings::default()) };
        let router = app::router(Metrics::new().register(WebhookMetrics::registered), limits.request, judge);
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(any_port, server_config(&cert).unwrap(), router, limits).await.unwrap();
        let ca: String = cert.ca.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{} {ca}", server.local_addr());
        std::thread::spawn(|| {
            let _ = std::io::stdin().read_line(&mut String::new());
            process::exit(0);
        });
        server.serve(&Shutdown::new()).await;
    });
}

fn floor() -> Judge {
    #[derive(Deserialize)]
    struct Envelope {
        request: Uid,
    }
    #[derive(Deserialize)]
    struct Uid {
        uid: String,
    }
    Arc::new(|body, _| {
        let envelope: Envelope = serde_json::from_slice(body)
            .map_err(|error| Refusal::from(Malformed::Json(error.to_string())))?;
        Ok(Answer::allow(&Request { uid: envelope.request.uid.into(), ..Request::default() }))
    })
}
