//! The organisation is made as promised.
