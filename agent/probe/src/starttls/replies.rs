//! Replies that begin with three digits (RFC 5321 section 4.2, RFC 959 section 4.2, RFC 3977 section 3.2).

/// One line of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reply<'a> {
    /// 100 to 599.
    pub(super) code: u16,
    /// Whether no further line of the reply follows.
    pub(super) is_last: bool,
    /// What stands behind the code.
    pub(super) text: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Reads a line; none when it is no reply.
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        let line = line.trim_ascii_end();
        let (digits, rest) = line.split_at_checked(3)?;
        let code: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let is_last = match rest.first() {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return None,
        };
        (100..600).contains(&code).then(|| Self { code, is_last, text: rest.get(1..).unwrap_or_default() })
    }

    /// Tells whether it says that the command is not known or not implemented.
    pub(super) fn is_unknown_command(&self) -> bool {
        matches!(self.code, 500 | 502 | 504)
    }

    /// Tells whether it is a refusal, for now or for good.
    pub(super) fn is_negative(&self) -> bool {
        self.code >= 400
    }
}
