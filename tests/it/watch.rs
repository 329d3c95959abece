//! The daemon: how sources feed it, and what it promises.

mod delivery;
