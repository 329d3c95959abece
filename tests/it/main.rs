//! Tests from outside: what users see, and promises that span modules.

mod record;
