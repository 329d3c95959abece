//! The state as it is at a moment, taken while the engine goes on.
//!
//! What is small or leaves soon is copied when an image begins; memories, which may hold a million principals, are exposed
//! ([`crate::detect::bounded::Imaged`]): between two steps, a part of them at a time. Turning all of it into bytes is left to
//! whoever makes it durable, on a thread of their own.

use std::sync::Arc;

use super::fleets::Fleet;
use super::fold::Fold;
use super::group::Group;
use super::saved_window::WindowImage;
use super::sequence::{Held, Light};
use super::shards::SHARDS;
use crate::detect::bounded::Entries;
use crate::detect::catalog::Catalog;
use crate::detect::link::LinksImage;
use crate::detect::names::Names;
use crate::detect::risk::Suspect;
use crate::detect::risk::familiar::Familiar;
use crate::time::Timestamp;

/// The state at a moment, which can be turned into bytes later and elsewhere.
#[derive(Debug)]
pub struct Image {
    pub(super) moment: Moment,
    pub(super) memories: Memories,
}

/// What is copied when an image begins.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) catalog: Arc<Catalog>,
    pub(super) latest: Timestamp,
    pub(super) watermark: Timestamp,
    pub(super) sequence: u64,
    pub(super) held: Vec<(Timestamp, Held)>,
    pub(super) lights: Vec<(Timestamp, Light)>,
    pub(super) pulse: Vec<(i64, u64)>,
    pub(super) fleets: Vec<(String, Fleet)>,
    /// Records that were seen, in no order.
    pub(super) floor: u32,
    pub(super) seen: Vec<(u64, u32, u32)>,
}

/// What was exposed: each entry with its key and its last turn, in no order.
#[derive(Debug)]
pub(super) struct Memories {
    pub(super) small: Small,
    pub(super) links: LinksImage,
    /// By shard.
    pub(super) windows: Vec<Entries<WindowImage>>,
    /// Likewise.
    pub(super) profiles: Vec<Entries<Arc<[u8]>>>,
}

/// Those memories that hold less.
#[derive(Debug)]
pub(super) struct Small {
    pub(super) roles: Entries<Names>,
    pub(super) groups: Entries<Group>,
    pub(super) suspects: Entries<Suspect>,
    pub(super) familiar: Entries<Familiar>,
}

impl Small {
    /// In the order in which they are written.
    pub(super) fn in_order(mut self) -> Small {
        in_order(&mut self.roles);
        in_order(&mut self.groups);
        in_order(&mut self.suspects);
        in_order(&mut self.familiar);
        self
    }
}

impl Moment {
    fn of(fold: &Fold) -> Moment {
        let (floor, seen) = fold.duplicates.live();
        let sequencer = &fold.sequencer;
        Moment {
            catalog: Arc::clone(&fold.catalog),
            latest: sequencer.latest(),
            watermark: sequencer.watermark(),
            sequence: fold.sequence,
            held: sequencer.held().map(|(turn, held)| (turn, held.clone())).collect(),
            lights: sequencer.lights().map(|(turn, light)| (turn, light.clone())).collect(),
            pulse: fold.pulse.parts(),
            fleets: fold
                .incidents
                .fleets
                .entries()
                .map(|(name, fleet)| (name.clone(), fleet.clone()))
                .collect(),
            floor,
            seen,
        }
    }
}

impl Fold {
    /// Begins an image of everything that the next step depends on, as it is now. [`Fold::expose`] brings it to an end. One that was
    /// being taken is given up.
    pub fn begin_image(&mut self) {
        self.exposing = Some(Box::new(Moment::of(self)));
        self.names.roles.begin_image();
        self.links.begin_image();
        self.quiet.begin_image();
        self.incidents.begin_image();
        self.windows.begin_image();
        self.profiles.begin_image();
    }

    /// Looks at some `n` entries more of every shard of every memory; gives the image when it is whole. `None`, too, where none was begun.
    pub fn expose(&mut self, n: usize) -> Option<Image> {
        self.exposing.as_ref()?;
        let of_all = n.saturating_mul(SHARDS);
        let Fold { names, links, quiet, incidents, windows, profiles, .. } = self;
        let (sharded, others) = rayon::join(
            || windows.expose(n) & profiles.expose(n),
            || names.roles.expose(of_all) & links.expose(of_all) & quiet.expose(n) & incidents.expose(of_all),
        );
        let moment = if sharded && others { self.exposing.take() } else { None };
        moment.map(|moment| Image { moment: *moment, memories: self.take_memories() })
    }

    /// An image of everything as it is now, at once.
    pub fn image(&mut self) -> Image {
        self.begin_image();
        self.expose(usize::MAX).expect("everything was looked at")
    }

    fn take_memories(&mut self) -> Memories {
        let (suspects, familiar) = self.incidents.take_image();
        let (roles, groups) = (self.names.roles.take_image(), self.quiet.take_image());
        Memories {
            small: Small { roles, groups, suspects, familiar },
            links: self.links.take_image(),
            windows: self.windows.take_image(),
            profiles: self.profiles.take_image(),
        }
    }
}

/// Puts entries in the order in which they are written: by turn, then by key.
pub(super) fn in_order<I>(entries: &mut Entries<I>) {
    entries.sort_unstable_by_key(|(key, turn, _)| (*turn, *key));
}
