//! tmp
/// x
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// x
    Table,
    /// x
    Ndjson,
    /// x
    Csv,
}
impl std::str::FromStr for Format {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "table" => Ok(Format::Table),
            "ndjson" => Ok(Format::Ndjson),
            "csv" => Ok(Format::Csv),
            _ => Err(format!("`{s}` is not a format: use table, ndjson or csv")),
        }
    }
}
