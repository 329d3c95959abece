//! Tests from outside.

mod decode;
