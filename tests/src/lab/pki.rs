//! The lab's certificate authority: one root, one intermediate, and the chains that scenarios ask for.

use std::time::Duration;

use parallax_model::clock::{Clock as _, SystemClock};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};

use super::{
    error::LabError,
    scenario::{Certificate, ChainPart, Validity},
};

/// An authority that issues through an intermediate.
pub struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
}

/// A chain and its key, as PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificates in the order in which they are sent.
    pub chain: String,
    /// The private key of the leaf.
    pub key: String,
}

impl Authority {
    /// Makes the two authorities, valid for ten years around the present day; `name` tells them from others.
    pub fn new(name: &str) -> Result<Self, rcgen::Error> {
        let authority = |title: &str, depth| -> Result<CertificateParams, rcgen::Error> {
            let mut params = CertificateParams::new(Vec::<String>::new())?;
            params.distinguished_name.push(DnType::CommonName, format!("{name} {title}"));
            params.is_ca = IsCa::Ca(depth);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            valid(&mut params, -1800, 1800);
            params.use_authority_key_identifier_extension = true;
            Ok(params)
        };
        let root = CertifiedIssuer::self_signed(authority("Root", BasicConstraints::Unconstrained)?, KeyPair::generate()?)?;
        let intermediate = CertifiedIssuer::signed_by(authority("Intermediate", BasicConstraints::Constrained(0))?, KeyPair::generate()?, &root)?;
        Ok(Self { root, intermediate })
    }

    /// Returns the trust anchor as PEM.
    pub fn root(&self) -> String {
        self.root.pem()
    }

    /// Issues the chain that a scenario describes.
    pub fn issue(&self, wanted: &Certificate) -> Result<Issued, LabError> {
        self.try_issue(wanted).map_err(|source| LabError::Certificate { id: wanted.id.clone(), source })
    }

    fn try_issue(&self, wanted: &Certificate) -> Result<Issued, rcgen::Error> {
        let padding = (0..wanted.padding).map(|number| format!("alternative-name-{number:03}.example.test"));
        let mut params = CertificateParams::new(wanted.names.iter().cloned().chain(padding).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, wanted.names.first().map_or("lab", String::as_str));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = !wanted.self_signed;
        let (from, until) = match wanted.validity {
            Validity::Current => (-30, 60),
            Validity::Expired => (-100, -10),
            Validity::Future => (10, 100),
            Validity::Ending => (-80, 10),
        };
        valid(&mut params, from, until);
        let key = KeyPair::generate()?;
        let leaf = if wanted.self_signed { params.self_signed(&key)? } else { params.signed_by(&key, &self.intermediate)? };
        let pem = |part: &ChainPart| match part {
            ChainPart::Leaf => leaf.pem(),
            ChainPart::Intermediate => self.intermediate.pem(),
            ChainPart::Root => self.root.pem(),
        };
        let sent = if wanted.self_signed { leaf.pem() } else { wanted.sends.iter().map(pem).collect() };
        Ok(Issued { chain: sent, key: key.serialize_pem() })
    }
}

/// Sets the validity in days from now.
fn valid(params: &mut CertificateParams, from: i64, until: i64) {
    const DAY: i64 = 86_400;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let today = SystemClock.now().as_micros() / 1_000_000;
    let at = |days: i64| epoch + Duration::from_secs(u64::try_from(today + days * DAY).unwrap_or_default());
    (params.not_before, params.not_after) = (at(from), at(until));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Certificate {
        toml::from_str(&format!("id='x'\nnames=['www.example.test']\n{text}")).unwrap()
    }

    #[test]
    fn what_is_sent_and_in_which_order_is_as_asked() {
        let authority = Authority::new("Lab").unwrap();
        let count = |text: &str| authority.issue(&wanted(text)).unwrap().chain.matches("BEGIN CERTIFICATE").count();
        assert_eq!([count(""), count("sends=['leaf']"), count("sends=['leaf','root','intermediate']"), count("self_signed=true")], [2, 1, 3, 1]);
        let misordered = authority.issue(&wanted("sends=['leaf','root','intermediate']")).unwrap().chain;
        assert!(misordered.find(authority.root().trim()) < misordered.find(authority.intermediate.pem().trim()));
    }

    #[test]
    fn padding_makes_a_flight_that_fills_segments() {
        let authority = Authority::new("Lab").unwrap();
        assert!(authority.issue(&wanted("padding=60")).unwrap().chain.len() > 3000);
    }
}
