//! S3 and SQS: on a simulator always, on an independent server where there is one.

pub(crate) mod contract;
mod fetch;
mod late;
mod notices;
mod poll;
mod queue;
mod replay;
mod role;
pub(crate) mod sim;

use std::time::{Duration, Instant};

use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use trailhound::source::aws::connect::Connection;
use trailhound::source::aws::{Patience, Settings};
use trailhound::source::delivery::{
    self, Budget, Cursor, Delivery, Health, Intake, Outcome, Parcel, Receipt, Settled, Source, SourceError,
};

/// How long anything may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the simulator, or another server on the loopback, is reached.
pub(crate) fn settings(url: &str) -> Settings {
    Settings {
        region: Some("eu-west-1".to_owned()),
        endpoint_url: Some(url.to_owned()),
        path_style: true,
        patience: Patience {
            attempts: 8,
            pause: Duration::from_millis(2),
            pause_max: Duration::from_millis(50),
            silence_max: Duration::from_secs(5),
        },
        ..Settings::default()
    }
}

/// A connection with credentials of no account.
pub(crate) async fn connect(settings: Settings) -> Connection {
    let credentials = Credentials::new("AKIAEXAMPLETESTS0001", "no-secret", None, None, "tests");
    Connection::open_as(settings, SharedCredentialsProvider::new(credentials)).await
}

/// A source that runs, and the daemon's side of it.
pub(crate) struct Running {
    pub(crate) intake: Intake,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), SourceError>>,
}

impl Running {
    pub(crate) fn start(source: impl Source, cursor: Cursor, budget: u64) -> Running {
        let (stop, stopping) = watch::channel(false);
        let (feed, intake) = delivery::connect(cursor, Budget::new(budget), stopping);
        let task = tokio::spawn(Box::new(source).run(feed));
        Running { intake, stop, task }
    }

    /// The next delivery; waits for it.
    pub(crate) async fn next(&mut self) -> Delivery {
        self.next_within(PATIENCE).await.expect("a delivery in time")
    }

    /// The next delivery, unless none comes for so long.
    pub(crate) async fn next_within(&mut self, span: Duration) -> Option<Delivery> {
        let delivery = async {
            loop {
                if let Parcel::Delivery(delivery) = self.intake.parcels.recv().await.expect("the source runs")
                {
                    return *delivery;
                }
            }
        };
        tokio::time::timeout(span, delivery).await.ok()
    }

    pub(crate) fn settle(&self, receipt: Receipt, outcome: Outcome) {
        self.intake.settle(Settled { receipt, outcome });
    }

    /// Waits until the source says that it is so.
    pub(crate) async fn health(&mut self, is_so: impl FnMut(&Health) -> bool) -> Health {
        let health = tokio::time::timeout(PATIENCE, self.intake.health.wait_for(is_so)).await;
        health.expect("in time").expect("the source runs").clone()
    }

    /// Asks for a stop, settles nothing more, and waits for the source to end.
    pub(crate) async fn stop(self) {
        self.stop.send(true).expect("the source listens");
        let Running { intake, task, .. } = self;
        drop(intake);
        let ended = tokio::time::timeout(PATIENCE, task).await;
        ended.expect("it ends in time").expect("it does not panic").expect("it ends well");
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} does not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
