//! The border between sources and the daemon.

use std::time::Duration;

use tokio::sync::watch;
use trailhound::object::Body;
use trailhound::source::delivery::{
    Budget, Closed, Content, Cursor, DELIVERIES_MAX, Delivery, Feed, Health, Intake, Outcome, Parcel,
    RECEIPTS_MAX, Receipt, Room, Settled, connect,
};
use trailhound::time::Timestamp;

fn on_tokio<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(async {
        tokio::time::timeout(Duration::from_secs(60), work).await.expect("nothing waits for ever")
    })
}

fn pair(budget: &Budget) -> (Feed, Intake, watch::Sender<bool>) {
    let (stop, stopped) = watch::channel(false);
    let (feed, intake) = connect(Cursor::new(), budget.clone(), stopped);
    (feed, intake, stop)
}

fn delivery(n: u64, room: Room) -> Delivery {
    let content = Content::Fetched(Body::Whole(vec![b' '; 4_000]));
    Delivery { receipt: Receipt(n), ..Delivery::new(format!("o{n}"), Timestamp(7), content, room) }
}

fn receipt(parcel: Option<Parcel>) -> Option<Receipt> {
    match parcel? {
        Parcel::Delivery(delivery) => Some(delivery.receipt),
        Parcel::Marks(_) => None,
    }
}

#[test]
fn bytes_between_source_and_engine_never_pass_the_budget() {
    on_tokio(async {
        let budget = Budget::new(8 << 10);
        let (feed, mut intake, _stop) = pair(&budget);
        for n in 0..2 {
            let room = feed.outlet.room(4_000).await.unwrap();
            feed.outlet.deliver(delivery(n, room)).await.unwrap();
        }
        assert_eq!(budget.bytes_used(), 8 << 10);
        let third = feed.outlet.room(1);
        tokio::pin!(third);
        assert!(
            tokio::time::timeout(Duration::from_millis(20), &mut third).await.is_err(),
            "there is no room"
        );
        drop(intake.parcels.recv().await);
        assert!(third.await.is_ok(), "room is free when the engine has taken an object in");
        // Larger than the whole budget: alone, and not for ever waiting.
        drop(intake.parcels.recv().await);
        assert_eq!(feed.outlet.room(1 << 30).await.unwrap().bytes(), 8 << 10);
    });
}

#[test]
fn a_source_that_is_told_nothing_comes_to_rest_and_goes_on_when_it_is_told() {
    on_tokio(async {
        let (mut feed, mut intake, _stop) = pair(&Budget::new(1 << 30));
        let outlet = feed.outlet.clone();
        let n_all = RECEIPTS_MAX as u64 + 10;
        let source = tokio::spawn(async move {
            for n in 0..n_all {
                outlet.deliver(delivery(n, Room::default())).await.unwrap();
            }
        });
        let mut taken = Vec::new();
        while taken.len() < RECEIPTS_MAX {
            taken.push(receipt(intake.parcels.recv().await).unwrap());
        }
        assert!(tokio::time::timeout(Duration::from_millis(20), intake.parcels.recv()).await.is_err());
        for receipt in taken {
            intake.settle(Settled { receipt, outcome: Outcome::Durable });
        }
        for n in 0..10 {
            assert_eq!(feed.settlements.next().await.unwrap().receipt, Receipt(n));
            assert_eq!(receipt(intake.parcels.recv().await), Some(Receipt(RECEIPTS_MAX as u64 + n)));
        }
        source.await.unwrap();
    });
}

#[test]
fn a_stop_wakes_a_source_wherever_it_waits() {
    on_tokio(async {
        let budget = Budget::new(1 << 10);
        let (feed, intake, stop) = pair(&budget);
        let _all = feed.outlet.room(1).await.unwrap();
        let outlet = feed.outlet.clone();
        let for_room = tokio::spawn(async move { outlet.room(1).await.map(drop) });
        for n in 0..DELIVERIES_MAX as u64 {
            feed.outlet.deliver(delivery(n, Room::default())).await.unwrap();
        }
        let outlet = feed.outlet.clone();
        let to_deliver = tokio::spawn(async move { outlet.deliver(delivery(0, Room::default())).await });
        let outlet = feed.outlet.clone();
        let idle = tokio::spawn(async move { outlet.stopping().await });
        stop.send(true).unwrap();
        assert_eq!(for_room.await.unwrap(), Err(Closed));
        assert_eq!(to_deliver.await.unwrap(), Err(Closed));
        idle.await.unwrap();
        assert!(feed.outlet.is_stopping());
        drop(intake);
        let mut settlements = feed.settlements;
        assert_eq!(settlements.next().await, None, "there will be no more");
    });
}

#[test]
fn health_is_what_was_said_last() {
    on_tokio(async {
        let (feed, mut intake, _stop) = pair(&Budget::new(1));
        assert_eq!(*intake.health.borrow(), Health::Starting);
        feed.outlet.report(Health::Ready);
        intake.health.changed().await.unwrap();
        assert_eq!(*intake.health.borrow_and_update(), Health::Ready);
        feed.outlet.report(Health::Ready);
        assert!(!intake.health.has_changed().unwrap(), "the same again is no news");
    });
}
