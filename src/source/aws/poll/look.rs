//! A region's part of a round: what is new at its end, and what turned up late behind that.
//!
//! The end is listed at every poll. What lies behind it, a day back, is listed now and then, and there only what was
//! written since it was listed before is news: that is told by the time that S3 gives an object, not by its name, so
//! that nothing has to be remembered of what was there before. Only S3's own clock counts.

use super::leaf::View;
use crate::source::aws::bucket::Bucket;
use crate::source::aws::fault::Fault;
use crate::source::aws::list::{self, Listed, Query};

/// New objects that are taken from one region in one round; the rest follows in the next, which begins at once.
const NEWS_MAX: usize = 5_000;

/// What a look into a region came to.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// What may be news.
    pub(super) objects: Vec<Listed>,
    /// There is more than was taken.
    pub(super) has_more: bool,
    /// The last key of what is late, where there is more of that.
    pub(super) late_until: Option<String>,
    /// Everything that was asked for was listed to its end.
    pub(super) is_whole: bool,
    /// What went wrong on the way. What came before counts.
    pub(super) fault: Option<Fault>,
}

/// Looks into a region.
pub(super) async fn look_into(bucket: &Bucket, view: &View) -> Looked {
    let mut looked = Looked::default();
    if let Some(late) = &view.late {
        let is_late = |object: &Listed| object.modified.is_none_or(|time| time > late.floor);
        looked.late_until =
            list_between(bucket, view, (&late.after, Some(&view.after)), is_late, &mut looked).await;
    }
    if looked.fault.is_none() && !looked.has_more {
        list_between(bucket, view, (&view.after, None), |_| true, &mut looked).await;
    }
    looked.is_whole = looked.fault.is_none() && !looked.has_more;
    looked
}

/// Lists what lies behind one key and not behind another. Returns the key that it came to, if there is more.
async fn list_between(
    bucket: &Bucket,
    view: &View,
    (after, last): (&str, Option<&String>),
    is_wanted: impl Fn(&Listed) -> bool,
    looked: &mut Looked,
) -> Option<String> {
    let mut query = Query { prefix: &view.prefix, by_folder: false, after: Some(after), token: None };
    loop {
        let page = match list::page(bucket, &query).await {
            Ok(page) => page,
            Err(fault) => {
                looked.fault = Some(fault);
                return None;
            }
        };
        let is_inside = |object: &Listed| last.is_none_or(|last| object.key <= *last);
        let is_over = page.objects.last().is_some_and(|object| !is_inside(object));
        let until = page.objects.last().map(|object| object.key.clone());
        looked.objects.extend(page.objects.into_iter().filter(|o| is_inside(o) && is_wanted(o)));
        query.token = page.next;
        if query.token.is_none() || is_over {
            return None;
        }
        if looked.objects.len() >= NEWS_MAX {
            looked.has_more = true;
            return until;
        }
    }
}
