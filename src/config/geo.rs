//! `[geo]`: where addresses are, from MaxMind-format files that the user supplies.

use maxminddb::Reader;

use super::document::Section;
use super::inventory::{Kind, Value};
use crate::record::context::Places;

pub(super) fn read(section: Option<Section<'_>>, places: &mut Places) {
    let Some(mut section) = section else { return };
    open(&mut section, "city", &["City", "Country", "Enterprise"], &mut places.city);
    open(&mut section, "asn", &["ASN", "ISP"], &mut places.asn);
    open(&mut section, "anonymous", &["Anonymous"], &mut places.anonymous);
    section.finish();
}

/// Opens a database of one of these kinds; a path is relative to the file that names it.
fn open(section: &mut Section<'_>, key: &'static str, kinds: &[&str], target: &mut Option<Reader<Vec<u8>>>) {
    let Some((text, span)) = section.string(key) else {
        if target.is_none() {
            section.tell(key, Kind::Text, Value::Unset);
        }
        return;
    };
    let path = section.directory().join(text);
    section.tell(key, Kind::Text, Value::Text(path.display().to_string()));
    let reader = match Reader::open_readfile(&path) {
        Ok(reader) => reader,
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            section.fault(&span, message, "it must be a file in MaxMind's .mmdb format");
            return;
        }
    };
    let kind = &reader.metadata().database_type;
    if !kinds.iter().any(|k| kind.contains(k)) {
        let message = format!("{} is a database of kind `{kind}`", path.display());
        section.fault(&span, message, format!("`{key}` takes one of kind {}", kinds.join(", ")));
        return;
    }
    *target = Some(reader);
}
