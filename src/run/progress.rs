//! A bar on standard error, where that is a terminal and nobody minds.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a run has come.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over so many bytes; 0 where the end is not known. indicatif draws nothing where standard error is no
    /// terminal.
    pub fn new(bytes: u64, is_wanted: bool) -> Progress {
        let target = if is_wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = if bytes > 0 { ProgressBar::new(bytes) } else { ProgressBar::new_spinner() };
        bar.set_draw_target(target);
        let template = match bytes {
            0 => "{spinner} {elapsed} {msg}",
            _ => "{elapsed} {wide_bar} {bytes}/{total_bytes} {msg} {eta}",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the template is one of two constants"));
        if is_wanted {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Progress { bar }
    }

    /// So many more bytes were read, and so many records and alerts there are.
    pub fn advance(&self, bytes: u64, n_records: u64, n_alerts: u64) {
        self.bar.inc(bytes);
        self.bar.set_message(format!("{n_records} records, {n_alerts} alerts"));
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
