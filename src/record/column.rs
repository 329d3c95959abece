//! The top-level fields of a record, found by their keys.
//!
//! A record has some 25 of them, and comparing each key with 33 names costs more than parsing it. So a hash picks the one
//! name to compare with; where the key before tells which key probably comes next, not even that is needed.

use wide::u8x16;

macro_rules! columns {
    ($($variant:ident = $key:literal),+ $(,)?) => {
        /// The top-level fields of a record that are found in one pass over it.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs)]
        pub enum Column { $($variant),+ }

        impl Column {
            /// How many there are.
            pub const COUNT: usize = [$(Column::$variant),+].len();

            /// Their keys, in order.
            const KEYS: [&'static str; Column::COUNT] = [$($key),+];
            pub(crate) const ALL: [Column; Column::COUNT] = [$(Column::$variant),+];

            /// Its key.
            #[inline]
            pub fn key(self) -> &'static str {
                Column::KEYS[self as usize]
            }

            /// The column of a top-level key.
            #[inline]
            pub fn of(key: &str) -> Option<Column> {
                Column::of_bytes(key.as_bytes())
            }

            /// The same for the bytes of a key.
            #[inline]
            pub fn of_bytes(key: &[u8]) -> Option<Column> {
                let index = usize::from(*COLUMN_TABLE.get(slot(key, COLUMN_SEED))?);
                (Column::KEYS.get(index)?.as_bytes() == key).then(|| Column::ALL[index])
            }

            /// The same for the key that stands at a place in a text, where it is probably this one.
            #[inline]
            pub fn of_bytes_likely(raw: &[u8], start: usize, end: usize, likely: Option<Column>) -> Option<Column> {
                let wide = raw.get(start..).and_then(<[u8]>::first_chunk::<KEY_BYTES>);
                match (wide, likely) {
                    (Some(wide), Some(likely)) if PADDED_KEYS[likely as usize].is(wide, end - start) => Some(likely),
                    _ => Column::of_bytes(raw.get(start..end)?),
                }
            }
        }
    };
}

// A hash of length, first, a later and the last byte tells the names apart; its multiplier is found by the compiler.
const COLUMN_SLOTS: usize = 256;
const COLUMN_SEED: u32 = column_seed();
const COLUMN_TABLE: [u8; COLUMN_SLOTS] = column_table(COLUMN_SEED).1;

#[inline]
const fn slot(key: &[u8], seed: u32) -> usize {
    let n = key.len();
    if n == 0 {
        return COLUMN_SLOTS;
    }
    let mixed = (n as u32) | (key[0] as u32) << 8 | (key[n * 2 / 3] as u32) << 16 | (key[n - 1] as u32) << 24;
    (mixed.wrapping_mul(seed) >> 24) as usize
}

/// No key is longer.
const KEY_BYTES: usize = 32;

/// A key, and zeros behind it; a bit for each of its bytes.
struct PaddedKey {
    bytes: [u8; KEY_BYTES],
    mask: u32,
    length: usize,
}

const PADDED_KEYS: [PaddedKey; Column::COUNT] = padded_keys();

const fn padded_keys() -> [PaddedKey; Column::COUNT] {
    let mut padded = [const { PaddedKey { bytes: [0; KEY_BYTES], mask: 0, length: 0 } }; Column::COUNT];
    let mut i = 0;
    while i < Column::COUNT {
        let key = Column::KEYS[i].as_bytes();
        while padded[i].length < key.len() {
            let at = padded[i].length;
            padded[i].bytes[at] = key[at];
            padded[i].mask |= 1 << at;
            padded[i].length += 1;
        }
        i += 1;
    }
    padded
}

impl PaddedKey {
    /// Compares it with a key of this length and what follows that in its text: all bytes at once, since a loop's end
    /// would be guessed wrong by the processor for every other key.
    #[inline]
    fn is(&self, wide: &[u8; KEY_BYTES], length: usize) -> bool {
        let half = |bytes: &[u8; KEY_BYTES], i: usize| u8x16::new(bytes.as_chunks::<16>().0[i]);
        let same = |i| half(wide, i).simd_eq(half(&self.bytes, i)).to_bitmask();
        let same = same(0) | same(1) << 16;
        same & self.mask == self.mask && self.length == length
    }
}

/// The table of a multiplier, and whether it tells all names apart.
const fn column_table(seed: u32) -> (bool, [u8; COLUMN_SLOTS]) {
    let mut table = [u8::MAX; COLUMN_SLOTS];
    let mut i = 0;
    while i < Column::COUNT {
        let at = slot(Column::KEYS[i].as_bytes(), seed);
        if table[at] != u8::MAX {
            return (false, table);
        }
        table[at] = i as u8;
        i += 1;
    }
    (true, table)
}

const fn column_seed() -> u32 {
    let mut seed = 0x9E37_79B1;
    while !column_table(seed).0 {
        seed = seed.wrapping_mul(0x85EB_CA6B).wrapping_add(2) | 1;
    }
    seed
}

columns! {
    EventVersion = "eventVersion",
    UserIdentity = "userIdentity",
    EventTime = "eventTime",
    EventSource = "eventSource",
    EventName = "eventName",
    AwsRegion = "awsRegion",
    SourceIp = "sourceIPAddress",
    UserAgent = "userAgent",
    ErrorCode = "errorCode",
    ErrorMessage = "errorMessage",
    RequestParameters = "requestParameters",
    ResponseElements = "responseElements",
    AdditionalEventData = "additionalEventData",
    RequestId = "requestID",
    EventId = "eventID",
    ReadOnly = "readOnly",
    Resources = "resources",
    EventType = "eventType",
    ManagementEvent = "managementEvent",
    RecipientAccountId = "recipientAccountId",
    SharedEventId = "sharedEventID",
    VpcEndpointId = "vpcEndpointId",
    VpcEndpointAccountId = "vpcEndpointAccountId",
    EventCategory = "eventCategory",
    TlsDetails = "tlsDetails",
    SessionCredentialFromConsole = "sessionCredentialFromConsole",
    ServiceEventDetails = "serviceEventDetails",
    InsightDetails = "insightDetails",
    Addendum = "addendum",
    AccountId = "accountId",
    AggregatedEventId = "eventId",
    TimeWindow = "timeWindow",
    LogstashTime = "@timestamp",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_found_by_its_key_and_no_other() {
        for (key, column) in Column::KEYS.iter().zip(Column::ALL) {
            assert_eq!(Column::of(key), Some(column));
        }
        for key in ["", "x", "eventname", "userIdentit", "requestParameter", "é"] {
            assert_eq!(Column::of(key), None, "{key}");
        }
    }

    #[test]
    fn a_guess_at_the_next_key_changes_nothing_but_the_time_it_takes() {
        let near_misses = ["eventNam", "eventNames", "eventname", "x"].into_iter();
        for key in Column::KEYS.into_iter().chain(near_misses) {
            for behind in ["", "\":\"a\"", &"x".repeat(60)] {
                let text = format!("{{\"{key}{behind}");
                let found = |likely| Column::of_bytes_likely(text.as_bytes(), 2, 2 + key.len(), likely);
                for likely in Column::ALL.map(Some).into_iter().chain([None]) {
                    assert_eq!(found(likely), Column::of(key), "{key}, {likely:?}");
                }
            }
        }
    }
}
