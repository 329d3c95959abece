//! What is active, and how Alertmanager comes to know that it no longer is.
//!
//! Notices are made anew from what is held, by labels. Labels that were posted and are not among them any more have
//! ended, for whichever reason: an incident closed, an alert grew old or became graver, or joined an incident. One rule
//! for all of them leaves none behind.
//!
//! Nothing here looks at a clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Manner;
use super::notice::{self, Labels, Notice};
use crate::alert::{MEMBERS_MAX, State};
use crate::sink::outbox::News;
use crate::time::{Span, Timestamp};

/// The most alerts that are active at once; beyond it the one that would end next ends.
pub const ALERTS_MAX: usize = 1_000;
/// The most incidents, as many as may be open unless told otherwise; beyond it the one that was heard of longest ago ends.
pub const INCIDENTS_MAX: usize = 4_096;

/// What is active.
#[derive(Debug, Default)]
pub struct Active {
    alerts: HashMap<String, Held>,
    incidents: HashMap<String, Held>,
    /// Members of incidents that are held, by id.
    members: HashMap<String, String>,
    /// What was posted as active, without its end.
    posted: BTreeMap<Labels, Notice>,
    /// What was active, with its end. It is told for as long as it might be believed active.
    ended: BTreeMap<Labels, Notice>,
    /// What of it was not told yet.
    untold: BTreeSet<Labels>,
    n_ended_early: u64,
}

#[derive(Debug)]
struct Held {
    news: News,
    /// When it was last heard of.
    heard: Timestamp,
}

impl Active {
    /// Takes in a document, or a revision of one. Taking it in again changes nothing.
    pub(super) fn take(&mut self, news: &News, manner: &Manner, now: Timestamp) {
        let held = match news {
            News::Alert(_) => &mut self.alerts,
            News::Incident(_) => &mut self.incidents,
        };
        if held.get(news.id()).is_some_and(|held| held.news.revision() >= news.revision()) {
            return;
        }
        match news {
            News::Incident(incident) if incident.state != State::Open => {
                self.end(&incident.id, incident.merged_into.as_deref());
            }
            _ => {
                held.insert(news.id().to_owned(), Held { news: news.clone(), heard: now });
                if let News::Incident(incident) = news {
                    let members = incident.alerts.iter().map(|alert| (alert.clone(), incident.id.clone()));
                    self.members.extend(members);
                }
            }
        }
        self.bound();
        self.expire(manner, now);
    }

    /// Ends the incidents of which somebody knows that they are over.
    pub(super) fn reconcile(&mut self, is_over: &dyn Fn(&str) -> bool) {
        let over: Vec<String> = self.incidents.keys().filter(|id| is_over(id)).cloned().collect();
        over.iter().for_each(|id| self.end(id, None));
    }

    /// What Alertmanager does not know yet.
    pub(super) fn changes(&mut self, manner: &Manner, now: Timestamp) -> Vec<Notice> {
        let known = self.posted.clone();
        let mut all = self.all(manner, now);
        all.retain(|notice| match known.get(&notice.labels) {
            // That it ended is told again by every whole round.
            _ if self.ended.contains_key(&notice.labels) => self.untold.contains(&notice.labels),
            Some(before) => Notice { ends_at: before.ends_at, ..notice.clone() } != *before,
            None => true,
        });
        all
    }

    /// Everything: what is active, and what ended a short while ago.
    pub(super) fn all(&mut self, manner: &Manner, now: Timestamp) -> Vec<Notice> {
        self.expire(manner, now);
        let current = self.current(manner, now);
        let gone: Vec<Labels> =
            self.posted.keys().filter(|labels| !current.contains_key(*labels)).cloned().collect();
        for labels in gone {
            if let Some(notice) = self.posted.remove(&labels) {
                let ends_at = now.max(notice.starts_at);
                self.untold.insert(labels.clone());
                self.ended.insert(labels, Notice { ends_at, ..notice });
            }
        }
        // By then Alertmanager has let go of it by itself.
        self.ended.retain(|labels, notice| {
            !current.contains_key(labels) && notice.ends_at.after(manner.lasts).after(manner.active_for) > now
        });
        while self.ended.len() > ALERTS_MAX + INCIDENTS_MAX {
            let oldest = self.ended.iter().min_by_key(|(_, notice)| notice.ends_at);
            let Some(oldest) = oldest.map(|(labels, _)| labels.clone()) else { break };
            self.ended.remove(&oldest);
        }
        self.untold.retain(|labels| self.ended.contains_key(labels));
        current.into_values().chain(self.ended.values().cloned()).collect()
    }

    /// Alertmanager knows these.
    pub(super) fn posted(&mut self, notices: &[Notice]) {
        for notice in notices {
            match self.ended.contains_key(&notice.labels) {
                true => drop(self.untold.remove(&notice.labels)),
                false => drop(self.posted.insert(notice.labels.clone(), notice.clone())),
            }
        }
    }

    /// How many ended for want of room since this was last asked.
    pub(super) fn n_ended_early(&mut self) -> u64 {
        std::mem::take(&mut self.n_ended_early)
    }

    /// Notices by their labels. What has equal labels is one for Alertmanager: the newest is told, for all of them.
    fn current(&self, manner: &Manner, now: Timestamp) -> BTreeMap<Labels, Notice> {
        let mut held: Vec<&Held> = self.alerts.values().chain(self.incidents.values()).collect();
        held.sort_by_key(|held| (held.news.last_seen(), held.news.id().to_owned()));
        let mut current: BTreeMap<Labels, (Notice, u64)> = BTreeMap::new();
        for held in held {
            let mut notice = self.notice(held, manner, now);
            let mut n = 1;
            if let Some((earlier, n_earlier)) = current.get(&notice.labels) {
                notice.starts_at = notice.starts_at.min(earlier.starts_at);
                notice.ends_at = notice.ends_at.max(earlier.ends_at);
                n += n_earlier;
            }
            current.insert(notice.labels.clone(), (notice, n));
        }
        let told = |(labels, (mut notice, n)): (Labels, (Notice, u64))| {
            if n > 1 {
                notice.annotations.insert("alerts", n.to_string());
            }
            (labels, notice)
        };
        current.into_iter().map(told).collect()
    }

    fn notice(&self, held: &Held, manner: &Manner, now: Timestamp) -> Notice {
        let soonest = now.after(manner.lasts);
        let mut notice = match &held.news {
            News::Alert(alert) => {
                let incident = self.members.get(&alert.id).map(String::as_str);
                let notice = notice::of_alert(alert, incident, manner);
                // Said at once, so that it stays active although this daemon should restart.
                Notice { ends_at: held.heard.after(manner.active_for).max(soonest), ..notice }
            }
            News::Incident(incident) => Notice { ends_at: soonest, ..notice::of_incident(incident, manner) },
        };
        // A clock that is behind those of AWS must not say that something ends before it begins.
        notice.starts_at = notice.starts_at.min(now);
        notice
    }

    fn expire(&mut self, manner: &Manner, now: Timestamp) {
        self.alerts.retain(|_, held| held.heard.after(manner.active_for) > now);
    }

    /// Its alerts go over to the incident that goes on for it, or end with it: nobody is to be paged for them again.
    fn end(&mut self, incident: &str, into: Option<&str>) {
        self.incidents.remove(incident);
        let alerts = &mut self.alerts;
        self.members.retain(|alert, of| match into {
            _ if of != incident => true,
            Some(into) => {
                into.clone_into(of);
                true
            }
            None => {
                alerts.remove(alert);
                false
            }
        });
    }

    fn bound(&mut self) {
        for (held, max) in [(&mut self.alerts, ALERTS_MAX), (&mut self.incidents, INCIDENTS_MAX)] {
            while held.len() > max {
                let oldest = held.iter().min_by_key(|(id, held)| (held.heard, (*id).clone()));
                let Some(oldest) = oldest.map(|(id, _)| id.clone()) else { break };
                held.remove(&oldest);
                self.n_ended_early += 1;
            }
        }
        // Members of one that is gone go with it; each held one names at most `alert::MEMBERS_MAX` at a time.
        if self.members.len() > INCIDENTS_MAX * MEMBERS_MAX {
            let incidents = &self.incidents;
            self.members.retain(|_, of| incidents.contains_key(of));
        }
    }
}

impl Manner {
    /// With a round of notices every so often: what is active survives three rounds that fail.
    pub fn lasting(resend: std::time::Duration) -> Span {
        Span(i64::try_from(resend.as_secs()).unwrap_or(i64::MAX / 8).saturating_mul(4))
    }
}

#[cfg(test)]
mod tests;
