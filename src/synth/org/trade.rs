//! What people and programs do for a living: when they work, what they call and how much of it.

use super::decks::Deck::{self, *};
use crate::synth::cast::Part;

/// When somebody calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rhythm {
    /// In working hours, in bouts.
    Office,
    /// One week in six, in whichever hour the alarm rings.
    OnCall,
    /// Around the clock, more by day.
    Steady,
    /// At one hour of the night.
    Nightly,
    /// One night of the week.
    Weekly,
    /// In runs of some minutes on working days: builds and deployments.
    Runs,
    /// Every ten minutes.
    Polls,
}

/// A trade.
pub(super) struct Trade {
    pub(super) name: &'static str,
    pub(super) part: Part,
    /// How many of a thousand and some principals.
    pub(super) share: u64,
    pub(super) rhythm: Rhythm,
    /// Calls on an ordinary day.
    pub(super) pace: u64,
    /// How often a call is one that its maker has hardly ever made, per ten thousand; people differ around it.
    pub(super) curiosity: u64,
    /// Decks with their weight, and how many of a hundred of their calls are somebody's own.
    pub(super) decks: &'static [(Deck, u64, u64)],
}

const fn trade(
    name: &'static str,
    part: Part,
    (share, pace, curiosity): (u64, u64, u64),
    rhythm: Rhythm,
    decks: &'static [(Deck, u64, u64)],
) -> Trade {
    Trade { name, part, share, rhythm, pace, curiosity, decks }
}

/// All trades. Their names stand in role names, so they are what people would call them.
pub(super) const TRADES: &[Trade] = &[
    trade(
        "Developer",
        Part::Engineer,
        (200, 45, 60),
        Rhythm::Office,
        &[
            (Everyday, 18, 50),
            (Serverless, 20, 60),
            (Containers, 15, 60),
            (Observing, 25, 70),
            (Stacks, 10, 40),
            (Databases, 8, 40),
            (DevChanges, 16, 60),
            (Buckets, 8, 50),
            (Identity, 2, 20),
        ],
    ),
    trade(
        "AppConsole",
        Part::Operator,
        (90, 40, 60),
        Rhythm::Office,
        &[
            (Console, 20, 80),
            (Observing, 30, 70),
            (Serverless, 15, 50),
            (Containers, 10, 50),
            (DevChanges, 8, 50),
            (Databases, 10, 40),
            (Everyday, 10, 30),
        ],
    ),
    trade(
        "Operations",
        Part::Operator,
        (40, 60, 50),
        Rhythm::Office,
        &[
            (Console, 10, 80),
            (Compute, 20, 60),
            (Network, 18, 60),
            (Observing, 30, 70),
            (HostChanges, 16, 70),
            (Containers, 10, 40),
            (Databases, 8, 40),
        ],
    ),
    trade(
        "Platform",
        Part::Engineer,
        (30, 60, 70),
        Rhythm::Office,
        &[
            (Everyday, 15, 60),
            (Compute, 15, 60),
            (Network, 20, 60),
            (Containers, 20, 70),
            (HostChanges, 12, 60),
            (Identity, 10, 50),
            (Stacks, 10, 60),
            (Observing, 15, 60),
        ],
    ),
    trade(
        "SecurityAudit",
        Part::Operator,
        (10, 60, 70),
        Rhythm::Office,
        &[(Guarding, 40, 80), (Identity, 20, 70), (Analysis, 22, 80), (Console, 5, 60), (Network, 8, 40)],
    ),
    trade(
        "DataScience",
        Part::Engineer,
        (30, 50, 60),
        Rhythm::Office,
        &[(Models, 30, 70), (Training, 22, 70), (Databases, 20, 60), (Buckets, 30, 80), (Everyday, 6, 30)],
    ),
    trade(
        "Billing",
        Part::Operator,
        (15, 20, 30),
        Rhythm::Office,
        &[(Costs, 60, 70), (Console, 20, 60), (Compute, 3, 20)],
    ),
    trade(
        "HelpDesk",
        Part::Operator,
        (8, 30, 30),
        Rhythm::Office,
        &[(Identity, 30, 50), (HelpDesk, 40, 90), (Console, 10, 60)],
    ),
    trade(
        "ReadOnly",
        Part::Operator,
        (20, 8, 80),
        Rhythm::Office,
        &[(Console, 40, 60), (Costs, 20, 40), (Observing, 20, 30)],
    ),
    trade(
        "legacy",
        Part::ConsoleUser,
        (25, 25, 50),
        Rhythm::Office,
        &[(Console, 20, 70), (Observing, 25, 50), (Compute, 15, 50), (Buckets, 15, 60), (HostChanges, 6, 40)],
    ),
    trade(
        "legacy-cli",
        Part::MfaUser,
        (20, 30, 50),
        Rhythm::Office,
        &[(Compute, 20, 60), (Databases, 20, 50), (Buckets, 30, 70), (DevChanges, 10, 40)],
    ),
    trade(
        "Incident",
        Part::Operator,
        (12, 70, 150),
        Rhythm::OnCall,
        &[
            (Observing, 40, 80),
            (Containers, 15, 70),
            (Compute, 15, 60),
            (HostChanges, 18, 80),
            (Databases, 10, 60),
            (Console, 8, 70),
        ],
    ),
    trade(
        "instance",
        Part::Fleet,
        (150, 90, 0),
        Rhythm::Steady,
        &[(Objects, 40, 60), (Agents, 45, 80), (OwnSecrets, 12, 70)],
    ),
    trade(
        "fn",
        Part::Function,
        (150, 70, 0),
        Rhythm::Steady,
        &[(Functions, 30, 70), (Objects, 40, 50), (OwnSecrets, 18, 60)],
    ),
    trade(
        "task",
        Part::Task,
        (100, 80, 0),
        Rhythm::Steady,
        &[(Objects, 50, 60), (Tasks, 30, 70), (OwnSecrets, 14, 60)],
    ),
    trade("ci", Part::Pipeline, (40, 60, 20), Rhythm::Runs, &[(Build, 90, 70), (Stacks, 6, 20)]),
    trade(
        "deploy",
        Part::Deployer,
        (30, 80, 40),
        Rhythm::Runs,
        &[(Refresh, 84, 80), (Infrastructure, 13, 70), (Permissions, 3, 80)],
    ),
    trade("preview", Part::Pipeline, (5, 60, 20), Rhythm::Runs, &[(Previews, 20, 100), (Refresh, 60, 50)]),
    trade("sync", Part::ServiceUser, (35, 60, 0), Rhythm::Steady, &[(Objects, 80, 60), (Buckets, 6, 30)]),
    trade("batch", Part::Task, (10, 220, 0), Rhythm::Nightly, &[(Exports, 60, 90), (Objects, 30, 60)]),
    trade("etl", Part::Task, (12, 260, 0), Rhythm::Nightly, &[(Objects, 90, 70), (Tasks, 6, 70)]),
    trade("backup", Part::Function, (6, 80, 0), Rhythm::Nightly, &[(Backups, 100, 100)]),
    trade("key-rotation", Part::Function, (2, 24, 0), Rhythm::Weekly, &[(Rotation, 100, 100)]),
    trade("monitoring-vendor", Part::Scanner, (10, 500, 0), Rhythm::Polls, &[(Vendor, 100, 80)]),
    trade("posture-audit", Part::Scanner, (3, 1_400, 0), Rhythm::Nightly, &[(Scan, 100, 100)]),
    trade(
        "partner-broker",
        Part::ServiceUser,
        (3, 24, 0),
        Rhythm::Steady,
        &[(Broker, 30, 100), (Objects, 30, 40)],
    ),
];

impl Trade {
    /// Whether a person works in it.
    pub(super) fn is_person(&self) -> bool {
        matches!(self.rhythm, Rhythm::Office | Rhythm::OnCall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_have_names_of_their_own_and_work_to_do() {
        let names: std::collections::BTreeSet<_> = TRADES.iter().map(|trade| trade.name).collect();
        assert_eq!(names.len(), TRADES.len());
        assert!(TRADES.iter().all(|trade| trade.pace > 0 && trade.share > 0 && !trade.decks.is_empty()));
    }
}
