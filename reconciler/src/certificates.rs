//! The webhook's certificates, as the command line has them: whether the leader keeps them, and how.

use std::time::Duration;

use gamewarden_certs::{Config, Keeper, KeeperMetrics, Settings};
use gamewarden_runtime::Process;
use jiff::SignedDuration;
use kube::Client;

/// Who supplies the webhook's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Provider {
    /// The controller that leads issues and rotates them.
    SelfManaged,
    /// Somebody else, such as cert-manager.
    None,
}

/// Settings of the webhook's certificates.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CertificateArgs {
    /// Who supplies the webhook's certificates.
    #[arg(long, value_enum, default_value_t = Provider::None)]
    certificate_provider: Provider,
    /// Secret with the keys of the certificate authority.
    #[arg(long, default_value = "gamewarden-webhook-ca", value_name = "NAME")]
    ca_secret: String,
    /// Secret with the certificate that the webhook serves.
    #[arg(long, default_value = "gamewarden-webhook-tls", value_name = "NAME")]
    certificate_secret: String,
    /// Name of the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration whose caBundles are kept.
    #[arg(long, default_value = "gamewarden", value_name = "NAME")]
    webhook_configuration: String,
    /// The webhook's Service, and its Deployment.
    #[arg(long, default_value = "gamewarden-webhook", value_name = "NAME")]
    webhook_service: String,
    /// How long a certificate authority is valid. It is replaced at two thirds of that.
    #[arg(long, default_value = "8760h", value_parser = validity, value_name = "DURATION")]
    ca_validity: Duration,
    /// How long a serving certificate is valid. It is replaced at two thirds of that.
    #[arg(long, default_value = "2160h", value_parser = validity, value_name = "DURATION")]
    certificate_validity: Duration,
    /// How long API servers are given to learn of another certificate authority before it signs anything.
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "DURATION")]
    ca_propagation: Duration,
}

impl CertificateArgs {
    /// The keeper of the certificates of the webhook in `namespace`; `None` where they are somebody else's.
    pub(crate) fn keeper(&self, client: &Client, namespace: &str, process: &Process) -> Option<Keeper> {
        let Self { ca_validity, certificate_validity: serving_validity, ca_propagation: propagation, .. } =
            *self;
        (self.certificate_provider == Provider::SelfManaged).then(|| {
            let config = Config {
                namespace: namespace.to_owned(),
                ca_secret: self.ca_secret.clone(),
                serving_secret: self.certificate_secret.clone(),
                configuration: self.webhook_configuration.clone(),
                service: self.webhook_service.clone(),
                settings: Settings { ca_validity, serving_validity, propagation },
            };
            Keeper::new(client, config, process.metrics.register(KeeperMetrics::registered))
        })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    duration.try_into().map_err(|_| "it cannot be negative".to_owned())
}

/// Short enough for tests, long enough that nothing is renewed all the time.
fn validity(text: &str) -> Result<Duration, String> {
    let validity = duration(text)?;
    if validity < Duration::from_secs(600) {
        Err("it has to be at least 10m".to_owned())
    } else {
        Ok(validity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(validity("2160h"), Ok(Duration::from_secs(2160 * 3600)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(validity("9m"), Err("it has to be at least 10m".to_owned()));
        assert_eq!(duration("-5s"), Err("it cannot be negative".to_owned()));
        assert!(duration("soon").is_err());
    }
}
