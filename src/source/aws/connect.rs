//! Clients, set up once.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_s3::config::SharedCredentialsProvider;

use super::Settings;

/// Where nothing says a region. Buckets tell theirs, and are followed there.
const REGION: &str = "us-east-1";
/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The name of the sessions of an assumed role, which CloudTrail will show.
const SESSION: &str = "trailhound";

/// How AWS is reached, settled. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connection {
    config: SdkConfig,
    settings: Arc<Settings>,
}

impl Connection {
    /// Reads environment and profiles and prepares credentials. Nothing is asked of AWS before the first request.
    pub async fn open(settings: Settings) -> Connection {
        Connection::build(settings, None).await
    }

    /// The same as somebody whose credentials are at hand.
    pub async fn open_as(settings: Settings, credentials: SharedCredentialsProvider) -> Connection {
        Connection::build(settings, Some(credentials)).await
    }

    async fn build(settings: Settings, credentials: Option<SharedCredentialsProvider>) -> Connection {
        let mut config = loader(&settings, credentials).load().await;
        if config.region().is_none() {
            config = config.into_builder().region(Region::from_static(REGION)).build();
        }
        if let Some(role) = &settings.role_arn {
            let mut provider = AssumeRoleProvider::builder(role).session_name(SESSION).configure(&config);
            if let Some(id) = &settings.external_id {
                provider = provider.external_id(id);
            }
            let provider = SharedCredentialsProvider::new(provider.build().await);
            config = config.into_builder().credentials_provider(provider).build();
        }
        Connection { config, settings: Arc::new(settings) }
    }

    /// What was set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A client for buckets of a region; of the usual one where none is told.
    pub fn s3(&self, region: Option<&str>) -> aws_sdk_s3::Client {
        let mut config =
            aws_sdk_s3::config::Builder::from(&self.config).force_path_style(self.settings.path_style);
        if let Some(region) = region {
            config = config.region(Region::new(region.to_owned()));
        }
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// A client that can ask who we are.
    pub fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config)
    }

    /// A client for a queue. A long poll is silent for as long as it lasts, which is no fault.
    pub fn sqs(&self, region: Option<&str>, poll: Duration) -> aws_sdk_sqs::Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_MAX.min(self.settings.patience.silence_max))
            .read_timeout(poll + self.settings.patience.silence_max)
            .build();
        let mut config = aws_sdk_sqs::config::Builder::from(&self.config).timeout_config(timeouts);
        if let Some(region) = region {
            config = config.region(aws_sdk_sqs::config::Region::new(region.to_owned()));
        }
        aws_sdk_sqs::Client::from_conf(config.build())
    }
}

/// What is the same with and without a role.
fn loader(settings: &Settings, credentials: Option<SharedCredentialsProvider>) -> ConfigLoader {
    let patience = settings.patience;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        // One more attempt is for what the SDK alone can mend, such as a clock that is wrong; patience is ours.
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(2)
                .with_initial_backoff(patience.pause)
                .with_max_backoff(patience.pause_max),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_MAX.min(patience.silence_max))
                .read_timeout(patience.silence_max)
                .build(),
        )
        // Silence within a body is watched where bodies are read.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Ok(name) = AppName::new("trailhound") {
        loader = loader.app_name(name);
    }
    if let Some(credentials) = credentials {
        loader = loader.credentials_provider(credentials);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader
}
