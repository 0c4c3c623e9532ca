use serde::{Deserialize, Serialize};

use super::AuditAnswer;

/// How a hello with one peculiarity was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RungFacts {
    /// The peculiarity's name; see [`Rung`].
    pub name: String,
    /// Bytes of the hello on the wire, record headers included.
    pub bytes_sent: u32,
    /// What came back.
    pub answer: AuditAnswer,
    /// From the write of the hello to the end of the answer, microseconds.
    pub elapsed_us: u64,
}

impl RungFacts {
    /// Tells whether the server bore the peculiarity: it answered with a ServerHello, or refused what it may refuse.
    ///
    /// That is a protocol without overlap (RFC 7301 section 3.2) and a name that it does not serve (RFC 6066 section 3).
    pub fn is_borne(&self) -> bool {
        const UNRECOGNIZED_NAME: u8 = 112;
        const NO_APPLICATION_PROTOCOL: u8 = 120;
        matches!(
            (self.rung(), self.answer),
            (_, AuditAnswer::Hello)
                | (Some(Rung::AlpnUnknown), AuditAnswer::Alert(NO_APPLICATION_PROTOCOL))
                | (Some(Rung::SmallOtherName | Rung::SmallNoName), AuditAnswer::Alert(UNRECOGNIZED_NAME))
        )
    }

    /// Returns the peculiarity, none when this build does not know it.
    pub fn rung(&self) -> Option<Rung> {
        Rung::ALL.iter().copied().find(|rung| rung.as_str() == self.name)
    }
}

macro_rules! rungs {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A peculiarity of a hello that a correct server takes in its stride; the others of the ladder differ from [`Rung::Small`] or [`Rung::Modern`] in one thing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rung {
            $($(#[$doc])* $name,)*
        }

        impl Rung {
            /// Every rung, in the order of the ladder.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the name that stands in [`RungFacts::name`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

rungs! {
    /// TLS 1.2 at most, fewer than 256 bytes, with the target's name.
    Small = "small",
    /// The same without a name.
    SmallNoName = "small-no-name",
    /// The same with an unrelated name.
    SmallOtherName = "small-other-name",
    /// The same with the target's name in upper-case letters.
    SmallUpperCase = "small-upper-case",
    /// TLS 1.3 and 1.2, fewer than 256 bytes, with a key share of X25519.
    Modern = "modern",
    /// A handshake message of 256 to 511 bytes, by padding (RFC 7685).
    Length256To511 = "length-256-511",
    /// A handshake message whose length is 10 modulo 256, by padding.
    Length10Mod256 = "length-10-mod-256",
    /// A handshake message of 512 bytes, by padding.
    Length512 = "length-512",
    /// More than one segment of 1,460 bytes, by padding.
    Padded = "padded",
    /// 15,900 bytes, by padding.
    Huge = "huge",
    /// A key share of X25519MLKEM768.
    HybridShare = "hybrid-share",
    /// In two segments, cut in the middle, with a pause between them.
    TwoSegments = "two-segments",
    /// In two segments, cut inside the server name, with a pause between them.
    NameInTwoSegments = "name-in-two-segments",
    /// In two records, cut inside the server name.
    TwoRecords = "two-records",
    /// In records of 64 bytes.
    SmallRecords = "small-records",
    /// Values of GREASE (RFC 8701) among suites, groups, extensions and versions.
    Grease = "grease",
    /// An extension that nobody has defined.
    UnknownExtension = "unknown-extension",
    /// An extension of length zero at the end.
    EmptyLastExtension = "empty-last-extension",
    /// More than 128 suites.
    ManySuites = "many-suites",
    /// The legacy version of TLS 1.3, 0x0304.
    LegacyVersion0304 = "legacy-version-0304",
    /// The legacy version 0x0398, "TLS 1.151".
    LegacyVersion0398 = "legacy-version-0398",
    /// The legacy version 0x0498, "TLS 2.151".
    LegacyVersion0498 = "legacy-version-0498",
    /// The record version of SSL 3, 0x0300.
    RecordVersion0300 = "record-version-0300",
    /// The record version of TLS 1.2, 0x0303; the other rungs write 0x0301.
    RecordVersion0303 = "record-version-0303",
    /// `h2` and `http/1.1` by ALPN.
    AlpnHttp = "alpn-http",
    /// A protocol by ALPN that nobody has registered.
    AlpnUnknown = "alpn-unknown",
    /// `encrypted_client_hello` with made-up content (RFC 9849 section 6.2).
    EchGrease = "ech-grease",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_refuse_strangers_and_nothing_else() {
        let seen = |rung: Rung, answer| RungFacts { name: rung.as_str().to_owned(), bytes_sent: 0, answer, elapsed_us: 0 };
        for (rung, answer, borne) in [
            (Rung::Grease, AuditAnswer::Hello, true),
            (Rung::Grease, AuditAnswer::Alert(112), false),
            (Rung::AlpnUnknown, AuditAnswer::Alert(120), true),
            (Rung::AlpnHttp, AuditAnswer::Alert(120), false),
            (Rung::SmallOtherName, AuditAnswer::Alert(112), true),
            (Rung::SmallUpperCase, AuditAnswer::Alert(112), false),
            (Rung::Huge, AuditAnswer::Silence, false),
        ] {
            assert_eq!(seen(rung, answer).is_borne(), borne, "{rung:?} {answer}");
        }
        assert_eq!(seen(Rung::EchGrease, AuditAnswer::Hello).rung(), Some(Rung::EchGrease));
    }
}
