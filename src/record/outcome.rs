//! What became of a call: allowed, refused, or neither.

use super::{Column, Record};
use crate::alert::Outcome;

impl Outcome {
    /// Reads the outcome of a record.
    ///
    /// Success is the absence of an error code, with two exceptions: sign-ins state it in `responseElements` and as
    /// `Failed authentication`, and a dry run that would have been allowed counts as allowed, because the caller
    /// learnt just that.
    #[inline]
    pub fn of(record: &Record<'_>) -> Outcome {
        match record.text(Column::ErrorCode) {
            Some(code) => Outcome::of_code(code),
            None if record.column(Column::ErrorMessage).is_none() && !is_sign_in(record) => {
                Outcome::Succeeded
            }
            None => of_sign_in(record),
        }
    }

    /// Reads the outcome that an error code states.
    pub fn of_code(code: &str) -> Outcome {
        let bare = code.strip_prefix("Client.").or_else(|| code.strip_prefix("Server.")).unwrap_or(code);
        match bare {
            "ok" | "Success" | "DryRunOperation" => Outcome::Succeeded,
            _ if is_denial(bare) => Outcome::Denied,
            _ => Outcome::Failed,
        }
    }
}

/// Whether an error code (without `Client.`) says that permission was wanting.
fn is_denial(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied"
            | "AccessDeniedException"
            | "UnauthorizedOperation"
            | "UnauthorizedException"
            | "Unauthorized"
            | "VpceAccessDenied"
            | "NotAuthorized"
            | "NotAuthorizedException"
            | "AuthorizationError"
            | "AuthorizationErrorException"
            | "AuthFailure"
            | "ForbiddenException"
            | "KMSAccessDeniedException"
            | "AllAccessDisabled"
            | "AccountAccessDenied"
    ) || code.ends_with("AccessDenied")
        || code.ends_with("AccessDeniedException")
        || code.ends_with("AccessDeniedFault")
        || code.ends_with("NotAuthorizedFault")
}

fn is_sign_in(record: &Record<'_>) -> bool {
    record.text(Column::EventSource) == Some("signin.amazonaws.com")
}

fn of_sign_in(record: &Record<'_>) -> Outcome {
    if record.text(Column::ErrorMessage) == Some("Failed authentication") {
        return Outcome::Failed;
    }
    let name = record.text(Column::EventName).unwrap_or("");
    match record.response().and_then(|r| r.get_str(name)) {
        Some(stated) if stated.eq_ignore_ascii_case("Failure") => Outcome::Failed,
        _ => Outcome::Succeeded,
    }
}
