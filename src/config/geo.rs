//! `[geo]`: where addresses are, from MaxMind-format files that the user supplies.

use maxminddb::Reader;

use super::document::Section;
use crate::record::context::Places;

pub(super) fn read(section: Option<Section<'_>>, places: &mut Places) {
    let Some(mut section) = section else { return };
    places.city = open(&mut section, "city", &["City", "Country", "Enterprise"]);
    places.asn = open(&mut section, "asn", &["ASN", "ISP"]);
    places.anonymous = open(&mut section, "anonymous", &["Anonymous"]);
    section.finish();
}

/// Opens a database of one of these kinds; a path is relative to the file that names it.
fn open(section: &mut Section<'_>, key: &'static str, kinds: &[&str]) -> Option<Reader<Vec<u8>>> {
    let (text, span) = section.string(key)?;
    let path = section.directory().join(text);
    let reader = match Reader::open_readfile(&path) {
        Ok(reader) => reader,
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            section.fault(&span, message, "it must be a file in MaxMind's .mmdb format");
            return None;
        }
    };
    let kind = &reader.metadata().database_type;
    if !kinds.iter().any(|k| kind.contains(k)) {
        let message = format!("{} is a database of kind `{kind}`", path.display());
        section.fault(&span, message, format!("`{key}` takes one of kind {}", kinds.join(", ")));
        return None;
    }
    Some(reader)
}
