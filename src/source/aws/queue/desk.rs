//! The messages in hand, and which objects each of them waits for.
//!
//! A message is done when everything that it named is settled. One object may be named by several messages (S3 tells
//! at least once), and a message may come again while it is in hand; then nothing is fetched twice. Nothing here
//! talks to anybody.
//!
//! How many messages are in hand is bounded by [`RECEIPTS_MAX`](crate::source::delivery::RECEIPTS_MAX): no delivery is
//! made beyond it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::object::ObjectId;
use crate::source::delivery::{Outcome, Receipt, Settled};
use crate::tally::FailReason;

/// What SQS calls a message, the same each time it comes.
pub(super) type MessageId = Arc<str>;

/// Messages in hand.
#[derive(Default)]
pub(super) struct Desk {
    messages: HashMap<MessageId, Held>,
    receipts: BTreeMap<Receipt, Awaited>,
    objects: HashMap<ObjectId, Receipt>,
    next: u64,
}

/// A message in hand.
struct Held {
    /// By which SQS knows this receiving of it.
    handle: String,
    /// Objects that are not settled.
    n_open: usize,
    /// Whether more objects may still be added.
    is_being_read: bool,
    failed: Option<FailReason>,
    is_returned: bool,
    /// When it becomes visible to others again.
    hidden_until: Instant,
}

/// An object that was delivered and is not settled.
struct Awaited {
    object: ObjectId,
    messages: Vec<MessageId>,
}

/// A message that needs no more work of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Done {
    pub(super) id: MessageId,
    pub(super) handle: String,
    /// Something that it named could not be read, for good.
    pub(super) failed: Option<FailReason>,
    /// Not taken in: it has to come again.
    pub(super) is_returned: bool,
}

/// Who delivers an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Attached {
    /// Somebody did already.
    Already,
    /// Whoever asked, with this receipt.
    Yours(Receipt),
}

impl Desk {
    /// Takes a message in hand. `false` where it is already: then only its handle is new.
    pub(super) fn take(&mut self, id: &MessageId, handle: String, hidden_until: Instant) -> bool {
        if let Some(held) = self.messages.get_mut(id) {
            (held.handle, held.hidden_until) = (handle, hidden_until);
            return false;
        }
        let held =
            Held { handle, n_open: 0, is_being_read: true, failed: None, is_returned: false, hidden_until };
        self.messages.insert(id.clone(), held);
        true
    }

    /// Lets a message wait for an object.
    pub(super) fn attach(&mut self, id: &MessageId, object: &ObjectId) -> Attached {
        if let Some(held) = self.messages.get_mut(id) {
            held.n_open += 1;
        }
        if let Some(receipt) = self.objects.get(object)
            && let Some(awaited) = self.receipts.get_mut(receipt)
        {
            awaited.messages.push(id.clone());
            return Attached::Already;
        }
        let receipt = Receipt(self.next);
        self.next += 1;
        self.objects.insert(object.clone(), receipt);
        self.receipts.insert(receipt, Awaited { object: object.clone(), messages: vec![id.clone()] });
        Attached::Yours(receipt)
    }

    /// All that a message names has been attached.
    pub(super) fn read(&mut self, id: &MessageId) -> Option<Done> {
        self.messages.get_mut(id)?.is_being_read = false;
        self.done(id)
    }

    /// Takes what became of an object; returns the messages that are done by it.
    pub(super) fn settle(&mut self, settled: Settled) -> Vec<Done> {
        let mut done = Vec::new();
        for id in self.detach(settled.receipt) {
            let Some(held) = self.messages.get_mut(&id) else { continue };
            held.n_open = held.n_open.saturating_sub(1);
            match settled.outcome {
                Outcome::Durable => {}
                Outcome::Failed(reason) => held.failed = held.failed.or(Some(reason)),
                Outcome::Returned => held.is_returned = true,
            }
            done.extend(self.done(&id));
        }
        done
    }

    /// An object could not be delivered: every message that waits for it is given back.
    pub(super) fn give_back(&mut self, receipt: Receipt) -> Vec<Done> {
        let ids = self.detach(receipt);
        ids.iter().filter_map(|id| self.drop_message(id)).collect()
    }

    /// Takes a message out of hand, to be given back.
    pub(super) fn drop_message(&mut self, id: &MessageId) -> Option<Done> {
        let held = self.messages.remove(id)?;
        Some(Done { id: id.clone(), handle: held.handle, failed: held.failed, is_returned: true })
    }

    /// Everything that is still in hand, to be given back.
    pub(super) fn clear(&mut self) -> Vec<Done> {
        self.receipts.clear();
        self.objects.clear();
        let ids: Vec<MessageId> = self.messages.keys().cloned().collect();
        ids.iter().filter_map(|id| self.drop_message(id)).collect()
    }

    /// Messages that become visible before a time, with their handles; taken to be hidden until another.
    pub(super) fn prolong(
        &mut self,
        before: Instant,
        hidden_for: Duration,
        now: Instant,
    ) -> Vec<(MessageId, String)> {
        let due = self.messages.iter_mut().filter(|(_, held)| held.hidden_until < before);
        due.map(|(id, held)| {
            held.hidden_until = now + hidden_for;
            (id.clone(), held.handle.clone())
        })
        .collect()
    }

    /// How many messages are in hand.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.messages.len()
    }

    fn detach(&mut self, receipt: Receipt) -> Vec<MessageId> {
        let Some(awaited) = self.receipts.remove(&receipt) else { return Vec::new() };
        self.objects.remove(&awaited.object);
        awaited.messages
    }

    fn done(&mut self, id: &MessageId) -> Option<Done> {
        let held = self.messages.get(id)?;
        if held.is_being_read || held.n_open > 0 {
            return None;
        }
        let held = self.messages.remove(id)?;
        Some(Done { id: id.clone(), handle: held.handle, failed: held.failed, is_returned: held.is_returned })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> MessageId {
        MessageId::from(name)
    }

    fn settled(receipt: Receipt, outcome: Outcome) -> Settled {
        Settled { receipt, outcome }
    }

    fn take(desk: &mut Desk, name: &str, objects: &[&str]) -> Vec<Attached> {
        assert!(desk.take(&id(name), format!("h-{name}"), Instant::now()));
        let attached = objects.iter().map(|o| desk.attach(&id(name), &ObjectId::from(*o))).collect();
        assert_eq!(desk.read(&id(name)).is_some(), objects.is_empty());
        attached
    }

    #[test]
    fn a_message_is_done_when_all_that_it_names_is_settled() {
        let mut desk = Desk::default();
        let attached = take(&mut desk, "m", &["a", "b"]);
        assert_eq!(attached, [Attached::Yours(Receipt(0)), Attached::Yours(Receipt(1))]);
        assert_eq!(desk.settle(settled(Receipt(1), Outcome::Failed(FailReason::Corrupt))), []);
        let done = desk.settle(settled(Receipt(0), Outcome::Durable));
        assert_eq!(done.len(), 1);
        assert_eq!((done[0].handle.as_str(), done[0].failed), ("h-m", Some(FailReason::Corrupt)));
        assert_eq!(desk.settle(settled(Receipt(0), Outcome::Durable)), [], "told twice is told once");
        assert_eq!(desk.len(), 0);
    }

    #[test]
    fn an_object_that_several_messages_name_is_delivered_once_and_settles_them_all() {
        let mut desk = Desk::default();
        take(&mut desk, "m1", &["a"]);
        assert_eq!(take(&mut desk, "m2", &["a"]), [Attached::Already]);
        assert_eq!(desk.settle(settled(Receipt(0), Outcome::Durable)).len(), 2);
        assert_eq!(take(&mut desk, "m3", &["a"]), [Attached::Yours(Receipt(1))], "later it is news again");
    }

    #[test]
    fn a_message_that_comes_again_while_it_is_in_hand_only_brings_its_new_handle() {
        let mut desk = Desk::default();
        take(&mut desk, "m", &["a"]);
        assert!(!desk.take(&id("m"), "newer".to_owned(), Instant::now()));
        assert_eq!(desk.settle(settled(Receipt(0), Outcome::Durable))[0].handle, "newer");
    }

    #[test]
    fn an_object_that_cannot_be_had_now_gives_back_everyone_who_waits_for_it() {
        let mut desk = Desk::default();
        take(&mut desk, "m1", &["a", "b"]);
        take(&mut desk, "m2", &["a"]);
        let back = desk.give_back(Receipt(0));
        assert!(back.len() == 2 && back.iter().all(|done| done.is_returned));
        assert_eq!(
            desk.settle(settled(Receipt(1), Outcome::Durable)),
            [],
            "its message is not in hand any more"
        );
    }

    #[test]
    fn only_what_becomes_visible_soon_is_prolonged() {
        let mut desk = Desk::default();
        let now = Instant::now();
        let long = Duration::from_secs(300);
        desk.take(&id("soon"), "h1".to_owned(), now + Duration::from_secs(10));
        desk.take(&id("later"), "h2".to_owned(), now + long);
        assert_eq!(desk.prolong(now + Duration::from_secs(150), long, now), [(id("soon"), "h1".to_owned())]);
        assert_eq!(desk.prolong(now + Duration::from_secs(150), long, now), []);
    }
}
