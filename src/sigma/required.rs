//! What a regular expression cannot match without: a text that is quick to seek before the expression is tried.
//!
//! Only texts at the top level of the expression count, and anything unusual ends the search for them: a text that is
//! not required would lose matches, a missed one only costs time.

/// The longest text that stands in everything the expression matches; empty where none is certain.
///
/// Letters count with their case: an expression without case has no required text here.
pub(crate) fn text(expression: &str) -> String {
    find(expression).unwrap_or_default()
}

fn find(expression: &str) -> Option<String> {
    // Flags and named groups change what follows.
    if expression.contains("(?") {
        return None;
    }
    let (mut best, mut run, mut depth) = (String::new(), String::new(), 0usize);
    let mut chars = expression.chars().peekable();
    while let Some(c) = chars.next() {
        let literal = match c {
            '|' if depth == 0 => return None,
            '\\' => match chars.next()? {
                c if c.is_ascii_punctuation() => Some(c),
                'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'b' | 'B' | 'A' | 'z' => None,
                _ => return None,
            },
            '[' => {
                skip_class(&mut chars)?;
                None
            }
            '{' => {
                run.pop();
                chars.find(|c| *c == '}')?;
                None
            }
            '(' => {
                depth += 1;
                None
            }
            ')' => {
                depth = depth.checked_sub(1)?;
                None
            }
            // Even after `+`, since `a+??` is an optional `a+?`.
            '?' | '*' | '+' => {
                run.pop();
                None
            }
            '.' | '^' | '$' | '|' => None,
            c => Some(c),
        };
        match literal {
            Some(_) if depth > 0 => {}
            Some(c) => run.push(c),
            None => keep_longer(&mut best, &mut run),
        }
    }
    keep_longer(&mut best, &mut run);
    Some(best)
}

fn keep_longer(best: &mut String, run: &mut String) {
    if run.len() > best.len() {
        std::mem::swap(best, run);
    }
    run.clear();
}

/// Skips to the end of a class whose opening bracket was taken.
fn skip_class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<()> {
    chars.next_if_eq(&'^');
    chars.next_if_eq(&']');
    let mut depth = 1;
    while depth > 0 {
        match chars.next()? {
            '\\' => {
                chars.next()?;
            }
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_at_the_top_level_are_required_and_no_others() {
        for (expression, expected) in [
            (".+:assumed-role/aws:.+", ":assumed-role/aws:"),
            (r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/aws-service-role/", ":role/aws-service-role/"),
            ("put|get", ""),
            ("(put|get)Object", "Object"),
            ("abc?d*e", "ab"),
            ("ab+cd", "cd"),
            ("a+??b", "b"),
            (r"a\.b\d", "a.b"),
            (r"\x41bc", ""),
            ("(?i)abc", ""),
            ("[]abc]x", "x"),
            ("a{0}bcd", "bcd"),
            ("x(abc)y*", "x"),
        ] {
            assert_eq!(text(expression), expected, "{expression}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn whatever_an_expression_matches_holds_its_text(
            expression in r"[ab.*+?()\[\]^$|\\d{}1,-]{0,10}",
            hay in "[ab1.,{}-]{0,12}",
        ) {
            if let Ok(regex) = regex::Regex::new(&expression) {
                let required = text(&expression);
                prop_assert!(!regex.is_match(&hay) || hay.contains(&required), "{expression} {hay} {required}");
            }
        }
    }
}
